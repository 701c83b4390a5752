//! Name and address protection begun and ended. Other kinds govern nothing and are told as `changed`.

use super::fate::{Fate, fate};
use super::{Open, Sides};
use crate::domain::change::Change;
use crate::domain::event_type::EventType;
use crate::domain::field_group::FieldGroup;
use crate::domain::person::{Protection, Row};

/// `protection.started` or `protection.ended`, if one of them happened.
pub(super) fn derive(sides: &Sides<'_>, open: &mut Open) -> Option<Change> {
    let was = sides.before.is_protected(sides.before_on);
    let change = match (was, sides.after.is_protected(sides.after_on)) {
        (false, true) => started(sides),
        (true, false) => ended(sides),
        _ => return None,
    };
    Some(Change { changed: open.take(&[FieldGroup::Protection, FieldGroup::ProtectionHistory]), ..change })
}

fn started(sides: &Sides<'_>) -> Change {
    let row = governing(sides.after.protections_in_force(sides.after_on));
    Change {
        effective_from: row.and_then(|row| row.from),
        effective_until: row.and_then(|row| row.until),
        registered_at: row.and_then(|row| row.registered),
        ..sides.change(EventType::ProtectionStarted)
    }
}

fn ended(sides: &Sides<'_>) -> Change {
    let rows = &sides.after.protections;
    let former = governing(sides.before.protections_in_force(sides.before_on));
    let now = former.and_then(|former| rows.iter().find(|row| row.value == former.value && row.from == former.from));
    Change {
        effective_from: now.or(former).and_then(|row| row.until),
        registered_at: now.and_then(|row| row.registered),
        correction: former.is_some_and(|former| fate(former, rows) == Fate::TakenBack),
        ..sides.change(EventType::ProtectionEnded)
    }
}

/// Of several protections that govern, the one that began last.
fn governing(rows: Vec<&Row<Protection>>) -> Option<&Row<Protection>> {
    rows.into_iter().filter(|row| row.value.governs()).max_by_key(|row| row.from)
}
