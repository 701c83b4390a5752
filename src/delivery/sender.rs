//! The way to a consumer: its own connections, and what it takes to be let in there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use jiff::Timestamp;

use super::authorise::{Authoriser, Denied};
use super::credentials::Access;
use super::metrics::Metrics;
use crate::domain::compiled::Consumer;
use crate::net;
use crate::net::client::{Answer, Client};
use crate::net::guard::Guard;

/// How much of an answer is read; beyond that the connection is dropped.
const MAX_ANSWER: usize = 64 * 1024;

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Error {
    /// What went wrong.
    pub why: Why,
    /// Whether bytes of the request's body may have left this process; true when that is not known.
    pub sent: bool,
}

/// What went wrong before there was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The receiver was not reached.
    #[error(transparent)]
    Net(#[from] net::error::Error),
    /// There is no token that would let us in.
    #[error(transparent)]
    Token(#[from] Denied),
}

impl From<net::error::Error> for Error {
    fn from(error: net::error::Error) -> Self {
        Self { why: error.into(), sent: error.sent() }
    }
}

/// Why there is no way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The CA bundle cannot be used.
    #[error(transparent)]
    Net(#[from] net::error::Error),
    /// The Secret for OAuth2, or with the client certificate, was not handed over.
    #[error("the Secret of delivery.oauth2 or delivery.clientCertificateRef cannot be used yet: see SecretsResolved")]
    NoAccess,
}

/// The way to one consumer. Clones share connections and token.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    authoriser: Option<Arc<Authoriser>>,
    /// Until when the certificate that is shown is valid.
    pub certificate_until: Option<Timestamp>,
}

impl Sender {
    /// The way to a consumer whose addresses `platform` and its own ranges open.
    pub fn new(
        consumer: &Consumer,
        access: Option<&Access>,
        platform: &[ipnet::IpNet],
        metrics: &Metrics,
    ) -> Result<Self, Unusable> {
        let delivery = &consumer.delivery;
        let identity = access.and_then(|access| access.identity.as_ref()).filter(|_| delivery.client_certificate);
        if delivery.client_certificate && identity.is_none() {
            return Err(Unusable::NoAccess);
        }
        let guard = Guard::new(platform.to_vec(), delivery.allowed_networks.clone());
        let ca = delivery.ca_bundle.as_deref();
        let kept = net::Settings { idle_per_host: delivery.max_in_flight as usize, ..Default::default() };
        let client = Client::presenting(identity, guard.clone(), ca, &kept)?;
        let authoriser = match &delivery.oauth2 {
            None => None,
            Some(endpoint) => {
                let known = access.and_then(|access| access.oauth.as_ref()).ok_or(Unusable::NoAccess)?;
                // The certificate is for the receiver alone.
                let client = Client::new(guard, ca, &net::Settings::default())?;
                let made = Authoriser::new(client, endpoint, known, metrics, &consumer.key);
                Some(Arc::new(made.ok_or(Unusable::NoAccess)?))
            }
        };
        Ok(Self { client, authoriser, certificate_until: identity.map(|identity| identity.not_after) })
    }

    /// One request and its answer, no longer than `timeout` once there is a token. A token that is not taken is renewed once, and
    /// the request sent once more.
    pub async fn post(&self, request: Request<Bytes>, timeout: Duration) -> Result<Answer, Error> {
        let Some(authoriser) = &self.authoriser else {
            return Ok(self.client.send(request, timeout, MAX_ANSWER).await?);
        };
        let first = self.authorised(authoriser, request.clone(), timeout).await?;
        if first.status != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        let again = self.authorised(authoriser, request, timeout).await;
        again.map_err(|error| Error { sent: true, ..error })
    }

    async fn authorised(
        &self,
        authoriser: &Authoriser,
        mut request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Answer, Error> {
        let bearer = authoriser.bearer().await.map_err(|denied| Error { why: denied.into(), sent: false })?;
        request.headers_mut().insert(AUTHORIZATION, bearer.header());
        let answer = self.client.send(request, timeout, MAX_ANSWER).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            authoriser.forget(&bearer).await;
        }
        Ok(answer)
    }
}
