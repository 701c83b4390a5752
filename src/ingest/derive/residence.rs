//! Changes of residence: another place, or the same place described otherwise.

use std::borrow::Cow;

use super::fate::{Fate, Step, fate};
use super::{Open, Sides};
use crate::domain::change::Change;
use crate::domain::event_type::EventType;
use crate::domain::field_group::FieldGroup;
use crate::domain::person::{Address, Person, Row, present};
use crate::domain::status::{Presence, StatusCode};

/// `address.changed` or `address.technical`, if the residence differs. An address that is lost or regained with the status
/// is no change of residence.
pub(super) fn derive(sides: &Sides<'_>, open: &mut Open) -> Option<Change> {
    let (earlier, rows) = (compared(sides, sides.before), compared(sides, sides.after));
    let step = Step {
        before: present(&earlier, sides.before_on).into_iter().collect(),
        after: present(&rows, sides.after_on).into_iter().collect(),
        rows: &rows,
    };
    let (before, after) = (step.before.first().copied(), step.after.first().copied());
    if open.has(FieldGroup::Status) && goes_with_status(sides) {
        return None;
    }
    let kind = if sides.both_hold(FieldGroup::Address) {
        open.has(FieldGroup::Address).then(|| by_address(before, after, step.rows))?
    } else {
        by_municipality(before, after, step.rows, open).filter(|_| sides.both_hold(FieldGroup::Municipality))?
    };
    let change = step.date(sides.change(kind.type_));
    let mut changed = open.take(&[FieldGroup::Address, FieldGroup::AddressHistory, FieldGroup::Municipality]);
    if stays_resident(sides) {
        changed = changed.union(open.take(&[FieldGroup::Status]));
    }
    let left = after.is_none().then_some(sides.after.status_since).flatten();
    let effective_from = change.effective_from.or(left);
    Some(Change { changed, effective_from, correction: change.correction || kind.was_wrong, ..change })
}

/// Whether the address is lost by a death or with an entry that is void, or regained when that is undone.
pub(super) fn goes_with_status(sides: &Sides<'_>) -> bool {
    let ends = |status: &StatusCode| *status == StatusCode::Dead || status.presence() == Presence::Void;
    let (before, after) = (sides.before, sides.after);
    (ends(&after.status) && after.address(sides.after_on).is_none())
        || (ends(&before.status) && before.address(sides.before_on).is_none())
}

/// The addresses as far as both sides hold them.
fn compared<'a>(sides: &Sides<'_>, person: &'a Person) -> Cow<'a, [Row<Address>]> {
    if sides.both_hold(FieldGroup::Address) {
        return Cow::Borrowed(&person.addresses);
    }
    let cut = |row: &Row<Address>| Row { value: row.value.only_municipality(), ..row.clone() };
    person.addresses.iter().map(cut).collect()
}

struct Kind {
    type_: EventType,
    was_wrong: bool,
}

const MOVED: Kind = Kind { type_: EventType::AddressChanged, was_wrong: false };
const REDATED: Kind = Kind { type_: EventType::AddressChanged, was_wrong: true };
const TECHNICAL: Kind = Kind { type_: EventType::AddressTechnical, was_wrong: false };

fn by_address(before: Option<&Row<Address>>, after: Option<&Row<Address>>, rows: &[Row<Address>]) -> Kind {
    let (Some(before), Some(after)) = (before, after) else { return MOVED };
    let fate = fate(before, rows);
    let undated = before.from.is_none() || after.from.is_none();
    let same_place = before.value.place() == after.value.place() && before.value.care_of == after.value.care_of;
    match same_place {
        _ if fate == Fate::Technical => TECHNICAL,
        false => MOVED,
        true if before.value != after.value || undated => TECHNICAL,
        true if fate == Fate::Valid => MOVED,
        true => REDATED,
    }
}

/// Where only the municipality is held, a later row in the same one tells of a move within it.
fn by_municipality(
    before: Option<&Row<Address>>,
    after: Option<&Row<Address>>,
    rows: &[Row<Address>],
    open: &Open,
) -> Option<Kind> {
    let technical = before.is_some_and(|before| fate(before, rows) == Fate::Technical);
    if open.has(FieldGroup::Municipality) {
        return Some(if technical { TECHNICAL } else { MOVED });
    }
    let (before, after) = (before?, after?);
    (before.value.municipality().is_some() && before.from < after.from && !technical).then_some(MOVED)
}

/// A resident's status changes with the address, to another road code or to Greenland.
fn stays_resident(sides: &Sides<'_>) -> bool {
    [sides.before, sides.after].iter().all(|person| person.status.presence() == Presence::Resident)
}
