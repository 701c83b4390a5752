//! What happened to a person: the outcome of comparing two states, before anybody is told.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::date::RegisterDate;
use super::event_type::EventType;
use super::field_group::GroupSet;
use super::municipality::Municipality;
use super::pairwise::RecordId;
use super::person::Person;

/// One thing that happened.
///
/// A change of residence has the type `address.changed`; which of the more specific types a subscription hears is decided
/// when it is matched, from the municipalities before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What happened.
    pub type_: EventType,
    /// The groups whose content differs.
    pub changed: GroupSet,
    /// From when it has effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<RegisterDate>,
    /// Until when, for a protection that has an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_until: Option<RegisterDate>,
    /// When the register learnt it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Timestamp>,
    /// Whether an earlier statement was wrong.
    #[serde(default)]
    pub correction: bool,
    /// How we know.
    pub derived_from: DerivedFrom,
    /// Why a scope was entered or left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeReason>,
    /// The register's own code, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register_code: Option<String>,
    /// The record of the entry that turned out to be the same person, where it had one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<RecordId>,
}

impl Change {
    /// A change of this type with nothing else said.
    pub fn new(type_: EventType, derived_from: DerivedFrom) -> Self {
        Self {
            type_,
            changed: GroupSet::EMPTY,
            effective_from: None,
            effective_until: None,
            registered_at: None,
            correction: false,
            derived_from,
            scope: None,
            register_code: None,
            joined: None,
        }
    }
}

/// How a change is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DerivedFrom {
    /// The stored person was compared with the fetched one.
    Comparison,
    /// The person was seen for the first time, and their own rows tell what was before.
    History,
    /// A notice told it.
    Notice,
    /// A date came.
    Clock,
}

/// Why a person came into or left what a subscription covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeReason {
    /// Moved in or out.
    Moved,
    /// Was put on the subscription's list.
    Listed,
    /// Was taken off the subscription's list.
    Unlisted,
    /// The time of following after a move is over.
    FollowEnded,
    /// Was there before we knew.
    FirstSeen,
    /// A protection ended for a consumer that is not given protected persons.
    Unprotected,
    /// A protection began for such a consumer.
    Protected,
    /// The subscription's selection changed.
    SubscriptionChanged,
    /// Died, emigrated or disappeared, and the time of following is over.
    Inactive,
}

/// What is sealed with an event: the only source of its payloads.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// What happened.
    pub change: Change,
    /// The day for which the state after holds.
    pub on: Date,
    /// The state after, cut to the groups that somebody may be told.
    pub after: Person,
    /// Of the state before: number, address and municipality, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Person>,
    /// The day for which the state before holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_on: Option<Date>,
    /// Where the person lived, or last lived, before and after, as far as known: a grant's ceiling is judged by it, whoever is
    /// told the rest. Never part of a payload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Municipality>,
}
