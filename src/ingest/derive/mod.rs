//! From two states of a person to what happened: typed changes, by comparing content.
//!
//! In come two [`Person`]s, each with the day for which it holds; out come [`Change`]s in the order in which they are
//! committed: protection, residence, status, the others, and last one `changed` for what has no type of its own. No
//! difference, no change. `after` is best given as fetched, before it is cut: rows that were taken back tell corrections.

mod content;
mod facts;
mod fate;
mod first_sight;
mod protection;
mod residence;
mod rollback;
mod status;
mod told;

use jiff::civil::Date;

use crate::domain::change::{Change, DerivedFrom};
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;

pub use first_sight::{FirstSight, first_sight};

/// What happened between two states of one person. Compared are the groups that both hold; name and address protection is
/// compared always, because missing data counts as protected. The two may be the same person on two days: then a date came.
pub fn compare(before: (&Person, Date), after: (&Person, Date), derived_from: DerivedFrom) -> Vec<Change> {
    let sides = Sides { before: before.0, before_on: before.1, after: after.0, after_on: after.1, how: derived_from };
    let mut open = Open(content::differing(&sides));
    let mut changes = Vec::new();
    changes.extend(protection::derive(&sides, &mut open));
    changes.extend(residence::derive(&sides, &mut open));
    changes.extend(status::derive(&sides, &mut open));
    changes.extend(facts::derive(&sides, &mut open));
    if !open.0.is_empty() {
        changes.push(Change { changed: open.0, ..sides.change(EventType::Changed) });
    }
    changes
}

/// Adds that the entry with the record `joined` turned out to be the same person. What the person's numbers say otherwise is
/// part of it.
pub fn join(changes: &mut Vec<Change>, joined: RecordId, derived_from: DerivedFrom) {
    let number = GroupSet::of(&[FieldGroup::Number]);
    let at = changes.iter().position(|change| change.type_ == EventType::Changed).unwrap_or(changes.len());
    let mut changed = GroupSet::EMPTY;
    if let Some(rest) = changes.get_mut(at) {
        changed = rest.changed.intersection(number);
        rest.changed = rest.changed.minus(number);
        if rest.changed.is_empty() {
            changes.remove(at);
        }
    }
    let merged = Change { changed, joined: Some(joined), ..Change::new(EventType::PersonMerged, derived_from) };
    changes.insert(at, merged);
}

/// The two states.
struct Sides<'a> {
    before: &'a Person,
    before_on: Date,
    after: &'a Person,
    after_on: Date,
    how: DerivedFrom,
}

impl Sides<'_> {
    fn change(&self, type_: EventType) -> Change {
        Change::new(type_, self.how)
    }

    fn both_hold(&self, group: FieldGroup) -> bool {
        self.before.held.contains(group) && self.after.held.contains(group)
    }
}

/// The differing groups that no change has accounted for yet.
struct Open(GroupSet);

impl Open {
    fn has(&self, group: FieldGroup) -> bool {
        self.0.contains(group)
    }

    /// Takes those of `groups` that differ, for the change that accounts for them.
    fn take(&mut self, groups: &[FieldGroup]) -> GroupSet {
        let taken = self.0.intersection(GroupSet::of(groups));
        self.0 = self.0.minus(taken);
        taken
    }
}

#[cfg(test)]
mod tests;
