//! The access token: fetched once for all who wait, kept, renewed before it ends.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::net::client::Answer;

use super::Credentials;
use super::answer::by_status;
use super::error::{Error, not_understood};

/// A token as it is sent. Hidden from Debug.
#[derive(Clone, PartialEq)]
pub struct Bearer(HeaderValue);

impl Bearer {
    /// The value of the `Authorization` header.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

struct Kept {
    bearer: Bearer,
    renew_at: Instant,
    ends_at: Instant,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    failed: Option<(Instant, Error)>,
}

/// Where the token is kept.
#[derive(Default)]
pub struct Tokens {
    state: Mutex<State>,
}

/// How long a failure answers for those who waited behind it.
const SHARED_FAILURE: Duration = Duration::from_millis(500);

/// How long after a failed renewal an unfinished token goes on being used before the next try.
const NEXT_RENEWAL: Duration = Duration::from_secs(10);

impl Tokens {
    /// The token, fetched with `fetch` where there is none that is good. One fetch at a time; who waits gets its outcome.
    pub async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<Bearer, Error>
    where
        F: Future<Output = Result<Fresh, Error>>,
    {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(kept) = state.kept.as_ref().filter(|kept| now < kept.renew_at) {
            return Ok(kept.bearer.clone());
        }
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| asked <= *at && now < *at + SHARED_FAILURE) {
            return Err(error.clone());
        }
        match fetch().await {
            Ok(fresh) => Ok(state.keep(fresh)),
            Err(error) => state.go_on_without(error),
        }
    }

    /// Forgets a token that was not accepted, unless it was replaced since.
    pub async fn forget(&self, refused: &Bearer) {
        let mut state = self.state.lock().await;
        if state.kept.as_ref().is_some_and(|kept| kept.bearer == *refused) {
            state.kept = None;
        }
    }
}

impl State {
    fn keep(&mut self, fresh: Fresh) -> Bearer {
        let now = Instant::now();
        let kept = Kept { bearer: fresh.bearer, renew_at: now + fresh.life.mul_f64(0.8), ends_at: now + fresh.life };
        let bearer = kept.bearer.clone();
        *self = State { kept: Some(kept), failed: None };
        bearer
    }

    /// A token that could not be renewed is used while it lasts.
    fn go_on_without(&mut self, error: Error) -> Result<Bearer, Error> {
        let now = Instant::now();
        if let Some(kept) = self.kept.as_mut().filter(|kept| now < kept.ends_at && error.is_outage()) {
            kept.renew_at = now + NEXT_RENEWAL;
            return Ok(kept.bearer.clone());
        }
        self.failed = Some((now, error.clone()));
        Err(error)
    }
}

/// A token that was just fetched.
pub struct Fresh {
    bearer: Bearer,
    life: Duration,
}

/// The request for a token.
pub fn request(url: &str, credentials: &Credentials) -> Result<Request<Bytes>, Error> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", credentials.client_id.expose_secret())
        .append_pair("client_secret", credentials.client_secret.expose_secret())
        .finish();
    Request::post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(Bytes::from(form))
        .map_err(|_| Error::Address)
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: Option<f64>,
}

/// What a token lives where its life is not said, in seconds.
const UNSAID: f64 = 300.0;

