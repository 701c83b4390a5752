//! What an entry says, with one constructor for each kind of use.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::field_group::GroupSet;
use crate::domain::resource::ResourceKey;
use crate::store::keys::{AuditReferences, KeyMade};

/// One use. Made by a constructor and completed field by field: `Entry { groups, ..Entry::disclosure(…) }`. What goes into its
/// private part is hidden from Debug.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Which kind of use.
    pub type_: EntryType,
    /// How it ended.
    pub outcome: Outcome,
    /// Class of an error or a reason.
    pub class: Option<String>,
    /// To whom something was disclosed, or for whom it was done.
    pub consumer: Option<ResourceKey>,
    /// The consumer's organisation number.
    pub cvr: Option<String>,
    /// Id of the credential that was used.
    pub credential: Option<String>,
    /// Ids of the purposes.
    pub purposes: Vec<String>,
    /// Their legal bases.
    pub bases: Vec<String>,
    /// The groups that were disclosed, asked for or granted.
    pub groups: GroupSet,
    /// What a source grants other namespaces, one line for each.
    pub grants: Vec<String>,
    /// Of how many persons.
    pub persons: Option<u64>,
    /// The delivery's id.
    pub delivery: Option<String>,
    /// Which attempt of it, from 1.
    pub attempt: Option<u32>,
    /// The resource that it concerns.
    pub resource: Option<Resource>,
    /// Keys that were made or used: kind, scope and version.
    pub keys: Vec<String>,
    /// References of the persons. Private.
    pub subjects: Vec<AuditReferences>,
    /// The person who used it. Private.
    pub end_user: Option<String>,
    /// How that person is known. Private.
    pub end_user_basis: Option<String>,
    /// What was searched for. Private.
    pub criteria: Option<String>,
    /// Reference of a case. Private.
    pub case: Option<String>,
    /// The address from which it came. Private.
    pub address: Option<String>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Entry");
        shown.field("type", &self.type_).field("outcome", &self.outcome).field("class", &self.class);
        shown.finish_non_exhaustive()
    }
}

/// Which kind of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryType {
    /// An attempt whose body left, whatever the answer.
    Disclosure,
    /// An event that was not sent, or not again, because the consumer may not have it any more.
    EventWithdrawn,
    /// A request to the register.
    Fetch,
    /// A subscription began.
    SubscriptionStarted,
    /// A subscription ended.
    SubscriptionEnded,
    /// Purposes or rights were configured.
    Configuration,
    /// A key was made.
    KeyMade,
    /// Something was asked for and refused.
    Refusal,
    /// Persons were put on a subscription's list or taken off it.
    ListChanged,
    /// Somebody had something done by a command; the class says what.
    Command,
}

impl EntryType {
    /// The name in the canonical form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disclosure => "disclosure",
            Self::EventWithdrawn => "event.withdrawn",
            Self::Fetch => "fetch",
            Self::SubscriptionStarted => "subscription.started",
            Self::SubscriptionEnded => "subscription.ended",
            Self::Configuration => "configuration",
            Self::KeyMade => "key.made",
            Self::Refusal => "refusal",
            Self::ListChanged => "list.changed",
            Self::Command => "command",
        }
    }
}

/// How a use ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As intended.
    Succeeded,
    /// It failed; a body that left is a disclosure all the same.
    Failed,
    /// It was refused.
    Refused,
    /// Nobody can know any more, such as of a delivery that was possibly sent before a crash.
    Unknown,
}

impl Outcome {
    /// The name in the canonical form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Refused => "Refused",
            Self::Unknown => "Unknown",
        }
    }
}

/// Who asked for something, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// Name, such as that of a user of the cluster.
    pub name: String,
    /// How it is known, such as `TokenReview` or `OperatingSystem`.
    pub basis: String,
}

/// A resource that an entry concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Kind, such as `CprSubscription`.
    pub kind: &'static str,
    /// Namespace and name.
    pub key: ResourceKey,
    /// Uid.
    pub uid: Option<String>,
    /// Generation.
    pub generation: Option<i64>,
    /// SHA-256 of the spec in canonical form (RFC 8785); [`super::Resource::spec_hash_of`] computes it.
    pub spec_hash: Option<[u8; 32]>,
}

impl Resource {
    /// A resource by its name alone.
    pub fn named(kind: &'static str, key: ResourceKey) -> Self {
        Self { kind, key, uid: None, generation: None, spec_hash: None }
    }

    /// SHA-256 over the RFC 8785 form of a spec.
    pub fn spec_hash_of<T: serde::Serialize>(spec: &T) -> Result<[u8; 32], serde_json::Error> {
        Ok(super::canonical::sha256(&[&serde_json_canonicalizer::to_vec(spec)?]))
    }
}

