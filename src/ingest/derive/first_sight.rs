//! A person seen for the first time: the state before, rebuilt from the person's own rows, and what happened since.

use jiff::ToSpan;
use jiff::civil::Date;

use super::compare;
use super::rollback::{First, Window, step_back, steps_back};
use crate::domain::change::{Change, DerivedFrom};
use crate::domain::date::RegisterDate;
use crate::domain::event_type::EventType;
use crate::domain::person::{Person, Residence, ResidenceKind, Row, RowState};
use crate::domain::render::residences;
use crate::domain::status::{Presence, StatusCode};

/// What is known of a person who was not stored.
pub struct FirstSight {
    /// The state before, as far as the rows tell it; the state after where they do not.
    pub before: Person,
    /// The day for which the state before is to be read.
    pub before_on: Date,
    /// What happened; a single `changed` without groups where the rows do not tell.
    pub changes: Vec<Change>,
}

/// Rebuilds what was before from `after`, as fetched for the day `on`. Each fact is taken back by its latest step, if that
/// step's date lies within `horizon_days`. What a newborn has from birth is no change of anything.
pub fn first_sight(after: &Person, on: Date, horizon_days: i32) -> FirstSight {
    let window = Window { since: on.saturating_sub(horizon_days.days()), on };
    let before = rebuilt(after, window);
    let mut changes = compare((&before, on), (after, on), DerivedFrom::History);
    if changes.is_empty() {
        changes.push(Change::new(EventType::Changed, DerivedFrom::Notice));
    }
    FirstSight { before, before_on: on, changes }
}

fn rebuilt(after: &Person, window: Window) -> Person {
    let mut person = after.clone();
    step_back(&mut person.numbers, window, First::MayBegin);
    step_back(&mut person.names, window, First::IsNoStep);
    if window.has(after.birth) {
        return person;
    }
    if let Some(status) = status_before(after, window) {
        (person.status, person.status_since) = status;
    }
    step_back(&mut person.addresses, window, First::MayBegin);
    step_back(&mut person.supplementary_addresses, window, First::MayBegin);
    step_back(&mut person.contact_addresses, window, First::MayBegin);
    step_back(&mut person.civil_statuses, window, First::IsNoStep);
    step_back(&mut person.citizenships, window, First::IsNoStep);
    step_back(&mut person.guardianships, window, First::MayBegin);
    step_back(&mut person.church, window, First::IsNoStep);
    steps_back(&mut person.parents, window);
    steps_back(&mut person.children, window);
    steps_back(&mut person.custody_holders, window);
    steps_back(&mut person.custody_over, window);
    steps_back(&mut person.protections, window);
    steps_back(&mut person.residences, window);
    steps_back(&mut person.municipal_conditions, window);
    steps_back(&mut person.municipal_notes, window);
    person
}

type Status = (StatusCode, Option<RegisterDate>);

/// The status before the latest change of status, where that lies within the window and the rows tell it.
fn status_before(after: &Person, window: Window) -> Option<Status> {
    match after.status.presence() {
        Presence::Inactive if window.has(after.status_since.or_else(|| absence_began(after, window))) => {
            Some(before_absence(after, window))
        }
        Presence::Resident => before_residence(after, window),
        _ => None,
    }
}

/// When the emigration or disappearance began that the status tells of.
fn absence_began(after: &Person, window: Window) -> Option<RegisterDate> {
    let kind = match after.status {
        StatusCode::Emigrated => ResidenceKind::Emigrated,
        StatusCode::Disappeared => ResidenceKind::Disappeared,
        _ => return None,
    };
    residences(after, window.on).into_iter().find(|row| row.value.kind == kind).and_then(|row| row.from)
}

/// Who died or left was resident, but for one who was already away.
fn before_absence(after: &Person, window: Window) -> Status {
    let away = after.residences.iter().find(|row| {
        row.state == RowState::Current && row.from.is_some_and(|from| from.date < window.since) && row.covers(window.on)
    });
    match away.map(|row| (absence(row), row.from)) {
        Some((Some(status), from)) if status != after.status => (status, from),
        _ => (StatusCode::Resident, None),
    }
}

fn absence(row: &Row<Residence>) -> Option<StatusCode> {
    match row.value.kind {
        ResidenceKind::Emigrated => Some(StatusCode::Emigrated),
        ResidenceKind::Disappeared => Some(StatusCode::Disappeared),
        ResidenceKind::Immigrated => None,
    }
}

/// Who came within the window was away, if a row says so, else had no residence.
fn before_residence(after: &Person, window: Window) -> Option<Status> {
    let rows = residences(after, window.on);
    let ended = rows.iter().find(|row| absence(row).is_some() && window.has(row.until));
    let came = rows.iter().any(|row| row.value.kind == ResidenceKind::Immigrated && window.has(row.from));
    let away = ended.or_else(|| rows.iter().find(|row| came && row.value.kind == ResidenceKind::Emigrated));
    match away {
        Some(row) => absence(row).map(|status| (status, row.from)),
        None => came.then_some((StatusCode::NoResidence, None)),
    }
}
