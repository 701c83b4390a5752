//! Proof that an address is the consumer's: a signed challenge before the first delivery and whenever the address changes.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::chance::Chance;
use super::outcome::class_of;
use super::payload::{CloudEvent, Data, DeliveryId};
use super::retry::{earlier, later};
use super::sender::{Error, Why};
use crate::domain::compiled::{Delivery, Verification};
use crate::domain::event_type::EventType;
use crate::domain::pairwise::{EventId, crockford};
use crate::domain::resource::ResourceKey;
use crate::net::error::{Error as NetError, TlsClass};
use crate::store::consumer::EndpointState;

/// A challenge to send.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Its id.
    pub id: String,
    /// The text that has to come back.
    pub text: String,
    /// The body.
    pub body: Bytes,
}

/// What an answer to a challenge proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The address is the consumer's.
    Proved,
    /// It is gone for good, until somebody decides otherwise.
    Gone,
    /// Nothing yet: a condition's reason, and a message for people.
    NotProved(&'static str, String),
}

/// What changes when an address has to prove itself again.
pub fn fingerprint(delivery: &Delivery) -> String {
    let mut digest = Context::new(&SHA256);
    let verification = format!("{:?}", delivery.verification);
    for part in [delivery.url.as_str(), delivery.ca_bundle.as_deref().unwrap_or_default(), &verification] {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex::encode(digest.finish())
}

/// A new challenge.
pub fn challenge(consumer: &ResourceKey, now: Timestamp) -> Challenge {
    let id = format!("ev_{}", crockford(&EventId::random().0));
    let text = crockford(&[EventId::random().0, EventId::random().0].concat());
    let source = format!("/{}/consumersystems/{}", consumer.namespace, consumer.name);
    let data = Data { challenge: Some(text.clone()), ..Data::default() };
    let body = CloudEvent::new(&DeliveryId::single(id.clone()), &source, EventType::EndpointVerify, None, now, data)
        .into_bytes();
    Challenge { id, text, body }
}

/// Judges the answer to a challenge.
pub fn judge(answer: Result<(StatusCode, Bytes), Error>, text: &str, by: Verification) -> Verdict {
    match answer {
        Ok((StatusCode::GONE, _)) => Verdict::Gone,
        Ok((status, _)) if !status.is_success() => Verdict::NotProved(
            "Refused",
            format!("the receiver answered the challenge with status {}; it has to answer 2xx", status.as_u16()),
        ),
        Ok((_, body)) if by == Verification::Status || echoes(&body, text) => Verdict::Proved,
        Ok(_) => Verdict::NotProved(
            "WrongAnswer",
            "the receiver's answer is not {\"challenge\": \"<the text it was sent>\"}: let it return data.challenge of \
             endpoint.verify events"
                .into(),
        ),
        Err(error) => unreached(&error),
    }
}

fn unreached(error: &Error) -> Verdict {
    let error = match &error.why {
        Why::Net(error) => error,
        Why::Token(denied) => return Verdict::NotProved(NO_TOKEN, no_token(&denied.to_string())),
    };
    let (reason, advice) = match error {
        NetError::Refused { .. } => (
            "AddressRefused",
            "name its network in delivery.allowedNetworks, and have the platform allow it, or use a public address",
        ),
        NetError::Tls { class, .. } => ("TlsFailed", tls_advice(*class)),
        NetError::CaBundle => ("TlsFailed", "check delivery.caBundleRef"),
        NetError::Timeout { .. } => ("TimedOut", "check that the receiver runs and answers within delivery.timeout"),
        _ => ("Unreachable", "check delivery.url and that the receiver runs"),
    };
    Verdict::NotProved(reason, format!("{error} ({}): {advice}", class_of(error)))
}

/// Reason where there is no token that lets us in.
pub const NO_TOKEN: &str = "NoToken";

/// What to do about it.
pub fn no_token(why: &str) -> String {
    format!("{why}: check delivery.oauth2, the client in its Secret and the token endpoint")
}

fn tls_advice(class: TlsClass) -> &'static str {
    match class {
        TlsClass::NotTrusted => {
            "let the receiver send its whole chain, intermediates too, or name its authority in delivery.caBundleRef"
        }
        TlsClass::Expired => "renew the receiver's certificate, or set the clocks right",
        TlsClass::WrongName => "use a host in delivery.url that the certificate names, or another certificate",
        TlsClass::ClientCertificate => {
            "name a certificate in delivery.clientCertificateRef that the receiver accepts, or have it trust its issuer"
        }
        TlsClass::Other => "check that the receiver speaks TLS 1.2 or later at this address",
    }
}

fn echoes(body: &[u8], text: &str) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("challenge").and_then(Value::as_str) == Some(text))
}

/// How the proof of the present address stands.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Of the address that has to prove itself.
    pub fingerprint: String,
    verified: bool,
    asking: bool,
    next_at: Timestamp,
    found: EndpointState,
}

impl Endpoint {
    /// The address with this fingerprint; `proved` is the one that last did.
    pub fn new(fingerprint: String, proved: Option<&str>, now: Timestamp) -> Self {
        let verified = proved == Some(fingerprint.as_str());
        let found = if verified {
            state(true, "Verified", "the address has proved itself")
        } else {
            state(false, "Pending", "the address has yet to answer a challenge")
        };
        Self { fingerprint, verified, asking: false, next_at: now, found }
    }

    /// Whether deliveries may go there.
    pub fn is_verified(&self) -> bool {
        self.verified
    }

    /// For status.
    pub fn found(&self) -> &EndpointState {
        &self.found
    }