/// Reads the answer to a request for a token.
pub fn read(answer: &Answer, now: Timestamp) -> Result<Fresh, Error> {
    if !answer.status.is_success() {
        return Err(match by_status(answer, now) {
            Error::QueryRefused { code, .. } => Error::CredentialsWrong { code, perhaps_address: false },
            other => other,
        });
    }
    let issued: Option<Issued> = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == StatusCode::OK);
    let issued = issued.ok_or(not_understood("a token"))?;
    let header = HeaderValue::try_from(format!("Bearer {}", issued.access_token));
    let mut header = header.map_err(|_| not_understood("a token"))?;
    header.set_sensitive(true);
    let life = issued.expires_in.filter(|seconds| seconds.is_finite()).unwrap_or(UNSAID).clamp(5.0, 86_400.0);
    Ok(Fresh { bearer: Bearer(header), life: Duration::from_secs_f64(life) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn fresh(name: &str, seconds: u64) -> Fresh {
        let bearer = Bearer(HeaderValue::try_from(name).unwrap());
        Fresh { bearer, life: Duration::from_secs(seconds) }
    }

    fn name(bearer: &Bearer) -> String {
        bearer.header().to_str().unwrap().to_owned()
    }

    fn down() -> Error {
        Error::Down { class: super::super::error::Down::Timeout }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_at_four_fifths_of_its_life() {
        let tokens = Tokens::default();
        tokens.get(async || Ok(fresh("one", 100))).await.ok().unwrap();
        tokio::time::advance(Duration::from_secs(79)).await;
        let kept = tokens.get(async || Ok(fresh("two", 100))).await.ok().unwrap();
        assert_eq!(name(&kept), "one");
        tokio::time::advance(Duration::from_secs(2)).await;
        let renewed = tokens.get(async || Ok(fresh("two", 100))).await.ok().unwrap();
        assert_eq!(name(&renewed), "two");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_fails_uses_up_the_token_first() {
        let tokens = Tokens::default();
        tokens.get(async || Ok(fresh("one", 100))).await.ok().unwrap();
        tokio::time::advance(Duration::from_secs(85)).await;
        assert_eq!(name(&tokens.get(async || Err(down())).await.ok().unwrap()), "one");
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(tokens.get(async || Err(down())).await.err(), Some(down()));
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_wait_share_one_fetch_and_one_failure() {
        for outcome in [Ok(()), Err(down())] {
            let (tokens, fetches) = (Tokens::default(), AtomicU32::new(0));
            let ask = || {
                tokens.get(async || {
                    fetches.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    outcome.clone().map(|()| fresh("one", 100))
                })
            };
            let all = futures::future::join_all((0..20).map(|_| ask())).await;
            assert!(all.iter().all(|one| one.is_ok() == outcome.is_ok()));
            assert_eq!(fetches.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test]
    async fn only_the_refused_token_is_forgotten() {
        let tokens = Tokens::default();
        let one = tokens.get(async || Ok(fresh("one", 100))).await.ok().unwrap();
        tokens.forget(&one).await;
        tokens.get(async || Ok(fresh("two", 100))).await.ok().unwrap();
        tokens.forget(&one).await;
        assert_eq!(name(&tokens.get(async || Ok(fresh("three", 100))).await.ok().unwrap()), "two");
    }

    #[test]
    fn answers_of_the_token_service_are_told_apart() {
        let read = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, headers: Default::default(), body: body.to_owned().into(), truncated: false };
            read(&answer, Timestamp::UNIX_EPOCH).map(|fresh| fresh.life.as_secs())
        };
        assert_eq!(read(200, r#"{"access_token":"a.b.c","expires_in":120,"token_type":"Bearer"}"#), Ok(120));
        assert_eq!(read(200, r#"{"access_token":"a.b.c"}"#), Ok(300));
        assert_eq!(read(200, r#"{"access_token":"a.b.c","expires_in":0}"#), Ok(5));
        for body in ["", "{}", r#"{"access_token":"a\nb"}"#, r#"{"access_token":1}"#] {
            assert!(matches!(read(200, body), Err(Error::NotUnderstood { .. })), "{body}");
        }
        for status in [400, 401] {
            let wrong = read(status, r#"{"error":"invalid_client","error_description":"6101800001"}"#).unwrap_err();
            assert!(wrong.to_string().contains("invalid_client") && !wrong.to_string().contains("6101800001"));
            assert!(matches!(wrong, Error::CredentialsWrong { perhaps_address: false, .. }));
        }
        assert_eq!(read(404, ""), Err(Error::UnknownService));
        assert!(matches!(read(502, ""), Err(Error::Down { .. })));
    }
}
