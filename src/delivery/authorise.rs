//! Tokens for a consumer's deliveries: OAuth2 client credentials (RFC 6749, section 4.4), asked for once for all who wait.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::credentials::OAuthClient;
use super::metrics::Metrics;
use super::outcome::class_of;
use crate::domain::compiled::OAuth2;
use crate::domain::resource::ResourceKey;
use crate::net;
use crate::net::client::{Answer, Client};
use crate::net::token::{Bearer, Fresh, Outage, Tokens};

/// How long a token endpoint may take. It is not a part of a delivery's time, or a slow one would be asked anew by each.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The token endpoint was not reached.
    #[error("the token endpoint was not reached: {0}")]
    Unreached(net::error::Error),
    /// It refuses the client, or what is asked for it.
    #[error("the token endpoint refuses ({code})")]
    Refused {
        /// Its word, where that is one of the standard's; else `status 4xx`.
        code: &'static str,
    },
    /// It failed.
    #[error("the token endpoint answered with status {0}")]
    Failed(u16),
    /// Its answer is not what the standard says.
    #[error("the token endpoint's answer holds no bearer token")]
    NotUnderstood,
}

impl Denied {
    /// Class of the error, for people and metrics.
    pub fn class(&self) -> String {
        match self {
            Self::Unreached(error) => format!("Token{}", class_of(error)),
            Self::Refused { .. } => "TokenRefused".to_owned(),
            Self::Failed(status) => format!("TokenHttp{status}"),
            Self::NotUnderstood => "TokenNotUnderstood".to_owned(),
        }
    }
}

/// Whether a class of error is one of [`Denied`].
pub fn is_of_token(class: &str) -> bool {
    class.starts_with("Token")
}

impl Outage for Denied {
    fn is_outage(&self) -> bool {
        matches!(self, Self::Unreached(_) | Self::Failed(_))
    }
}

/// Gets tokens for one consumer.
pub struct Authoriser {
    client: Client,
    request: Request<Bytes>,
    tokens: Tokens<Denied>,
    metrics: Metrics,
    consumer: ResourceKey,
}

impl Authoriser {
    /// For a consumer, with its endpoint and the client that it knows. None where no request can be made of them.
    pub fn new(
        client: Client,
        endpoint: &OAuth2,
        credentials: &OAuthClient,
        metrics: &Metrics,
        consumer: &ResourceKey,
    ) -> Option<Self> {
        let request = request(endpoint, credentials)?;
        let (metrics, consumer) = (metrics.clone(), consumer.clone());
        Some(Self { client, request, tokens: Tokens::default(), metrics, consumer })
    }

    /// A token that is good still.
    pub async fn bearer(&self) -> Result<Bearer, Denied> {
        self.tokens.get(|| self.fetch()).await
    }

    /// The receiver did not take a token: another is asked for next, unless that has been done since.
    pub async fn forget(&self, refused: &Bearer) {
        self.tokens.forget(refused).await;
    }

    async fn fetch(&self) -> Result<Fresh, Denied> {
        let answer = self.client.send(self.request.clone(), PATIENCE, MAX_ANSWER).await;
        let fresh = answer.map_err(Denied::Unreached).and_then(|answer| read(&answer));
        let outcome = fresh.as_ref().err().map_or_else(|| "Issued".to_owned(), Denied::class);
        self.metrics.asked_for_token(&self.consumer, &outcome);
        if let Err(denied) = &fresh {
            tracing::warn!(consumer = %self.consumer, class = outcome, %denied, "there is no token for deliveries");
        }
        fresh
    }
}

fn request(endpoint: &OAuth2, credentials: &OAuthClient) -> Option<Request<Bytes>> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    for (name, value) in [("scope", &endpoint.scope), ("audience", &endpoint.audience)] {
        if let Some(value) = value {
            form.append_pair(name, value);
        }
    }
    // Each is encoded before both are put together (section 2.3.1).
    let encoded =
        |secret: &secrecy::SecretString| byte_serialize(secret.expose_secret().as_bytes()).collect::<String>();
    let basic = format!("{}:{}", encoded(&credentials.id), encoded(&credentials.secret));
    let mut basic = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(basic))).ok()?;
    basic.set_sensitive(true);
    Request::post(endpoint.token_url.as_str())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, basic)
        .body(Bytes::from(form.finish()))
        .ok()
}

fn read(answer: &Answer) -> Result<Fresh, Denied> {
    match answer.status {
        StatusCode::OK if answer.truncated => Err(Denied::NotUnderstood),
        StatusCode::OK => Fresh::read(&answer.body).ok_or(Denied::NotUnderstood),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(Denied::Failed(answer.status.as_u16())),
        status if status.is_client_error() => Err(Denied::Refused { code: code(&answer.body) }),
        status => Err(Denied::Failed(status.as_u16())),
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// The standard's word in the answer (section 5.2); any other text of theirs is not repeated.
fn code(body: &[u8]) -> &'static str {
    const CODES: [&str; 6] = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ];
    let said = serde_json::from_slice::<Refusal>(body).ok();
    said.and_then(|said| CODES.into_iter().find(|code| *code == said.error)).unwrap_or("without a reason")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn id_and_secret_are_encoded_and_hidden() {
        let endpoint = OAuth2 {
            token_url: "https://login.example.org/token".parse().unwrap(),
            scope: Some("events write".into()),
            audience: None,
        };
        let client = OAuthClient { id: "a:b".into(), secret: "c d+æ".into() };
        let request = request(&endpoint, &client).unwrap();
        assert_eq!(request.body(), "grant_type=client_credentials&scope=events+write");
        let basic = request.headers()[AUTHORIZATION].to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(BASE64_STANDARD.decode(basic).unwrap(), b"a%3Ab:c+d%2B%C3%A6");
        assert!(!format!("{request:?} {client:?}").contains("c d"));
        assert!(!format!("{request:?}").contains(basic));
    }

    #[test]
    fn answers_are_told_apart_and_their_text_is_not_repeated() {
        let read = |status: u16, body: &str, truncated| {
            let status = StatusCode::from_u16(status).unwrap();
            read(&Answer { status, headers: Default::default(), body: body.to_owned().into(), truncated })
                .map(|fresh| fresh.life().as_secs())
        };
        let good = r#"{"access_token":"a","token_type":"Bearer","expires_in":60}"#;
        assert_eq!(read(200, good, false), Ok(60));
        assert_eq!(read(200, good, true), Err(Denied::NotUnderstood));
        assert_eq!(read(200, "<html>", false), Err(Denied::NotUnderstood));
        assert_eq!(read(401, r#"{"error":"invalid_client"}"#, false), Err(Denied::Refused { code: "invalid_client" }));
        let canary = read(400, r#"{"error":"6101800001"}"#, false).unwrap_err();
        assert!(!canary.to_string().contains("6101800001"));
        for status in [301, 429, 500, 503] {
            assert_eq!(read(status, good, false), Err(Denied::Failed(status)));
        }
    }
}
