//! Rows as they were before their latest step, told from the rows themselves.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::domain::date::RegisterDate;
use crate::domain::person::{Row, RowState, present};

/// The days within which a step is looked for.
#[derive(Clone, Copy)]
pub(super) struct Window {
    /// The first day.
    pub since: Date,
    /// The last day: the one for which the rows hold.
    pub on: Date,
}

impl Window {
    /// Whether a date lies within.
    pub fn has(&self, date: Option<RegisterDate>) -> bool {
        date.is_some_and(|date| self.since <= date.date && date.date <= self.on)
    }
}

/// Whether a fact may have begun with its first row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// There may have been nothing before, as with an address.
    MayBegin,
    /// The first row is no change of anything, as with a name.
    IsNoStep,
}

/// Takes back the latest step, within the window, of a fact of which one row is in force: the row before it becomes current
/// again, or there was none.
pub(super) fn step_back<T>(rows: &mut Vec<Row<T>>, window: Window, first: First) {
    let in_force = present(rows, window.on).and_then(|row| rows.iter().position(|other| std::ptr::eq(row, other)));
    let began = in_force.is_some_and(|at| window.has(rows[at].from));
    match (former(rows, in_force, window), in_force) {
        (Some(former), Some(at)) => {
            let until = rows[former].from;
            if rows[at].from < until {
                (rows[at].state, rows[at].until) = (RowState::Historical, until);
            }
            reinstate(&mut rows[former]);
            if rows[at].state == RowState::Current {
                rows.remove(at);
            }
        }
        (Some(former), None) => reinstate(&mut rows[former]),
        (None, Some(at)) if began && first == First::MayBegin => {
            rows.remove(at);
        }
        (None, _) => {}
    }
}

/// Takes back the steps, within the window, of a fact of which several rows are in force: those that began are left out,
/// those that ended are current again.
pub(super) fn steps_back<T>(rows: &mut Vec<Row<T>>, window: Window) {
    let valid = |row: &Row<T>| matches!(row.state, RowState::Current | RowState::Historical);
    rows.retain(|row| !(valid(row) && window.has(row.from)));
    let ended = |row: &&mut Row<T>| row.state == RowState::Historical && window.has(row.until);
    rows.iter_mut().filter(ended).for_each(reinstate);
}

fn reinstate<T>(row: &mut Row<T>) {
    (row.state, row.until) = (RowState::Current, None);
}

/// Which row was in force before the latest step: the one that it followed, or a later one that was taken back.
fn former<T>(rows: &[Row<T>], in_force: Option<usize>, window: Window) -> Option<usize> {
    let from = in_force.and_then(|at| rows[at].from);
    let began = window.has(from);
    let followed = |row: &Row<T>| match from {
        _ if !matches!(row.state, RowState::Historical | RowState::Technical) => false,
        Some(from) => began && row.from <= Some(from) && adjoins(row.until, from),
        None => in_force.is_none() && window.has(row.until),
    };
    let taken_back = |row: &Row<T>| {
        matches!(row.state, RowState::Undone | RowState::Corrected)
            && window.has(row.from)
            && (began || row.from > from)
    };
    let (followed, taken_back) = (newest(rows, followed), newest(rows, taken_back));
    match (followed, taken_back) {
        (Some(one), Some(two)) => Some(if rows[two].from > rows[one].from { two } else { one }),
        (one, two) => one.or(two),
    }
}

fn adjoins(until: Option<RegisterDate>, from: RegisterDate) -> bool {
    until.is_none_or(|until| until.date.saturating_add(1.day()) >= from.date)
}

fn newest<T>(rows: &[Row<T>], fits: impl Fn(&Row<T>) -> bool) -> Option<usize> {
    (0..rows.len()).filter(|at| fits(&rows[*at])).max_by_key(|at| (rows[*at].from, rows[*at].registered))
}
