//! What an answer means: whose fault a failure is, and when the receiver wants to be asked again. Pure.

use http::StatusCode;
use jiff::Timestamp;

use super::retry::retry_after;
use super::sender::{Error, Why};
use crate::net;
use crate::net::error::{Stage, TlsClass};

/// The answer to one request, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its `Retry-After`, as it came.
    pub retry_after: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted.
    Accepted,
    /// The receiver is gone for good, until somebody decides otherwise.
    Gone,
    /// Not accepted.
    Failed(Failure),
}

/// Why an attempt was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Class of the error, for people and metrics.
    pub class: String,
    /// Whose fault it is.
    pub fault: Fault,
    /// Whether the receiver had too much.
    pub pressure: bool,
    /// When it wants to be asked again.
    pub wish: Option<Timestamp>,
}

impl Failure {
    /// Whether it can be the person's fault after all, if others are accepted meanwhile. A receiver that asks for less, or
    /// for later, blames nobody.
    pub fn may_be_the_persons(&self) -> bool {
        self.wish.is_none() && self.class != "Http429"
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Speaks for the whole consumer.
    Consumer,
    /// Speaks for this person's event.
    Person,
    /// The request could not be built: held against nobody.
    Ours,
}

/// What the answer, or its absence, means.
pub fn decide(reply: &Result<Reply, Error>, now: Timestamp) -> Outcome {
    match reply {
        Ok(reply) if reply.status.is_success() => Outcome::Accepted,
        Ok(reply) if reply.status == StatusCode::GONE => Outcome::Gone,
        Ok(reply) => Outcome::Failed(refused(reply, now)),
        Err(error) => Outcome::Failed(Failure {
            class: match error.why {
                Why::Net(error) => class_of(&error).to_owned(),
                Why::Token(denied) => denied.class(),
            },
            fault: Fault::Consumer,
            pressure: matches!(error.why, Why::Net(net::error::Error::Timeout { .. })),
            wish: None,
        }),
    }
}

fn refused(reply: &Reply, now: Timestamp) -> Failure {
    let pressure = matches!(reply.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let wish = reply.retry_after.as_deref().filter(|_| pressure).and_then(|value| retry_after(value, now));
    Failure { class: format!("Http{}", reply.status.as_u16()), fault: fault_of(reply.status), pressure, wish }
}

/// 3xx are not followed: what is set up there is not an address that receives.
fn fault_of(status: StatusCode) -> Fault {
    match status.as_u16() {
        401 | 403 | 404 | 405 | 407 | 408 | 415 | 421 | 429 => Fault::Consumer,
        400..=499 => Fault::Person,
        _ => Fault::Consumer,
    }
}

/// A short name of what went wrong before there was an answer.
pub fn class_of(error: &net::error::Error) -> &'static str {
    use net::error::Error::*;
    match error {
        CaBundle => "CaBundle",
        Refused { .. } => "AddressRefused",
        Resolve => "Unresolved",
        Connect | Proxy { .. } => "NotConnected",
        Tls { class: TlsClass::NotTrusted, .. } => "TlsNotTrusted",
        Tls { class: TlsClass::Expired, .. } => "TlsExpired",
        Tls { class: TlsClass::WrongName, .. } => "TlsWrongName",
        Tls { class: TlsClass::ClientCertificate, .. } => "TlsClientCertificate",
        Tls { class: TlsClass::Other, .. } => "TlsFailed",
        Timeout { stage: Stage::Connect, .. } => "TimedOutConnecting",
        Timeout { stage: Stage::Answer, .. } => "TimedOutWaiting",
        Timeout { stage: Stage::Body, .. } => "TimedOutReading",
        Cut { .. } => "Cut",
        Protocol { .. } => "NotHttp",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::net::error::Error as NetError;

    fn reply(status: u16, retry_after: Option<&str>) -> Result<Reply, Error> {
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Reply { status, retry_after: retry_after.map(str::to_owned) })
    }

    fn failure(outcome: Outcome) -> Failure {
        match outcome {
            Outcome::Failed(failure) => failure,
            other => panic!("{other:?} is no failure"),
        }
    }

    #[test]
    fn any_2xx_accepts_and_410_is_gone() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(decide(&reply(status, None), Timestamp::UNIX_EPOCH), Outcome::Accepted);
        }
        assert_eq!(decide(&reply(410, Some("60")), Timestamp::UNIX_EPOCH), Outcome::Gone);
    }

    #[test]
    fn each_status_speaks_for_the_consumer_or_the_person() {
        for status in [301, 302, 307, 308, 401, 403, 404, 405, 407, 415, 421, 429, 500, 502, 503, 504] {
            let failure = failure(decide(&reply(status, None), Timestamp::UNIX_EPOCH));
            assert_eq!(failure.fault, Fault::Consumer, "{status}");
            assert_eq!(failure.pressure, matches!(status, 429 | 503), "{status}");
        }
        for status in [400, 409, 413, 422] {
            assert_eq!(failure(decide(&reply(status, None), Timestamp::UNIX_EPOCH)).fault, Fault::Person, "{status}");
        }
    }

    #[test]
    fn retry_after_is_obeyed_on_429_and_503_only() {
        for (status, wish) in [(429, Some(60)), (503, Some(60)), (500, None), (301, None), (400, None)] {
            let failure = failure(decide(&reply(status, Some("60")), Timestamp::UNIX_EPOCH));
            assert_eq!(failure.wish.map(Timestamp::as_second), wish, "{status}");
        }
    }

    #[test]
    fn errors_of_the_connection_speak_for_the_consumer_and_time_outs_press() {
        for (error, class, pressure) in [
            (NetError::Resolve, "Unresolved", false),
            (NetError::Connect, "NotConnected", false),
            (NetError::Cut { sent: true }, "Cut", false),
            (NetError::Timeout { stage: Stage::Answer, sent: true }, "TimedOutWaiting", true),
            (NetError::Tls { class: TlsClass::Expired, sent: false }, "TlsExpired", false),
        ] {
            let failure = failure(decide(&Err(error.into()), Timestamp::UNIX_EPOCH));
            assert_eq!((failure.class.as_str(), failure.fault, failure.pressure), (class, Fault::Consumer, pressure));
        }
    }
}
