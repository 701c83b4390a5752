//! Tables of cases per type, and properties that hold for any rows.

mod cases;
mod first_sight;
mod identity;
mod properties;

use crate::domain::change::Change;
use crate::domain::date::RegisterDate;
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::testing::on;

/// What is looked at in a change.
#[derive(Debug, PartialEq)]
struct Seen {
    type_: EventType,
    changed: GroupSet,
    effective_from: Option<RegisterDate>,
    correction: bool,
}

fn seen(changes: &[Change]) -> Vec<Seen> {
    let look = |change: &Change| Seen {
        type_: change.type_,
        changed: change.changed,
        effective_from: change.effective_from,
        correction: change.correction,
    };
    changes.iter().map(look).collect()
}

/// A change that is no correction; an empty text is no date.
fn happened(type_: EventType, changed: &[FieldGroup], from: &str) -> Seen {
    let effective_from = (!from.is_empty()).then(|| on(from));
    Seen { type_, changed: GroupSet::of(changed), effective_from, correction: false }
}

/// A change that corrects an earlier statement.
fn corrected(type_: EventType, changed: &[FieldGroup], from: &str) -> Seen {
    Seen { correction: true, ..happened(type_, changed, from) }
}
