//! Changes of status: statements, such as a death, and what undoes them.

use jiff::Timestamp;

use super::fate::{Fate, fate};
use super::residence::goes_with_status;
use super::{Open, Sides};
use crate::domain::change::Change;
use crate::domain::date::RegisterDate;
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::person::{Person, Residence, ResidenceKind, Row};
use crate::domain::render::residences;
use crate::domain::status::{Presence, StatusCode};

/// The typed changes of status; a status without a type of its own is left open.
pub(super) fn derive(sides: &Sides<'_>, open: &mut Open) -> Vec<Change> {
    if !open.has(FieldGroup::Status) {
        return Vec::new();
    }
    let restated = sides.before.status == sides.after.status;
    let types = if restated { statement(&sides.after.status) } else { told(&sides.before.status, &sides.after.status) };
    if types.is_empty() {
        return Vec::new();
    }
    let changed = taken(sides, open);
    let dated = |type_| {
        let (effective_from, registered_at) = effect(sides, type_);
        let correction = restated || was_wrong(sides, type_);
        Change { changed, effective_from, registered_at, correction, ..sides.change(type_) }
    };
    types.into_iter().map(dated).collect()
}

/// The groups that differ by the change of status: with an address lost or regained, and with a number cancelled or restored.
fn taken(sides: &Sides<'_>, open: &mut Open) -> GroupSet {
    use FieldGroup::{Address, AddressHistory, Municipality, Number, Residence, Status};
    let mut changed = open.take(&[Status, Residence]);
    if goes_with_status(sides) {
        changed = changed.union(open.take(&[Address, AddressHistory, Municipality]));
    }
    let cancelled = |person: &Person, on| person.status == StatusCode::Cancelled && person.number(on).is_none();
    if cancelled(sides.before, sides.before_on) || cancelled(sides.after, sides.after_on) {
        changed = changed.union(open.take(&[Number]));
    }
    changed
}

/// The undoing of the status before, where the status after undoes it, and the statement of the status after.
fn told(before: &StatusCode, after: &StatusCode) -> Vec<EventType> {
    let mut types = undoing(before, after);
    types.extend(statement(after));
    types
}

fn statement(after: &StatusCode) -> Vec<EventType> {
    match after {
        StatusCode::Dead => vec![EventType::Died],
        StatusCode::Disappeared => vec![EventType::Disappeared],
        StatusCode::Emigrated => vec![EventType::Emigrated],
        StatusCode::Cancelled => vec![EventType::NumberCancelled],
        _ => Vec::new(),
    }
}

/// Who dies is neither found nor returned. An entry that is void and a status that we do not know undo nothing.
fn undoing(before: &StatusCode, after: &StatusCode) -> Vec<EventType> {
    use StatusCode::{Cancelled, Dead, Disappeared, Emigrated, NoResidence};
    let resident = after.presence() == Presence::Resident;
    match before {
        _ if after.code().is_none() || after.presence() == Presence::Void => Vec::new(),
        Dead => vec![EventType::DeathAnnulled],
        Disappeared if *after != Dead => vec![EventType::Found],
        Emigrated if resident => vec![EventType::Returned],
        NoResidence if resident => vec![EventType::Immigrated],
        Cancelled => vec![EventType::NumberRestored],
        _ => Vec::new(),
    }
}

/// From when a change of status has effect, and when the register learnt it.
fn effect(sides: &Sides<'_>, type_: EventType) -> (Option<RegisterDate>, Option<Timestamp>) {
    let since = sides.after.status_since;
    let begun = |kind| row_of(sides, kind).map(|row| (row.from, row.registered));
    let ended = |kind| row_of(sides, kind).and_then(|row| row.until.map(|until| (Some(until), row.registered)));
    let at_address = || sides.after.address(sides.after_on).map(|row| (row.from, row.registered));
    match type_ {
        EventType::Emigrated => since_or(since, begun(ResidenceKind::Emigrated)),
        EventType::Disappeared => since_or(since, begun(ResidenceKind::Disappeared)),
        EventType::Found => ended(ResidenceKind::Disappeared).or_else(at_address).unwrap_or_default(),
        EventType::Returned => begun(ResidenceKind::Immigrated)
            .or_else(|| ended(ResidenceKind::Emigrated))
            .or_else(at_address)
            .unwrap_or_default(),
        EventType::Immigrated => begun(ResidenceKind::Immigrated).or_else(at_address).unwrap_or_default(),
        _ => (since, None),
    }
}

fn since_or(
    since: Option<RegisterDate>,
    row: Option<(Option<RegisterDate>, Option<Timestamp>)>,
) -> (Option<RegisterDate>, Option<Timestamp>) {
    let (from, registered) = row.unwrap_or_default();
    (since.or(from), registered)
}

/// The newest row after of this kind.
fn row_of<'a>(sides: &Sides<'a>, kind: ResidenceKind) -> Option<&'a Row<Residence>> {
    residences(sides.after, sides.after_on).into_iter().find(|row| row.value.kind == kind)
}

/// A death that is annulled was wrong; an absence was, if its row was taken back.
fn was_wrong(sides: &Sides<'_>, type_: EventType) -> bool {
    let taken_back = |kind| {
        let before = residences(sides.before, sides.before_on);
        let former = before.into_iter().find(|row| row.value.kind == kind);
        former.is_some_and(|former| fate(former, &sides.after.residences) == Fate::TakenBack)
    };
    match type_ {
        EventType::DeathAnnulled => true,
        EventType::Found => taken_back(ResidenceKind::Disappeared),
        EventType::Returned => taken_back(ResidenceKind::Emigrated),
        _ => false,
    }
}