impl Entry {
    /// An entry of which nothing else is known.
    pub fn new(at: Timestamp, type_: EntryType, outcome: Outcome) -> Self {
        Self {
            at,
            type_,
            outcome,
            class: None,
            consumer: None,
            cvr: None,
            credential: None,
            purposes: Vec::new(),
            bases: Vec::new(),
            groups: GroupSet::EMPTY,
            grants: Vec::new(),
            persons: None,
            delivery: None,
            attempt: None,
            resource: None,
            keys: Vec::new(),
            subjects: Vec::new(),
            end_user: None,
            end_user_basis: None,
            criteria: None,
            case: None,
            address: None,
        }
    }

    /// An attempt of a delivery whose body left. Purposes, bases, groups and the subject come beside it.
    pub fn disclosure(
        at: Timestamp,
        outcome: Outcome,
        consumer: ResourceKey,
        cvr: String,
        delivery: String,
        attempt: u32,
    ) -> Self {
        Self {
            consumer: Some(consumer),
            cvr: Some(cvr),
            delivery: Some(delivery),
            attempt: Some(attempt),
            ..Self::new(at, EntryType::Disclosure, outcome)
        }
    }

    /// An event that is not sent any more: [`Outcome::Succeeded`] where it certainly never was, [`Outcome::Unknown`] where it
    /// possibly was.
    pub fn withdrawn(
        at: Timestamp,
        outcome: Outcome,
        consumer: ResourceKey,
        cvr: String,
        delivery: String,
        class: &str,
    ) -> Self {
        Self {
            consumer: Some(consumer),
            cvr: Some(cvr),
            delivery: Some(delivery),
            class: Some(class.to_owned()),
            ..Self::new(at, EntryType::EventWithdrawn, outcome)
        }
    }

    /// A request for persons to the register of a source, with the groups asked for and the persons who came.
    pub fn fetch(
        at: Timestamp,
        outcome: Outcome,
        source: ResourceKey,
        groups: GroupSet,
        subjects: Vec<AuditReferences>,
    ) -> Self {
        Self {
            resource: Some(Resource::named("CprSource", source)),
            groups,
            persons: Some(subjects.len() as u64),
            subjects,
            ..Self::new(at, EntryType::Fetch, outcome)
        }
    }

    /// A subscription that began, with its purpose and bases.
    pub fn subscription_started(
        at: Timestamp,
        subscription: Resource,
        consumer: ResourceKey,
        purpose: String,
        bases: Vec<String>,
    ) -> Self {
        Self {
            resource: Some(subscription),
            consumer: Some(consumer),
            purposes: vec![purpose],
            bases,
            ..Self::new(at, EntryType::SubscriptionStarted, Outcome::Succeeded)
        }
    }

    /// A subscription that ended, and why.
    pub fn subscription_ended(
        at: Timestamp,
        subscription: Resource,
        consumer: ResourceKey,
        purpose: String,
        reason: &str,
    ) -> Self {
        Self {
            resource: Some(subscription),
            consumer: Some(consumer),
            purposes: vec![purpose],
            class: Some(reason.to_owned()),
            ..Self::new(at, EntryType::SubscriptionEnded, Outcome::Succeeded)
        }
    }

    /// Purposes or rights that a resource gives, with its uid, generation and the hash of its spec.
    pub fn configuration(
        at: Timestamp,
        resource: Resource,
        purposes: Vec<String>,
        bases: Vec<String>,
        groups: GroupSet,
    ) -> Self {
        Self {
            resource: Some(resource),
            purposes,
            bases,
            groups,
            ..Self::new(at, EntryType::Configuration, Outcome::Succeeded)
        }
    }

    /// A key that was made.
    pub fn key_made(at: Timestamp, key: &KeyMade) -> Self {
        let name = format!("{}/{}/{}", key.kind, key.scope, key.version);
        Self { keys: vec![name], ..Self::new(at, EntryType::KeyMade, Outcome::Succeeded) }
    }

    /// Something that somebody had done by a command.
    pub fn command(at: Timestamp, outcome: Outcome, what: &str, asker: &Asker) -> Self {
        Self { class: Some(what.to_owned()), ..Self::new(at, EntryType::Command, outcome) }.asked_by(asker)
    }

    /// The entry with who asked, in its private part.
    pub fn asked_by(self, asker: &Asker) -> Self {
        Self { end_user: Some(asker.name.clone()), end_user_basis: Some(asker.basis.clone()), ..self }
    }

    /// Something that a resource asked for and that was refused, and why.
    pub fn refusal(at: Timestamp, resource: Resource, class: &str) -> Self {
        Self {
            resource: Some(resource),
            class: Some(class.to_owned()),
            ..Self::new(at, EntryType::Refusal, Outcome::Refused)
        }
    }
}
