//! What every request carries: who calls, and which resource is meant.

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts, Path};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::serve::IncomingStream;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::net::UnixListener;

use super::Problem;
use super::who::Caller;
use crate::domain::resource::ResourceKey;

/// The user at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer(Option<u32>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer.uid()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let token = match parts.headers.get(AUTHORIZATION) {
            None => None,
            Some(value) => {
                let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
                let malformed = || Problem::Unknown("the header authorization must hold a bearer token".to_owned());
                Some(SecretString::from(token.ok_or_else(malformed)?))
            }
        };
        let user = parts.extensions.get::<ConnectInfo<Peer>>().and_then(|ConnectInfo(Peer(user))| *user);
        Ok(Self { token, user })
    }
}

/// The resource that a path names.
#[derive(Clone, Debug, Deserialize)]
struct Named {
    namespace: String,
    name: String,
}

/// The resource that a path names.
pub struct Of(pub ResourceKey);

impl<S: Send + Sync> FromRequestParts<S> for Of {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<Named>::from_request_parts(parts, state).await;
        let Path(Named { namespace, name }) = named.map_err(|error| Problem::Invalid(error.to_string()))?;
        Ok(Self(ResourceKey::new(namespace, name)))
    }
}
