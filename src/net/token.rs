//! The access token of one client at one token service: fetched once for all who wait, kept, renewed before it ends.

use std::time::Duration;

use http::HeaderValue;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

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

struct State<E> {
    kept: Option<Kept>,
    failed: Option<(Instant, E)>,
}

/// Where the token is kept. `E` says why there is none.
pub struct Tokens<E> {
    state: Mutex<State<E>>,
}

impl<E> Default for Tokens<E> {
    fn default() -> Self {
        Self { state: Mutex::new(State { kept: None, failed: None }) }
    }
}

/// Whether a failure will pass, so that a token that was not refused may be used up meanwhile.
pub trait Outage {
    /// Whether the token service is away, and did not refuse.
    fn is_outage(&self) -> bool;
}

/// How long a failure answers for those who waited behind it.
const SHARED_FAILURE: Duration = Duration::from_millis(500);

/// How long after a failed renewal an unfinished token goes on being used before the next try.
const NEXT_RENEWAL: Duration = Duration::from_secs(10);

impl<E: Clone + Outage> Tokens<E> {
    /// The token, fetched with `fetch` where there is none that is good. One fetch at a time; who waits gets its outcome.
    pub async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<Bearer, E>
    where
        F: Future<Output = Result<Fresh, E>>,
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

impl<E: Clone + Outage> State<E> {
    fn keep(&mut self, fresh: Fresh) -> Bearer {
        let now = Instant::now();
        let kept = Kept { bearer: fresh.bearer, renew_at: now + fresh.life.mul_f64(0.8), ends_at: now + fresh.life };
        let bearer = kept.bearer.clone();
        *self = Self { kept: Some(kept), failed: None };
        bearer
    }

    /// A token that could not be renewed is used while it lasts.
    fn go_on_without(&mut self, error: E) -> Result<Bearer, E> {
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

impl Fresh {
    /// Reads the body of an answer that gives a token (RFC 6749, section 5.1); none where it is not understood.
    pub fn read(body: &[u8]) -> Option<Self> {
        let issued: Issued = serde_json::from_slice(body).ok()?;
        if issued.token_type.is_some_and(|type_| !type_.eq_ignore_ascii_case("bearer")) {
            return None;
        }
        let mut header = HeaderValue::try_from(format!("Bearer {}", issued.access_token)).ok()?;
        header.set_sensitive(true);
        let life = issued.expires_in.filter(|seconds| seconds.is_finite()).unwrap_or(UNSAID).clamp(5.0, 86_400.0);
        Some(Self { bearer: Bearer(header), life: Duration::from_secs_f64(life) })
    }

    /// How long it is good for.
    pub fn life(&self) -> Duration {
        self.life
    }
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: Option<f64>,
    token_type: Option<String>,
}

/// What a token lives where its life is not said, in seconds.
const UNSAID: f64 = 300.0;

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

    #[derive(Clone, Debug, PartialEq)]
    struct Down;

    impl Outage for Down {
        fn is_outage(&self) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_at_four_fifths_of_its_life() {
        let tokens = Tokens::<Down>::default();
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
        let tokens = Tokens::<Down>::default();
        tokens.get(async || Ok(fresh("one", 100))).await.ok().unwrap();
        tokio::time::advance(Duration::from_secs(85)).await;
        assert_eq!(name(&tokens.get(async || Err(Down)).await.ok().unwrap()), "one");
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(tokens.get(async || Err(Down)).await.err(), Some(Down));
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_wait_share_one_fetch_and_one_failure() {
        for outcome in [Ok(()), Err(Down)] {
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
        let tokens = Tokens::<Down>::default();
        let one = tokens.get(async || Ok(fresh("one", 100))).await.ok().unwrap();
        tokens.forget(&one).await;
        tokens.get(async || Ok(fresh("two", 100))).await.ok().unwrap();
        tokens.forget(&one).await;
        assert_eq!(name(&tokens.get(async || Ok(fresh("three", 100))).await.ok().unwrap()), "two");
    }

    #[test]
    fn a_token_of_another_type_is_not_understood() {
        let life = |body: &str| Fresh::read(body.as_bytes()).map(|fresh| fresh.life().as_secs());
        assert_eq!(life(r#"{"access_token":"a","expires_in":120,"token_type":"bearer"}"#), Some(120));
        assert_eq!(life(r#"{"access_token":"a"}"#), Some(300));
        for body in ["", "[]", "{}", r#"{"access_token":"a\nb"}"#, r#"{"access_token":"a","token_type":"mac"}"#] {
            assert_eq!(life(body), None, "{body}");
        }
    }
}
