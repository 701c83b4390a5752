//! What can go wrong between us and another host, told without addresses, names or contents.

use std::fmt;

use super::guard::Range;
use super::proxy::Fault;

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The CA bundle holds no certificate that can be read.
    #[error("the CA bundle holds no certificate that can be read")]
    CaBundle,
    /// The guard let no address through.
    #[error("the address is refused: it lies in a {range} range")]
    Refused {
        /// The range of the first address.
        range: Range,
    },
    /// The host's name has no address.
    #[error("the host's name could not be resolved")]
    Resolve,
    /// No address took the connection.
    #[error("the connection was not taken")]
    Connect,
    /// The proxy opened no way to the host.
    #[error("{fault}")]
    Proxy {
        /// Why.
        fault: Fault,
    },
    /// The TLS handshake failed.
    #[error("TLS failed: {class}")]
    Tls {
        /// What was wrong.
        class: TlsClass,
        /// Whether bytes of the request's body may have left.
        sent: bool,
    },
    /// The deadline passed.
    #[error("timed out {stage}")]
    Timeout {
        /// While doing what.
        stage: Stage,
        /// Whether bytes of the request's body may have left.
        sent: bool,
    },
    /// The connection ended before the answer was complete.
    #[error("the connection was cut")]
    Cut {
        /// Whether bytes of the request's body may have left.
        sent: bool,
    },
    /// What came is not HTTP, or what was asked cannot be sent.
    #[error("the other side does not speak HTTP as it should")]
    Protocol {
        /// Whether bytes of the request's body may have left.
        sent: bool,
    },
}

impl Error {
    /// Whether bytes of the request's body may have left this process; true when that is not known.
    pub fn sent(&self) -> bool {
        match self {
            Self::CaBundle | Self::Refused { .. } | Self::Resolve | Self::Connect | Self::Proxy { .. } => false,
            Self::Tls { sent, .. } | Self::Timeout { sent, .. } | Self::Cut { sent } | Self::Protocol { sent } => *sent,
        }
    }
}

/// What was wrong with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsClass {
    /// The certificate leads to no authority that we trust.
    NotTrusted,
    /// The certificate is no longer, or not yet, valid.
    Expired,
    /// The certificate is another host's.
    WrongName,
    /// The other side does not take our certificate, or asks for one.
    ClientCertificate,
    /// Anything else, such as no TLS at all.
    Other,
}

impl fmt::Display for TlsClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTrusted => "the certificate's issuer is not trusted",
            Self::Expired => "the certificate is not valid at this time",
            Self::WrongName => "the certificate is for another host name",
            Self::ClientCertificate => "the other side does not accept our certificate, or that there is none",
            Self::Other => "no handshake",
        })
    }
}

/// Where a deadline found us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Resolving, connecting, or in the TLS handshake.
    Connect,
    /// Sending, or waiting for the answer's head.
    Answer,
    /// Reading the answer's body.
    Body,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "while connecting",
            Self::Answer => "while waiting for an answer",
            Self::Body => "while reading the answer",
        })
    }
}
