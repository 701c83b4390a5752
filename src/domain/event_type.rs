//! Event types: their names, the group that a consumer needs to hear each, and which may be asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field_group::{FieldGroup, GroupSet};

macro_rules! event_types {
    ($($variant:ident = $name:literal, $class:ident, [$($group:ident)|*];)*) => {
        /// A type of event, the same for every source.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is named for its event")]
        pub enum EventType { $($variant),* }

        impl EventType {
            /// Every type.
            pub const ALL: &'static [EventType] = &[$(EventType::$variant),*];

            /// The name without the CloudEvents prefix, such as `address.changed`.
            pub fn name(self) -> &'static str {
                match self { $(EventType::$variant => $name),* }
            }

            /// How a consumer comes to hear it.
            pub fn class(self) -> Class {
                match self { $(EventType::$variant => Class::$class),* }
            }

            /// The groups of which a consumer needs one to hear it; empty where none is needed.
            pub fn needs(self) -> GroupSet {
                match self { $(EventType::$variant => GroupSet::of(&[$(FieldGroup::$group),*])),* }
            }
        }
    };
}

/// How a consumer comes to hear a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// May be asked for, and is in the default.
    Selectable,
    /// May be asked for, and is not in the default.
    OnRequest,
    /// Always delivered, never asked for.
    Always,
}

event_types! {
    AddressChanged = "address.changed", Selectable, [Address];
    MovedIn = "moved.in", Selectable, [Address | Municipality];
    MovedOut = "moved.out", Selectable, [Address | Municipality];
    MovedWithin = "moved.within", Selectable, [Address | Municipality];
    AddressTechnical = "address.technical", OnRequest, [Address];
    SupplementaryAddressChanged = "supplementary-address.changed", Selectable, [SupplementaryAddress];
    ContactAddressChanged = "contact-address.changed", Selectable, [ContactAddress];
    Disappeared = "disappeared", Selectable, [Status];
    Found = "found", Selectable, [Status];
    Emigrated = "emigrated", Selectable, [Status];
    Immigrated = "immigrated", Selectable, [Status];
    Returned = "returned", Selectable, [Status];
    Died = "died", Selectable, [Status];
    DeathAnnulled = "death.annulled", Selectable, [Status];
    NameChanged = "name.changed", Selectable, [Name];
    NameCorrected = "name.corrected", Selectable, [Name];
    CivilStatusChanged = "civil-status.changed", Selectable, [CivilStatus];
    ChurchChanged = "church.changed", OnRequest, [Church];
    NumberAssigned = "number.assigned", Selectable, [Number];
    NumberCancelled = "number.cancelled", Selectable, [Status];
    NumberRestored = "number.restored", Selectable, [Status];
    CitizenshipChanged = "citizenship.changed", Selectable, [Citizenship];
    CustodyChanged = "custody.changed", Selectable, [Custody];
    GuardianshipChanged = "guardianship.changed", Selectable, [Guardianship];
    ParentageChanged = "parentage.changed", Selectable, [Parents];
    BirthCorrected = "birth.corrected", Selectable, [Birth];
    MunicipalConditionsChanged = "municipal-conditions.changed", Selectable, [MunicipalConditions];
    MunicipalNotesChanged = "municipal-notes.changed", Selectable, [MunicipalNotes];
    ProtectionStarted = "protection.started", Always, [];
    ProtectionEnded = "protection.ended", Always, [];
    ScopeEntered = "scope.entered", Always, [];
    ScopeLeft = "scope.left", Always, [];
    NumberChanged = "number.changed", Always, [];
    PersonMerged = "person.merged", Always, [];
    SubscriptionEnded = "subscription.ended", Always, [];
    Snapshot = "snapshot", Always, [];
    Changed = "changed", Always, [];
    Unknown = "unknown", Always, [];
    EndpointVerify = "endpoint.verify", Always, [];
}

impl EventType {
    /// What stands before the name in the CloudEvents attribute `type`.
    pub const PREFIX: &'static str = "dev.cpr-operator.";

    /// The types that a subscription may ask for.
    pub fn selectable() -> impl Iterator<Item = EventType> {
        Self::ALL.iter().copied().filter(|t| t.class() != Class::Always)
    }

    /// Whether a consumer that is granted `groups` may hear this type.
    pub fn may_be_heard_with(self, groups: GroupSet) -> bool {
        let needs = self.needs();
        needs.is_empty() || !needs.intersection(groups).is_empty()
    }

    /// The statement that this type undoes, if it is an undoing.
    pub fn undoes(self) -> Option<EventType> {
        match self {
            EventType::DeathAnnulled => Some(EventType::Died),
            EventType::Found => Some(EventType::Disappeared),
            EventType::Returned => Some(EventType::Emigrated),
            _ => None,
        }
    }
}

/// A name that is no event type.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an event type")]
pub struct NotAType(String);

impl FromStr for EventType {
    type Err = NotAType;

    fn from_str(name: &str) -> Result<Self, NotAType> {
        Self::ALL.iter().copied().find(|t| t.name() == name).ok_or_else(|| NotAType(name.to_owned()))
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of event types. In stored form a list of names.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TypeSet(u64);

impl TypeSet {
    /// Whether `type_` is in the set.
    pub fn contains(self, type_: EventType) -> bool {
        self.0 & (1 << type_ as u64) != 0
    }

    /// The types, in the order of [`EventType::ALL`].
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        EventType::ALL.iter().copied().filter(move |t| self.contains(*t))
    }

    /// What a subscription hears that names no types: all whose group is among `groups`, but those on request.
    pub fn default_for(groups: GroupSet) -> Self {
        EventType::ALL
            .iter()
            .copied()
            .filter(|t| t.class() == Class::Selectable && t.may_be_heard_with(groups))
            .collect()
    }
}

impl FromIterator<EventType> for TypeSet {
    fn from_iter<I: IntoIterator<Item = EventType>>(types: I) -> Self {
        TypeSet(types.into_iter().fold(0, |bits, t| bits | 1 << t as u64))
    }
}

impl fmt::Debug for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for TypeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for TypeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<EventType>::deserialize(deserializer)?.into_iter().collect())
    }
}
