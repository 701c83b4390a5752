//! Trying an address as far as the handshake, to say where it fails. No request is made.

use std::time::{Duration, Instant};

use http::Uri;
use hyper_rustls::MaybeHttpsStream;
use jiff::Timestamp;
use tower::Service;
use url::Url;

use super::Settings;
use super::connect::{Connector, system_resolver};
use super::error::Error;
use super::guard::Guard;
use super::identity;
use super::tls;

/// An address that took a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// How long it took, handshake included.
    pub took: Duration,
    /// Until when its certificate is valid; none without TLS.
    pub certificate_until: Option<Timestamp>,
}

/// Connects as `settings` say, handshake included, and hangs up.
pub async fn probe(guard: Guard, ca_pem: Option<&str>, url: &Url, settings: &Settings) -> Result<Reached, Error> {
    let uri: Uri = url.as_str().parse().map_err(|_| Error::Resolve)?;
    let began = Instant::now();
    let stream = Connector::new(guard, system_resolver(), tls::config(ca_pem, None)?, settings).call(uri).await?;
    let certificate_until = match &stream {
        MaybeHttpsStream::Http(_) => None,
        MaybeHttpsStream::Https(stream) => {
            let (_, session) = stream.inner().get_ref();
            session.peer_certificates().and_then(|chain| Some(identity::validity(chain.first()?)?.1))
        }
    };
    Ok(Reached { took: began.elapsed(), certificate_until })
}
