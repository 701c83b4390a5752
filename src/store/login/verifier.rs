//! A login's password, and what the server is told of it: a verifier (RFC 5802), so that the password is in no statement and no log.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// As the server does by itself; it is not what protects 32 random bytes.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");

/// Random bytes of a password.
const BYTES: usize = 32;

/// A password that we have made.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// A text that is no password of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no password of a worker's login")]
pub struct Unfit;

impl Password {
    /// A new random one.
    pub fn random() -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        aws_lc_rs::rand::fill(&mut bytes[..]).expect("the operating system gives random bytes");
        Self(Zeroizing::new(hex::encode(&bytes[..])))
    }

    /// One that was made before. Hexadecimal, so it is the same in an address, and needs no preparation to be hashed.
    pub fn parse(text: &str) -> Result<Self, Unfit> {
        let is_ours = text.len() == 2 * BYTES && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_ours { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(Unfit) }
    }

    /// For the worker's address.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What tells it from another, and nothing else about it.
    pub fn mark(&self) -> String {
        hex::encode(&self.derived("cpr-operator/login/mark/v1")[..8])
    }

    /// What the server keeps to verify it by: the same each time, so that databases on one server agree.
    pub(super) fn verifier(&self) -> String {
        let salt = &self.derived("cpr-operator/login/salt/v1")[..16];
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, self.0.as_bytes(), &mut salted[..]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted[..]);
        let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
        let [salt, stored, server] =
            [salt, stored.as_ref(), hmac::sign(&key, b"Server Key").as_ref()].map(|part| BASE64_STANDARD.encode(part));
        format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
    }

    fn derived(&self, purpose: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        hmac::sign(&key, purpose.as_bytes()).as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_read_back_and_shows_nowhere_else() {
        let made = Password::random();
        assert_eq!(Password::parse(made.expose()), Ok(made.clone()));
        assert_ne!(Password::random(), made);
        for text in [format!("{made:?}"), made.mark(), made.verifier()] {
            assert!(!text.contains(made.expose()), "{text}");
        }
        assert_eq!(made.verifier(), Password::parse(made.expose()).unwrap().verifier());
        assert_ne!(made.mark(), Password::random().mark());
        for bad in ["", "geheim", &"A".repeat(64), &"0".repeat(63)] {
            assert_eq!(Password::parse(bad), Err(Unfit), "{bad}");
        }
    }
}
