//! Access tokens: given for the right secret, good for a while, and until they are revoked.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

/// Who may have tokens, and how they are made.
#[derive(Debug)]
pub(super) struct Tokens {
    client_id: String,
    lifetime: Duration,
    key: hmac::Key,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    secret: String,
    /// Tokens of earlier generations are not good any more.
    generation: u64,
}

impl Tokens {
    pub(super) fn new(client_id: String, secret: String, lifetime: Duration, seed: u64) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &seed.to_be_bytes());
        Self { client_id, lifetime, key, state: Mutex::new(State { secret, generation: 1 }) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on only `secret` gets a token. Tokens given before stay good.
    pub(super) fn set_secret(&self, secret: &str) {
        secret.clone_into(&mut self.state().secret);
    }

    /// No token given so far is good any more.
    pub(super) fn revoke(&self) {
        self.state().generation += 1;
    }

    /// The token service's answer to a pair of id and secret; none where they are wrong.
    pub(super) fn grant(&self, client_id: &str, secret: &str, now: Timestamp) -> Option<Value> {
        let state = self.state();
        if client_id != self.client_id || secret != state.secret {
            return None;
        }
        let expires = now + self.lifetime;
        let claims = json!({ "azp": client_id, "exp": expires.as_millisecond(), "gen": state.generation });
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, signed.as_bytes()));
        Some(json!({
            "access_token": format!("{signed}.{signature}"), "expires_in": self.lifetime.as_secs(),
            "refresh_expires_in": 0, "token_type": "Bearer", "not-before-policy": 0, "scope": "",
        }))
    }

    /// Whether a token is one of ours and still good.
    pub(super) fn accepts(&self, token: &str, now: Timestamp) -> bool {
        self.claims(token).is_some_and(|claims| {
            let unexpired = claims["exp"].as_i64().is_some_and(|expires| now.as_millisecond() < expires);
            unexpired && claims["gen"].as_u64() == Some(self.state().generation)
        })
    }

    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn granted(tokens: &Tokens, now: Timestamp) -> String {
        tokens.grant("id", "secret", now).unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_is_good_until_it_expires_or_is_revoked() {
        let tokens = Tokens::new("id".to_owned(), "secret".to_owned(), Duration::from_secs(300), 1);
        let now = Timestamp::UNIX_EPOCH;
        let token = granted(&tokens, now);
        assert!(tokens.accepts(&token, now + Duration::from_secs(299)));
        assert!(!tokens.accepts(&token, now + Duration::from_secs(300)));
        assert!(!tokens.accepts("a.b.c", now) && !tokens.accepts(&format!("{token}A"), now));
        tokens.revoke();
        assert!(!tokens.accepts(&token, now) && tokens.accepts(&granted(&tokens, now), now));
    }

    #[test]
    fn a_changed_secret_ends_the_old_one() {
        let tokens = Tokens::new("id".to_owned(), "secret".to_owned(), Duration::from_secs(300), 1);
        let before = granted(&tokens, Timestamp::UNIX_EPOCH);
        tokens.set_secret("another");
        assert!(tokens.grant("id", "secret", Timestamp::UNIX_EPOCH).is_none());
        assert!(tokens.grant("id", "another", Timestamp::UNIX_EPOCH).is_some());
        assert!(tokens.accepts(&before, Timestamp::UNIX_EPOCH));
    }
}
