//! Where a person stands for matching: what is kept in the clear beside the sealed content.

use jiff::Timestamp;
use jiff::civil::Date;

use super::municipality::Municipality;
use super::person::Person;
use super::status::{Presence, StatusCode};

/// What decides who covers a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The real municipality of residence, or the last one of a person who died, emigrated or disappeared.
    pub municipality: Option<Municipality>,
    /// Present status.
    pub status: StatusCode,
    /// When we learnt that the person died, emigrated or disappeared; none for others.
    pub inactive_since: Option<Timestamp>,
    /// Whether name and address are protected.
    pub protected: bool,
}

impl Standing {
    /// The standing of `person` on a day, following on `before`: the last municipality of an inactive person is kept, and
    /// so is the time since when they are inactive.
    pub fn of(person: &Person, on: Date, before: Option<&Standing>, now: Timestamp) -> Self {
        let presence = person.status.presence();
        let municipality = match presence {
            Presence::Resident => person.municipality(on),
            Presence::Inactive => before.and_then(|b| b.municipality).or_else(|| last_municipality(person)),
            Presence::Administrative | Presence::Void => None,
        };
        let inactive_since =
            (presence == Presence::Inactive).then(|| before.and_then(|b| b.inactive_since).unwrap_or(now));
        Self { municipality, status: person.status.clone(), inactive_since, protected: person.is_protected(on) }
    }
}

/// The municipality of the address that ended last.
fn last_municipality(person: &Person) -> Option<Municipality> {
    use super::person::RowState::{Current, Historical};
    person
        .addresses
        .iter()
        .filter(|row| matches!(row.state, Current | Historical))
        .max_by_key(|row| row.from)
        .and_then(|row| row.value.municipality())
}
