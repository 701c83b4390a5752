//! Changing signing secrets without a delivery that the receiver cannot verify. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::credentials::SigningKeys;
use super::retry::{between, earlier};
use crate::domain::signing::SigningSecret;

/// The secrets that sign now: the present ones and, for a while, those before them. Old ones live here only.
#[derive(Clone, Debug, Default)]
pub struct Signers {
    present: Option<SigningKeys>,
    old: Vec<SigningSecret>,
    changed_at: Option<Timestamp>,
}

impl Signers {
    /// Takes what the book has now. Whether a changed set now has to be proved with a challenge.
    pub fn take(&mut self, keys: Option<SigningKeys>, now: Timestamp) -> bool {
        let same = self.present.as_ref().map(|k| &k.fingerprint) == keys.as_ref().map(|k| &k.fingerprint);
        if same {
            return false;
        }
        let before = std::mem::replace(&mut self.present, keys);
        let Some(before) = before.filter(|_| self.present.is_some()) else {
            self.forget_old();
            return false;
        };
        self.old.splice(0..0, before.secrets);
        self.changed_at = Some(now);
        true
    }

    /// Whether the receiver has yet to accept the present secrets; the old ones sign too until then.
    pub fn is_changing(&self) -> bool {
        self.changed_at.is_some()
    }

    /// The receiver accepted a challenge signed with the set of this fingerprint alone. One signed with the old secrets too
    /// would prove nothing: a receiver that knows only those accepts it.
    pub fn accepted(&mut self, fingerprint: &str) {
        if self.fingerprint() == fingerprint {
            self.forget_old();
        }
    }

    /// Of the present set; empty while there is none.
    pub fn fingerprint(&self) -> &str {
        self.present.as_ref().map_or("", |keys| &keys.fingerprint)
    }

    /// Whether there is no secret to sign with.
    pub fn is_empty(&self) -> bool {
        self.present.as_ref().is_none_or(|keys| keys.secrets.is_empty())
    }

    /// Lets the old secrets go when their time has passed.
    pub fn expire(&mut self, overlap: Duration, now: Timestamp) {
        if self.changed_at.is_some_and(|at| between(at, now) >= overlap) {
            self.forget_old();
        }
    }

    /// The clock was set back by so much.
    pub fn set_back(&mut self, by: Duration) {
        self.changed_at = self.changed_at.map(|at| earlier(at, by));
    }

    /// Every secret that signs now, the present ones first; none while the Secret is missing: nothing goes out unsigned.
    pub fn secrets(&self) -> Vec<SigningSecret> {
        let Some(present) = &self.present else { return Vec::new() };
        present.secrets.iter().chain(&self.old).cloned().collect()
    }

    /// The present secrets alone, to ask the receiver whether it knows them.
    pub fn present(&self) -> Vec<SigningSecret> {
        self.present.as_ref().map(|keys| keys.secrets.clone()).unwrap_or_default()
    }

    fn forget_old(&mut self) {
        self.old.clear();
        self.changed_at = None;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    fn keys(bytes: &[u8]) -> Option<SigningKeys> {
        let secret = |b: &u8| SigningSecret::parse(&format!("whsec_{}", BASE64_STANDARD.encode([*b; 32]))).unwrap();
        Some(SigningKeys { secrets: bytes.iter().map(secret).collect(), fingerprint: format!("{bytes:?}") })
    }

    fn signatures(signers: &Signers) -> Vec<String> {
        signers.secrets().iter().map(|s| s.sign("ev_1", 0, b"")).collect()
    }

    #[test]
    fn old_secrets_sign_beside_new_ones_until_those_are_accepted() {
        let mut signers = Signers::default();
        assert!(signers.secrets().is_empty());
        assert!(!signers.take(keys(&[1]), Timestamp::UNIX_EPOCH), "the first set needs no proof of its own");
        let first = signatures(&signers);
        assert!(signers.take(keys(&[2, 3]), Timestamp::UNIX_EPOCH));
        assert!(!signers.take(keys(&[2, 3]), Timestamp::UNIX_EPOCH));
        assert_eq!(signatures(&signers).len(), 3);
        assert_eq!(signatures(&signers).last(), first.last());
        signers.accepted("[1]");
        assert!(signers.is_changing(), "an answer to an older challenge proves nothing");
        signers.accepted("[2, 3]");
        assert_eq!(signatures(&signers).len(), 2);
    }

    #[test]
    fn old_secrets_go_after_their_time_and_with_a_missing_secret() {
        let (day, mut signers) = (Duration::from_secs(86_400), Signers::default());
        signers.take(keys(&[1]), Timestamp::UNIX_EPOCH);
        signers.take(keys(&[2]), Timestamp::UNIX_EPOCH);
        signers.expire(day, Timestamp::from_second(86_399).unwrap());
        assert!(signers.is_changing());
        signers.expire(day, Timestamp::from_second(86_400).unwrap());
        assert_eq!((signers.is_changing(), signers.secrets().len()), (false, 1));
        signers.take(keys(&[3]), Timestamp::UNIX_EPOCH);
        signers.take(None, Timestamp::UNIX_EPOCH);
        assert!(signers.secrets().is_empty());
        signers.take(keys(&[4]), Timestamp::UNIX_EPOCH);
        assert_eq!(signers.secrets().len(), 1);
    }
}
