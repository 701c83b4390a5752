//! Signing secrets of consumers in their written form, `whsec_` and base64.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// One secret by which deliveries are signed.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

/// Why a text is no signing secret. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASecret {
    /// The prefix is missing.
    #[error("must begin with whsec_")]
    Prefix,
    /// What follows is not base64.
    #[error("must be base64 after whsec_")]
    Base64,
    /// Too few or too many bytes.
    #[error("must hold 24 to 64 bytes after whsec_")]
    Length,
}

impl SigningSecret {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes; white space around it is left out.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(NotASecret::Prefix)?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| NotASecret::Base64)?);
        if !(24..=64).contains(&bytes.len()) {
            return Err(NotASecret::Length);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The `v1` signature of an id, a time in seconds and a body, in base64.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        BASE64_STANDARD.encode(mac.sign())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_secrets_are_named_for_what_is_wrong() {
        let long_enough = BASE64_STANDARD.encode([7; 32]);
        assert!(SigningSecret::parse(&format!("whsec_{long_enough}\n")).is_ok());
        assert_eq!(SigningSecret::parse(&long_enough).err(), Some(NotASecret::Prefix));
        assert_eq!(SigningSecret::parse("whsec_%%%").err(), Some(NotASecret::Base64));
        assert_eq!(SigningSecret::parse("whsec_AAAA").err(), Some(NotASecret::Length));
        assert_eq!(SigningSecret::parse("whsec_").err(), Some(NotASecret::Length));
    }

    #[test]
    fn the_official_library_accepts_the_signature() {
        let text = format!("whsec_{}", BASE64_STANDARD.encode([9; 32]));
        let secret = SigningSecret::parse(&text).expect("well-formed");
        let now = jiff::Timestamp::now().as_second();
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", http::HeaderValue::from_static("ev_1"));
        headers.insert("webhook-timestamp", http::HeaderValue::from(now));
        let signature = format!("v1,{}", secret.sign("ev_1", now, b"{}"));
        headers.insert("webhook-signature", http::HeaderValue::from_str(&signature).expect("ASCII"));
        let theirs = standardwebhooks::Webhook::new(&text).expect("well-formed");
        assert!(theirs.verify(b"{}", &headers).is_ok());
        assert!(theirs.verify(b"{ }", &headers).is_err());
    }
}
