//! What can go wrong with the register, told apart by what can be done about it.
//!
//! No message holds text of the other side's, but codes and trace ids of a known form.

use std::fmt;
use std::time::Duration;

use crate::net::error::{Error as NetError, TlsClass};
use crate::net::guard::Range;
use crate::net::proxy::Fault;

/// Why the register could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One of the source's base addresses cannot carry a path.
    #[error("the register's address is not one that requests can be sent to")]
    Address,
    /// The client id or secret is wrong, or the caller's address is not white-listed and the register does not say which.
    #[error("the register did not accept the credentials{code}: {}", credentials_hint(*.perhaps_address))]
    CredentialsWrong {
        /// The register's code.
        code: MaybeCode,
        /// Whether a missing white-listing of our address would look the same.
        perhaps_address: bool,
    },
    /// Our address is not white-listed.
    #[error(
        "the register does not know the address that we call from{code}: add it to the IT system's allowed addresses"
    )]
    AddressNotWhiteListed {
        /// The register's code.
        code: MaybeCode,
    },
    /// The IT system lacks the right.
    #[error("the register has not granted this access to the IT system{code}: apply for it, or check when it expired")]
    NotGranted {
        /// The register's code.
        code: MaybeCode,
    },
    /// There is no such service or version.
    #[error("the register has no such service: check the endpoint and whether this version was withdrawn")]
    UnknownService,
    /// The query was refused.
    #[error("the register refused the query{code}{trace_id}")]
    QueryRefused {
        /// The register's code.
        code: MaybeCode,
        /// What the register's support can find it by.
        trace_id: TraceId,
    },
    /// Too many requests, or a pause for maintenance.
    #[error("the register is busy")]
    Busy {
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// It cannot be reached or has a fault.
    #[error("the register is down: {class}")]
    Down {
        /// What was seen of it.
        class: Down,
    },
    /// It has failed often; nothing is asked until the pause is over.
    #[error("the register failed before and is left alone for a while")]
    Paused {
        /// How long still.
        remaining: Duration,
    },
    /// It answered something else than the protocol says.
    #[error("the register's answer was not understood: {what}{trace_id}")]
    NotUnderstood {
        /// What was expected.
        what: &'static str,
        /// What the register's support can find it by.
        trace_id: TraceId,
    },
    /// Its address lies where we may not connect to.
    #[error("the register's address is refused: it lies in a {range} range that is not opened")]
    Guarded {
        /// The range.
        range: Range,
    },
    /// The proxy opens no way to it.
    #[error("{fault}")]
    Proxy {
        /// Why.
        fault: Fault,
    },
    /// The service offers no lookup by PersonID.
    #[error("the register's service offers no lookup by PersonID")]
    NoLookupById,
    /// The service offers no lookup by CPR number.
    #[error("the register's service offers no lookup by CPR number")]
    NoLookupByNumber,
}

fn credentials_hint(perhaps_address: bool) -> &'static str {
    if perhaps_address {
        "either the secret is wrong or expired, or our address is not among the IT system's allowed addresses"
    } else {
        "check client id and secret, and whether the secret has expired"
    }
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After this time.
    After(Duration),
    /// After a time that grows with each failure, with jitter.
    Backoff,
    /// Every five minutes, with jitter.
    EveryFiveMinutes,
    /// Every hour, with jitter.
    Hourly,
}

impl Error {
    /// When it is worth trying again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy { retry_after: Some(wait) } => Retry::After(*wait),
            Self::Paused { remaining } => Retry::After(*remaining),
            Self::Busy { retry_after: None } | Self::Down { .. } | Self::NotUnderstood { .. } => Retry::Backoff,
            Self::CredentialsWrong { .. } | Self::AddressNotWhiteListed { .. } | Self::UnknownService => {
                Retry::EveryFiveMinutes
            }
            Self::Guarded { .. } | Self::Proxy { fault: Fault::Refused(_) } => Retry::EveryFiveMinutes,
            Self::Proxy { .. } => Retry::Backoff,
            Self::NotGranted { .. } | Self::QueryRefused { .. } | Self::Address => Retry::Hourly,
            Self::NoLookupById | Self::NoLookupByNumber => Retry::Hourly,
        }
    }

    /// Whether the register is unavailable, rather than unwilling.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Down { .. } | Self::Paused { .. } | Self::Proxy { .. })
    }
}

