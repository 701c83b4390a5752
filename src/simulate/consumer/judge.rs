//! What the consumer thinks of each delivery, and the sum of it.

use std::collections::HashMap;
use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::contract::Said;

/// A request that arrived.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// When, by the machine's clock.
    pub at: Timestamp,
    /// The event's id.
    pub id: String,
    /// The type without its prefix.
    pub kind: String,
    /// The person, as this consumer knows them.
    pub reference: Option<String>,
    /// The delivery's number.
    pub sequence: Option<u64>,
    /// Whether the delivery says that it was asked for again.
    pub replayed: bool,
    /// The whole event.
    pub body: Value,
    /// SHA-256 of the body's bytes, in hexadecimal.
    pub body_sha256: String,
    /// Whether one of the secrets fits the signature.
    pub signature_valid: bool,
    /// Which of the secrets fit, by their place among those given.
    pub verified_by: Vec<usize>,
    /// How many signatures there were.
    pub signatures: usize,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The `user-agent` header.
    pub user_agent: Option<String>,
    /// What the contract does not allow, in words.
    pub malformed: Vec<String>,
    /// Whether it was answered with success, so that it need not come again.
    pub accepted: bool,
    /// The instant before which the answer asked not to be called again, if it did.
    pub not_before: Option<Timestamp>,
    /// Whether an event with this id was accepted before.
    pub duplicate: bool,
    /// Whether its sequence is not above the last accepted of this person. Duplicates and replays never are.
    pub out_of_order: bool,
}

/// The sum of what arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Every request, whatever became of it.
    pub requests: u64,
    /// Verified, understood and answered with success; challenges are not among them.
    pub accepted: u64,
    /// Challenges, however they were answered.
    pub challenges: u64,
    /// No secret fits, or the signature is missing or too old.
    pub forged: u64,
    /// Signed, but against the contract.
    pub malformed: u64,
    /// Accepted again.
    pub duplicates: u64,
    /// Accepted, and older than what was accepted before.
    pub out_of_order: u64,
    /// Good, but refused or left unanswered on purpose.
    pub refused: u64,
}

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub received: Vec<Received>,
    pub report: Report,
    accepted: HashSet<String>,
    last: HashMap<String, u64>,
}

impl Judge {
    /// Completes an arrival with the verdicts that depend on what came before it, and counts it.
    pub(super) fn judge(&mut self, arrival: &mut Received) {
        self.report.requests += 1;
        if !arrival.signature_valid {
            self.report.forged += 1;
        } else if !arrival.malformed.is_empty() {
            self.report.malformed += 1;
        } else if arrival.kind == "endpoint.verify" {
            self.report.challenges += 1;
        } else if arrival.accepted {
            self.accept(arrival);
        } else {
            self.report.refused += 1;
        }
    }

    fn accept(&mut self, arrival: &mut Received) {
        arrival.duplicate = !self.accepted.insert(arrival.id.clone());
        self.report.accepted += 1;
        self.report.duplicates += u64::from(arrival.duplicate);
        let (Some(reference), Some(sequence)) = (&arrival.reference, arrival.sequence) else { return };
        let last = self.last.get(reference).copied();
        arrival.out_of_order = !arrival.duplicate && !arrival.replayed && last.is_some_and(|last| sequence <= last);
        self.report.out_of_order += u64::from(arrival.out_of_order);
        if last.is_none_or(|last| sequence > last) {
            self.last.insert(reference.clone(), sequence);
        }
    }
}

impl Received {
    /// An arrival before it is judged.
    pub(super) fn new(said: Said, body: Value, at: Timestamp) -> Self {
        Self {
            at,
            id: said.id,
            kind: said.kind,
            reference: said.reference,
            sequence: said.sequence,
            replayed: said.replayed,
            body,
            body_sha256: String::new(),
            signature_valid: false,
            verified_by: Vec::new(),
            signatures: 0,
            traceparent: None,
            user_agent: None,
            malformed: said.faults,
            accepted: false,
            not_before: None,
            duplicate: false,
            out_of_order: false,
        }
    }
}
