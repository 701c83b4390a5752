//! Random ids of ours, and the pairwise ids under which one consumer knows persons and events.

use std::fmt;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use super::event_type::EventType;

/// Sixteen random bytes from the operating system.
fn random16() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Our own random name of one person of one authority and environment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// A new random record.
    pub fn random() -> Self {
        Self(random16())
    }

    /// The shard of a consumer's routes that holds this person: the first four bits, 0–15.
    pub fn shard(self) -> u8 {
        self.0[0] >> 4
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordId(…)")
    }
}

/// Our own random name of one stored event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// A new random event id.
    pub fn random() -> Self {
        Self(random16())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({})", hex::encode(self.0))
    }
}

/// The secret by which one consumer's references and event ids are computed.
#[derive(Clone)]
pub struct ConsumerKey(hmac::Key);

impl ConsumerKey {
    /// The key with these random bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The id under which this consumer knows a person: `p_` and 26 characters.
    pub fn reference(&self, record: RecordId) -> String {
        format!("p_{}", self.encoded("cpr-operator/reference/v1", &[&record.0]))
    }

    /// The id of one delivery to this consumer: `ev_` and 26 characters, the same in every attempt.
    pub fn delivery_id(&self, event: EventId, type_: EventType) -> String {
        format!("ev_{}", self.encoded("cpr-operator/event/v1", &[&event.0, type_.name().as_bytes()]))
    }

    /// The id of a delivery that was asked for by the replay with this number; none for the first delivery.
    pub fn replay_id(&self, event: EventId, type_: EventType, replay: Option<i64>) -> String {
        match replay {
            Some(number) => {
                let parts: [&[u8]; 4] = [&event.0, type_.name().as_bytes(), &[0], &number.to_be_bytes()];
                format!("ev_{}", self.encoded("cpr-operator/event/v1", &parts))
            }
            None => self.delivery_id(event, type_),
        }
    }

    fn encoded(&self, label: &str, parts: &[&[u8]]) -> String {
        let mut mac = hmac::Context::with_key(&self.0);
        mac.update(label.as_bytes());
        mac.update(&[0]);
        parts.iter().for_each(|part| mac.update(part));
        crockford(&mac.sign().as_ref()[..16])
    }
}

impl fmt::Debug for ConsumerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsumerKey(…)")
    }
}

/// Lower-case Crockford base32, most significant bit first, the last digit padded with zero bits.
pub fn crockford(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(DIGITS[(buffer >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(DIGITS[(buffer << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bytes_are_twenty_six_characters() {
        assert_eq!(crockford(&[0; 16]), "0".repeat(26));
        assert_eq!(crockford(&[0xff; 16]), format!("{}w", "z".repeat(25)));
        assert_eq!(crockford(b"f"), "cr");
    }

    #[test]
    fn two_consumers_share_no_id() {
        let (one, two) = (ConsumerKey::new(&[1; 32]), ConsumerKey::new(&[2; 32]));
        let (record, event) = (RecordId([7; 16]), EventId([7; 16]));
        assert_ne!(one.reference(record), two.reference(record));
        assert_eq!(one.reference(record), one.reference(record));
        assert_ne!(one.delivery_id(event, EventType::MovedIn), two.delivery_id(event, EventType::MovedIn));
        assert_ne!(one.delivery_id(event, EventType::MovedIn), one.delivery_id(event, EventType::ScopeEntered));
        assert_ne!(one.reference(record)[2..], one.delivery_id(event, EventType::MovedIn)[3..]);
    }

    /// Computed with another implementation of HMAC-SHA-256: receivers keep these ids, so they never change.
    #[test]
    fn ids_are_these_for_ever() {
        let (key, event) = (ConsumerKey::new(&[1; 32]), EventId([7; 16]));
        assert_eq!(key.reference(RecordId([7; 16])), "p_94qpz6pa9v1z9wp9x57p1kk984");
        assert_eq!(key.delivery_id(event, EventType::MovedIn), "ev_56rmgftnek6ecw8vttj0x3t9f0");
        assert_eq!(key.replay_id(event, EventType::MovedIn, None), "ev_56rmgftnek6ecw8vttj0x3t9f0");
        assert_eq!(key.replay_id(event, EventType::MovedIn, Some(3)), "ev_a1b8jzhp6w1gedjwb70b70kg4g");
        assert_ne!(key.replay_id(event, EventType::MovedIn, Some(4)), "ev_a1b8jzhp6w1gedjwb70b70kg4g");
    }
}