/// An answer that lacks `what`.
pub(super) fn not_understood(what: &'static str) -> Error {
    Error::NotUnderstood { what, trace_id: TraceId::default() }
}

/// What was seen of a register that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Down {
    /// Its name has no address.
    Resolve,
    /// The connection was not taken.
    Connect,
    /// TLS failed.
    Tls(TlsClass),
    /// No answer in time.
    Timeout,
    /// The connection was cut.
    Cut,
    /// Not HTTP.
    Protocol,
    /// An error status.
    Status(u16),
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve => f.write_str("its name could not be resolved"),
            Self::Connect => f.write_str("the connection was not taken"),
            Self::Tls(class) => write!(f, "TLS failed, {class}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Cut => f.write_str("the connection was cut"),
            Self::Protocol => f.write_str("what came was not HTTP"),
            Self::Status(status) => write!(f, "it answered {status}"),
        }
    }
}

impl From<NetError> for Error {
    fn from(error: NetError) -> Self {
        let class = match error {
            NetError::Refused { range } => return Self::Guarded { range },
            NetError::Proxy { fault } => return Self::Proxy { fault },
            NetError::Resolve => Down::Resolve,
            NetError::Connect => Down::Connect,
            NetError::Tls { class, .. } => Down::Tls(class),
            NetError::CaBundle => Down::Tls(TlsClass::Other),
            NetError::Timeout { .. } => Down::Timeout,
            NetError::Cut { .. } => Down::Cut,
            NetError::Protocol { .. } => Down::Protocol,
        };
        Self::Down { class }
    }
}

/// The register's error code, where it gave one of a known form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaybeCode(Option<String>);

impl MaybeCode {
    /// Takes a code such as `DAF-AUTH-0005` or `HC0046`, or an error name of OAuth; anything else is no code.
    pub fn read(text: &str) -> Self {
        Self((is_code(text) || OAUTH.contains(&text)).then(|| text.to_owned()))
    }

    /// The code.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for MaybeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

const OAUTH: &[&str] = &[
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "access_denied",
];

/// Two to four capitals, perhaps more capitals between hyphens, at most six digits: too few for a CPR number.
fn is_code(text: &str) -> bool {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - letters.len();
    let mut parts = letters.strip_suffix('-').unwrap_or(letters).splitn(2, '-');
    let capitals = |part: &str| part.bytes().all(|b| b.is_ascii_uppercase());
    let first = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    (1..=6).contains(&digits) && (2..=4).contains(&first.len()) && capitals(first) && rest.len() <= 12 && capitals(rest)
}

/// A trace id of the register's, where it gave one of a known form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceId(Option<String>);

impl TraceId {
    /// Takes a W3C trace parent; anything else is no trace id.
    pub fn read(text: &str) -> Self {
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        Self((hex && parts == [2, 32, 16, 2]).then(|| text.to_ascii_lowercase()))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |id| write!(f, " [trace {id}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_a_known_form_are_kept() {
        for code in ["DAF-AUTH-0005", "HC0046", "DAF-GQL-0010", "invalid_client"] {
            assert_eq!(MaybeCode::read(code).as_str(), Some(code));
        }
        for bad in ["", "DAF", "6101800001", "DAF-6101800001", "Jens Hansen", "DAF-AUTH-0005 for 6101800001", "X1"] {
            assert_eq!(MaybeCode::read(bad).as_str(), None, "{bad}");
        }
    }

    #[test]
    fn only_trace_parents_are_kept() {
        let id = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(TraceId::read(id).to_string(), format!(" [trace {id}]"));
        for bad in ["", "6101800001", "00-6101800001-b7ad6b7169203331-01", "trace"] {
            assert_eq!(TraceId::read(bad), TraceId::default(), "{bad}");
        }
    }
}
