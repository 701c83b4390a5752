//! A forward proxy: asks it by CONNECT to open the way to another host, and says why it does not.

use std::fmt;
use std::pin::pin;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::error::Error;
use super::guard::Range;

/// Why a proxy opened no way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The guard let none of its addresses through.
    Refused(Range),
    /// Its name has no address.
    Unresolved,
    /// It took no connection.
    NotTaken,
    /// It did not answer in time.
    Silent,
    /// It hung up, or what came is not HTTP.
    Protocol,
    /// It answered with this status.
    Status(u16),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(range) => write!(f, "the proxy's address is refused: it lies in a {range} range"),
            Self::Unresolved => f.write_str("the proxy's name could not be resolved"),
            Self::NotTaken => f.write_str("the proxy did not take the connection"),
            Self::Silent => f.write_str("the proxy did not answer in time"),
            Self::Protocol => f.write_str("the proxy hung up, or does not speak HTTP"),
            Self::Status(status) => write!(f, "the proxy opened no way and answered {status}: {}", hint(*status)),
        }
    }
}

/// What such a status of a proxy asks for.
fn hint(status: u16) -> &'static str {
    match status {
        407 => "it wants a user and a password, which are not sent; let it know us by our addresses",
        400..=499 => "let it allow CONNECT to this host and port",
        _ => "see whether it resolves this host's name and may connect there",
    }
}

impl From<Error> for Fault {
    /// What went wrong on the way to the proxy.
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { range } => Self::Refused(range),
            Error::Resolve => Self::Unresolved,
            _ => Self::NotTaken,
        }
    }
}

/// The connection on which whoever listens at `authority` (host and port) is spoken to, once the proxy at the end of `stream` has
/// opened the way there.
pub async fn tunnel(stream: TcpStream, authority: &str) -> Result<TcpStream, Fault> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Fault::Protocol)?;
    let request = Request::connect(authority).header(HOST, authority).body(Empty::<Bytes>::new());
    let request = request.map_err(|_| Fault::Protocol)?;
    let mut opening = pin!(async {
        let answer = sender.send_request(request).await.map_err(|_| Fault::Protocol)?;
        match answer.status() {
            StatusCode::OK => hyper::upgrade::on(answer).await.map_err(|_| Fault::Protocol),
            status => Err(Fault::Status(status.as_u16())),
        }
    });
    let opened = tokio::select! {
        opened = &mut opening => opened?,
        // The connection ends by handing itself over, which the other side then sees.
        _ = connection.with_upgrades() => opening.await?,
    };
    let parts = opened.downcast::<TokioIo<TcpStream>>().map_err(|_| Fault::Protocol)?;
    // Nobody on the other side speaks first, neither TLS nor HTTP.
    if parts.read_buf.is_empty() { Ok(parts.io.into_inner()) } else { Err(Fault::Protocol) }
}
