//! The wire form of a delivery: a CloudEvent whose members stand in a fixed order, absent where they have no value.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::date::RegisterDate;
use crate::domain::event_type::EventType;
use crate::domain::pairwise::ConsumerKey;
use crate::store::route::Route;

/// Where the JSON Schema of each type is published.
pub const SCHEMAS: &str = "https://cpr-operator.dev/schemas/v1/";

/// A whole event. It has no Debug: it holds what nobody may log.
#[derive(Serialize)]
pub struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    type_: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    datacontenttype: &'static str,
    dataschema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitionkey: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    gapbefore: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayof: Option<&'a str>,
    data: Data,
}

/// The ids under which a consumer is told an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryId {
    /// Of this delivery.
    pub id: String,
    /// Whether somebody asked for it.
    pub is_replay: bool,
    /// Of the delivery that it repeats, if it repeats one.
    pub first: Option<String>,
}

impl DeliveryId {
    /// The ids of a route.
    pub fn of(key: &ConsumerKey, route: &Route) -> Self {
        let id = |number| key.replay_id(route.event, route.type_, number);
        let first = route.replay.and_then(|replay| replay.of);
        Self {
            id: id(route.replay.map(|replay| replay.number)),
            is_replay: route.replay.is_some(),
            first: first.map(|first| id(first.replay)),
        }
    }

    /// The id of what is told once, as it happens.
    pub fn single(id: String) -> Self {
        Self { id, is_replay: false, first: None }
    }
}

/// Whom an event is about, and its place among theirs.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The person's reference.
    pub reference: &'a str,
    /// The delivery's number.
    pub sequence: i64,
    /// Whether an event before it was given up.
    pub gap_before: bool,
}

impl<'a> CloudEvent<'a> {
    /// An event committed at `time`.
    pub fn new(
        id: &'a DeliveryId,
        source: &'a str,
        type_: EventType,
        subject: Option<Subject<'a>>,
        time: Timestamp,
        data: Data,
    ) -> Self {
        Self {
            specversion: "1.0",
            id: &id.id,
            source,
            type_: format!("{}{}", EventType::PREFIX, type_.name()),
            subject: subject.map(|s| s.reference),
            time: instant(time),
            datacontenttype: "application/json",
            dataschema: format!("{SCHEMAS}{}.json", type_.name()),
            partitionkey: subject.map(|s| s.reference),
            sequence: subject.map(|s| format!("{:020}", s.sequence)),
            gapbefore: subject.is_some_and(|s| s.gap_before),
            replayed: id.is_replay,
            replayof: id.first.as_deref(),
            data,
        }
    }

    /// The bytes that are signed and sent.
    pub fn into_bytes(self) -> bytes::Bytes {
        serde_json::to_vec(&self).expect("texts, numbers and maps with text keys are JSON").into()
    }
}

/// What an event says. It has no Debug: it holds what nobody may log.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// Which subscription and purpose stands behind which groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grounds: Vec<GroundSaid>,
    /// From when it has effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<DateSaid>,
    /// When the register learnt it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<String>,
    /// Whether an earlier statement was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<bool>,
    /// How it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<String>,
    /// Why a scope was entered or left, or a subscription ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The register's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register_code: Option<String>,
    /// From when a protection is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateSaid>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateSaid>,
    /// Names of granted groups whose content differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<&'static str>>,
    /// Whether name and address are protected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<ProtectionSaid>,
    /// Groups left out for protection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Vec<&'static str>>,
    /// Whole present content of each group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Map<String, Value>>,
    /// Content before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Map<String, Value>>,
    /// Random text to return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
}

/// A subscription behind a delivery.
#[derive(Debug, Serialize)]
pub struct GroundSaid {
    /// Its name.
    pub subscription: String,
    /// Its purpose.
    pub purpose: String,
    /// The groups given for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<&'static str>>,
}

/// A date and whether it is certain.
#[derive(Debug, Serialize)]
pub struct DateSaid {
    date: Date,
    uncertain: bool,
}

impl From<RegisterDate> for DateSaid {
    fn from(date: RegisterDate) -> Self {
        Self { date: date.date, uncertain: date.uncertain }
    }
}

/// Which protection governs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionSaid {
    /// Name and address protection.
    pub name_and_address: bool,
}

/// An instant to the millisecond.
fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