    /// Whether to send a challenge now; `secrets_changed`: new secrets want to be proved too.
    pub fn wants(&self, secrets_changed: bool, now: Timestamp) -> bool {
        !self.asking && (!self.verified || secrets_changed) && self.next_at <= now
    }

    /// When the next challenge is due.
    pub fn next_at(&self, secrets_changed: bool) -> Option<Timestamp> {
        (!self.asking && (!self.verified || secrets_changed)).then_some(self.next_at)
    }

    /// The clock was set back by so much: the next challenge keeps its distance.
    pub fn set_back(&mut self, by: Duration) {
        self.next_at = earlier(self.next_at, by);
    }

    /// A challenge is under way.
    pub fn asked(&mut self) {
        self.asking = true;
    }

    /// Something changed: the next challenge need not wait.
    pub fn hurry(&mut self, now: Timestamp) {
        self.next_at = self.next_at.min(now);
    }

    /// The answer. Whether the address is newly proved. One that was proved stays so: what failed then are new secrets.
    pub fn answered(&mut self, verdict: &Verdict, interval: Duration, now: Timestamp, chance: &Chance) -> bool {
        self.asking = false;
        self.next_at = later(now, chance.stretch(interval));
        match verdict {
            Verdict::Proved => {
                let newly = !self.verified;
                self.verified = true;
                self.found = state(true, "Verified", "the address has proved itself");
                newly
            }
            Verdict::Gone => {
                self.verified = false;
                self.found = state(
                    false,
                    "Gone",
                    "the receiver answered 410: change delivery.url, or touch the resource's spec once it is back",
                );
                false
            }
            Verdict::NotProved(reason, message) => {
                if !self.verified {
                    self.found = state(false, reason, message);
                }
                false
            }
        }
    }
}

fn state(verified: bool, reason: &str, message: &str) -> EndpointState {
    EndpointState { verified, reason: reason.into(), message: message.into() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::net::error::Stage;
    use crate::net::guard::Range;

    fn answer(status: u16, body: &'static str) -> Result<(StatusCode, Bytes), NetError> {
        Ok((StatusCode::from_u16(status).unwrap(), Bytes::from_static(body.as_bytes())))
    }

    fn reason(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Proved => "Proved",
            Verdict::Gone => "Gone",
            Verdict::NotProved(reason, _) => reason,
        }
    }

    #[test]
    fn only_the_same_text_at_the_top_of_a_2xx_proves_by_echo() {
        for (answer, expected) in [
            (answer(200, r#"{"challenge":"abc","more":1}"#), "Proved"),
            (answer(201, r#"{"challenge":"abc"}"#), "Proved"),
            (answer(200, r#"{"challenge":"abd"}"#), "WrongAnswer"),
            (answer(200, r#"{"data":{"challenge":"abc"}}"#), "WrongAnswer"),
            (answer(200, "abc"), "WrongAnswer"),
            (answer(200, ""), "WrongAnswer"),
            (answer(302, r#"{"challenge":"abc"}"#), "Refused"),
            (answer(401, r#"{"challenge":"abc"}"#), "Refused"),
            (answer(410, ""), "Gone"),
            (Err(NetError::Refused { range: Range::Loopback }), "AddressRefused"),
            (Err(NetError::Tls { class: TlsClass::Expired, sent: false }), "TlsFailed"),
            (Err(NetError::Timeout { stage: Stage::Answer, sent: true }), "TimedOut"),
            (Err(NetError::Resolve), "Unreachable"),
        ] {
            assert_eq!(reason(judge(answer.map_err(Error::from), "abc", Verification::Echo)), expected);
        }
        assert_eq!(reason(judge(answer(204, "").map_err(Error::from), "abc", Verification::Status)), "Proved");
        assert_eq!(reason(judge(answer(500, "").map_err(Error::from), "abc", Verification::Status)), "Refused");
    }

    #[test]
    fn a_challenge_is_an_event_without_a_person() {
        let made = challenge(&ResourceKey::new("aalborg", "acadre"), "2026-11-22T03:11:08.123Z".parse().unwrap());
        let body: Value = serde_json::from_slice(&made.body).unwrap();
        crate::delivery::tests::SCHEMAS.check(&body);
        assert_eq!(body["source"], "/aalborg/consumersystems/acadre");
        assert_eq!(body["type"], "dev.cpr-operator.endpoint.verify");
        assert_eq!(body["data"], serde_json::json!({ "challenge": made.text }));
        for absent in ["subject", "partitionkey", "sequence", "gapbefore"] {
            assert!(body.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn a_proved_address_stays_proved_when_new_secrets_are_refused() {
        let (now, chance) = (Timestamp::UNIX_EPOCH, Chance::seeded(1));
        let mut endpoint = Endpoint::new("f".into(), Some("f"), now);
        assert!(!endpoint.wants(false, now) && endpoint.wants(true, now));
        endpoint.asked();
        assert!(!endpoint.wants(true, now), "one challenge at a time");
        endpoint.answered(&Verdict::NotProved("Refused", String::new()), Duration::from_secs(60), now, &chance);
        assert!(endpoint.is_verified() && endpoint.found().verified);
        assert!(!endpoint.wants(true, now) && endpoint.wants(true, later(now, Duration::from_secs(75))));
        let mut other = Endpoint::new("g".into(), Some("f"), now);
        assert!(!other.is_verified() && other.wants(false, now));
        assert!(other.answered(&Verdict::Proved, Duration::from_secs(60), now, &chance));
    }
}
