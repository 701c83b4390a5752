//! The other typed changes: numbers, names, relations and what else a person is registered with.

use super::fate::{Fate, Step, fate};
use super::told::Told;
use super::{Open, Sides};
use crate::domain::change::Change;
use crate::domain::event_type::EventType;
use crate::domain::field_group::FieldGroup;
use crate::domain::person::{Name, Person, Row, in_force, present};
use crate::domain::status::StatusCode;

/// The changes of all facts but protection, residence and status, in the order of the types.
pub(super) fn derive(sides: &Sides<'_>, open: &mut Open) -> Vec<Change> {
    use EventType as T;
    use FieldGroup as G;
    [
        of_one(sides, open, T::SupplementaryAddressChanged, &[G::SupplementaryAddress], |p| &p.supplementary_addresses),
        of_one(sides, open, T::ContactAddressChanged, &[G::ContactAddress], |p| &p.contact_addresses),
        name(sides, open),
        of_one(sides, open, T::CivilStatusChanged, &[G::CivilStatus, G::CivilStatusHistory], |p| &p.civil_statuses),
        of_one(sides, open, T::ChurchChanged, &[G::Church, G::ChurchHistory], |p| &p.church),
        merged(sides, open),
        number(sides, open),
        of_one(sides, open, T::CitizenshipChanged, &[G::Citizenship, G::CitizenshipHistory], |p| &p.citizenships),
        custody(sides, open),
        of_one(sides, open, T::GuardianshipChanged, &[G::Guardianship], |p| &p.guardianships),
        of_all(sides, open, T::ParentageChanged, G::Parents, |p| &p.parents),
        birth(sides, open),
        of_all(sides, open, T::MunicipalConditionsChanged, G::MunicipalConditions, |p| &p.municipal_conditions),
        of_all(sides, open, T::MunicipalNotesChanged, G::MunicipalNotes, |p| &p.municipal_notes),
    ]
    .into_iter()
    .flatten()
    .collect()
}

type Rows<T> = for<'p> fn(&'p Person) -> &'p Vec<Row<T>>;

fn step_of_one<'a, T>(sides: &Sides<'a>, rows: Rows<T>) -> Step<'a, T> {
    Step {
        before: present(rows(sides.before), sides.before_on).into_iter().collect(),
        after: present(rows(sides.after), sides.after_on).into_iter().collect(),
        rows: rows(sides.after),
    }
}

fn step_of_all<'a, T>(sides: &Sides<'a>, rows: Rows<T>) -> Step<'a, T> {
    Step {
        before: in_force(rows(sides.before), sides.before_on),
        after: in_force(rows(sides.after), sides.after_on),
        rows: rows(sides.after),
    }
}

/// A fact of which one row is in force. `groups` are its own group and its history. The same fact in other words, such as a
/// spouse's new name, is left open; so is a change of nothing but the end of a row that has ends of its own to tell.
fn of_one<T: Told>(
    sides: &Sides<'_>,
    open: &mut Open,
    type_: EventType,
    groups: &[FieldGroup],
    rows: Rows<T>,
) -> Option<Change> {
    let own = *groups.first()?;
    let step = step_of_one(sides, rows);
    let tells_its_end = matches!(own, FieldGroup::SupplementaryAddress | FieldGroup::ContactAddress);
    if !open.has(own) || !(step.is_real() || tells_its_end) {
        return None;
    }
    let change = step.date(sides.change(type_));
    Some(Change { changed: open.take(groups), ..change })
}

/// A fact of which several rows are in force side by side.
fn of_all<T: Told>(
    sides: &Sides<'_>,
    open: &mut Open,
    type_: EventType,
    group: FieldGroup,
    rows: Rows<T>,
) -> Option<Change> {
    let step = step_of_all(sides, rows);
    if !open.has(group) || !(step.is_real() || group == FieldGroup::MunicipalNotes) {
        return None;
    }
    let change = step.date(sides.change(type_));
    Some(Change { changed: open.take(&[group]), ..change })
}

/// A name is corrected, not changed, where the former row was taken back or replaced, or the new one begins with it.
fn name(sides: &Sides<'_>, open: &mut Open) -> Option<Change> {
    let change =
        of_one(sides, open, EventType::NameChanged, &[FieldGroup::Name, FieldGroup::NameHistory], |p| &p.names)?;
    let former = present(&sides.before.names, sides.before_on).filter(|row| row.value != Name::default());
    let Some(former) = former else { return Some(change) };
    let since_then = present(&sides.after.names, sides.after_on).is_some_and(|row| row.from == former.from);
    match fate(former, &sides.after.names) {
        Fate::Technical => Some(Change { type_: EventType::NameCorrected, ..change }),
        fate if fate == Fate::TakenBack || since_then => {
            Some(Change { type_: EventType::NameCorrected, correction: true, ..change })
        }
        _ => Some(change),
    }
}

/// The present number. A status that says that a number was closed or replaced belongs to the change of number.
fn number(sides: &Sides<'_>, open: &mut Open) -> Option<Change> {
    let step = step_of_one(sides, |p| &p.numbers);
    let (had, has) = (sides.before.number(sides.before_on), sides.after.number(sides.after_on));
    let type_ = match (had, has) {
        (None, Some(_)) => EventType::NumberAssigned,
        (Some(had), Some(has)) if had != has => EventType::NumberChanged,
        _ => return None,
    };
    if !open.has(FieldGroup::Number) {
        return None;
    }
    let change = step.date(sides.change(type_));
    let mut changed = open.take(&[FieldGroup::Number]);
    if matches!(sides.after.status, StatusCode::Closed | StatusCode::Replaced) {
        changed = changed.union(open.take(&[FieldGroup::Status]));
    }
    Some(Change { changed, ..change })
}

/// The record goes on under another PersonID: two entries were one person. Number and status belong to it where an entry was
/// closed for that.
fn merged(sides: &Sides<'_>, open: &mut Open) -> Option<Change> {
    let another = sides.before.id.is_some() && sides.after.id.is_some() && sides.before.id != sides.after.id;
    another.then(|| {
        let change = step_of_one(sides, |p| &p.numbers).date(sides.change(EventType::PersonMerged));
        let mut changed = open.take(&[FieldGroup::PersonId, FieldGroup::Number]);
        if matches!(sides.before.status, StatusCode::Closed | StatusCode::Replaced) {
            changed = changed.union(open.take(&[FieldGroup::Status]));
        }
        Change { changed, ..change }
    })
}

fn custody(sides: &Sides<'_>, open: &mut Open) -> Option<Change> {
    let holders = step_of_all(sides, |p| &p.custody_holders);
    let over = step_of_all(sides, |p| &p.custody_over);
    if !open.has(FieldGroup::Custody) || !(holders.is_real() || over.is_real()) {
        return None;
    }
    let change = sides.change(EventType::CustodyChanged);
    let change = if holders.is_real() { holders.date(change) } else { over.date(change) };
    Some(Change { changed: open.take(&[FieldGroup::Custody]), ..change })
}

fn birth(sides: &Sides<'_>, open: &mut Open) -> Option<Change> {
    let changed = open.take(&[FieldGroup::Birth]);
    (!changed.is_empty()).then(|| Change {
        changed,
        correction: sides.before.birth.is_some(),
        ..sides.change(EventType::BirthCorrected)
    })
}
