//! The one rule of name and address protection: what a consumer may hear and be given of a protected person.
//!
//! Matching asks it whom a subscription covers, delivery asks it again for each sending. It fails closed: a person whose
//! protection is not known counts as protected (see [`Person::is_protected`](super::person::Person::is_protected)), and so
//! does a related person without a flag.

use super::compiled::Subscription;
use super::event_type::EventType;
use super::field_group::{FieldGroup, GroupSet};
use super::resource::{ProtectedPersons, Sector};
use super::subject::Subject;

/// How a subscription finds its persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By where they live: municipalities or everyone.
    Area,
    /// By a list that names them.
    List,
}

/// What decides how a consumer is treated when a person is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regard {
    /// The consumer's sector.
    pub sector: Sector,
    /// What the consumer is to be given of protected persons.
    pub protected_persons: ProtectedPersons,
    /// How the subscription finds its persons.
    pub reach: Reach,
}

/// How a consumer is treated when a person is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// As granted, with the protection said.
    AsGranted,
    /// All events, without the governed groups.
    Masked,
    /// Only the events that a private party with the person on its list needs, without the governed groups.
    Essentials,
    /// The person is not covered.
    NotCovered,
}

/// Whether an event about a protected person may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may.
    Tell,
    /// It may, without the names of changed groups and without the register's code.
    TellBare,
    /// It may not.
    Withhold,
}

/// Which groups of a delivery go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Groups to give.
    pub give: GroupSet,
    /// Groups to name as withheld.
    pub withheld: GroupSet,
    /// Whether the delivery says if name and address are protected.
    pub say_protection: bool,
}

/// What may be said of a related person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The reference under which the consumer knows them.
    Reference,
    /// Name and date of birth, as far as known.
    NameAndBirth,
    /// Only that there is somebody.
    Withheld,
}

impl Reach {
    /// How a subscription reaches a person whom it has so by name.
    pub fn of(subscription: &Subscription, subject: Subject) -> Self {
        if subscription.selector.listed && subject.listed { Self::List } else { Self::Area }
    }
}

impl Regard {
    /// The regard of a subscription as compiled for a person whom it has so by name.
    pub fn of(subscription: &Subscription, subject: Subject) -> Self {
        let reach = Reach::of(subscription, subject);
        Self { sector: subscription.sector, protected_persons: subscription.protected_persons, reach }
    }

    /// How the consumer is treated when a person is protected. A private consumer is never given more than the
    /// essentials, whatever its resource says.
    pub fn treatment(self) -> Treatment {
        match (self.sector, self.protected_persons, self.reach) {
            (_, ProtectedPersons::Deny, _) | (Sector::Private, _, Reach::Area) => Treatment::NotCovered,
            (Sector::Private, ProtectedPersons::Mask | ProtectedPersons::Allow, Reach::List) => Treatment::Essentials,
            (Sector::Public, ProtectedPersons::Mask, _) => Treatment::Masked,
            (Sector::Public, ProtectedPersons::Allow, _) => Treatment::AsGranted,
        }
    }

    /// Whether a person of this protection can be covered.
    pub fn covers(self, protected: bool) -> bool {
        !protected || self.treatment() != Treatment::NotCovered
    }

    /// Whether an event of this type may go out, about a person who is `protected` when it is sent.
    pub fn rule(self, protected: bool, type_: EventType) -> Ruling {
        match self.treatment() {
            _ if !protected => Ruling::Tell,
            Treatment::AsGranted | Treatment::Masked => Ruling::Tell,
            Treatment::Essentials => essentials(type_),
            Treatment::NotCovered => not_covered(type_, self.sector),
        }
    }

    /// Which of the groups that are `asked` for and `granted` go out, about a person who is `protected` when it is sent.
    pub fn cut(self, asked: GroupSet, granted: GroupSet, protected: bool) -> Cut {
        let due = asked.intersection(granted);
        let withheld = match self.treatment() {
            _ if !protected => GroupSet::EMPTY,
            Treatment::AsGranted => GroupSet::EMPTY,
            Treatment::Masked | Treatment::Essentials => due.governed(),
            Treatment::NotCovered => due,
        };
        let mut give = due.minus(withheld);
        if !withheld.is_empty() && granted.contains(FieldGroup::Protection) && self.covers(protected) {
            give = give.with(FieldGroup::Protection);
        }
        Cut { give, withheld, say_protection: !due.governed().is_empty() }
    }
}

/// What may be said of a related person with this flag of their own. The flag that is missing counts as protection. A
/// consumer that has a claim on them learns only which of its own persons it is.
pub fn related(protected: Option<bool>, has_claim: bool) -> Shown {
    match (has_claim, protected) {
        (true, _) => Shown::Reference,
        (false, Some(false)) => Shown::NameAndBirth,
        (false, Some(true) | None) => Shown::Withheld,
    }
}

/// Every type is listed, so that a new one has to be judged.
fn essentials(type_: EventType) -> Ruling {
    use EventType::*;
    match type_ {
        ProtectionStarted | ProtectionEnded | Died | DeathAnnulled | NumberChanged | PersonMerged | ScopeLeft => {
            Ruling::TellBare
        }
        SubscriptionEnded | EndpointVerify => Ruling::Tell,
        AddressChanged
        | MovedIn
        | MovedOut
        | MovedWithin
        | AddressTechnical
        | SupplementaryAddressChanged
        | ContactAddressChanged
        | Disappeared
        | Found
        | Emigrated
        | Immigrated
        | Returned
        | NameChanged
        | NameCorrected
        | CivilStatusChanged
        | ChurchChanged
        | NumberAssigned
        | NumberCancelled
        | NumberRestored
        | CitizenshipChanged
        | CustodyChanged
        | GuardianshipChanged
        | ParentageChanged
        | BirthCorrected
        | MunicipalConditionsChanged
        | MunicipalNotesChanged
        | ScopeEntered
        | Snapshot
        | Changed
        | Unknown => Ruling::Withhold,
    }
}

/// Who is no longer covered goes with the protection and the end of the scope; an undoing still follows its statement,
/// towards a private consumer only that of a death.
fn not_covered(type_: EventType, sector: Sector) -> Ruling {
    use EventType::*;
    match type_ {
        ProtectionStarted | ScopeLeft | DeathAnnulled => Ruling::TellBare,
        Found | Returned if sector == Sector::Public => Ruling::TellBare,
        SubscriptionEnded | EndpointVerify => Ruling::Tell,
        Found
        | Returned
        | ProtectionEnded
        | Died
        | NumberChanged
        | PersonMerged
        | AddressChanged
        | MovedIn
        | MovedOut
        | MovedWithin
        | AddressTechnical
        | SupplementaryAddressChanged
        | ContactAddressChanged
        | Disappeared
        | Emigrated
        | Immigrated
        | NameChanged
        | NameCorrected
        | CivilStatusChanged
        | ChurchChanged
        | NumberAssigned
        | NumberCancelled
        | NumberRestored
        | CitizenshipChanged
        | CustodyChanged
        | GuardianshipChanged
        | ParentageChanged
        | BirthCorrected
        | MunicipalConditionsChanged
        | MunicipalNotesChanged
        | ScopeEntered
        | Snapshot
        | Changed
        | Unknown => Ruling::Withhold,
    }
}

#[cfg(test)]
mod tests;
