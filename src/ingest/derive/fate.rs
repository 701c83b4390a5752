//! What became of a row that was in force before, in the rows of the state after; and what that says of the change.

use super::told::Told;
use crate::domain::change::Change;
use crate::domain::person::{Row, RowState};

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was wrong, or was never to have effect.
    TakenBack,
    /// It was replaced for a technical reason.
    Technical,
    /// It is past, or still current.
    Valid,
    /// It is not among the rows.
    Gone,
}

/// What became of `former` among `rows`.
pub(super) fn fate<T: Told>(former: &Row<T>, rows: &[Row<T>]) -> Fate {
    let fates = rows.iter().filter(|row| is_same(former, row)).map(|row| match row.state {
        RowState::Undone | RowState::Corrected => Fate::TakenBack,
        RowState::Technical => Fate::Technical,
        RowState::Current | RowState::Historical | RowState::Other(_) => Fate::Valid,
    });
    fates.min_by_key(|fate| *fate as u8).unwrap_or(Fate::Gone)
}

fn is_same<T: Told>(one: &Row<T>, two: &Row<T>) -> bool {
    one.from == two.from && one.value.is_same_fact(&two.value)
}

/// The rows in force before and after, and all rows after.
pub(super) struct Step<'a, T> {
    pub before: Vec<&'a Row<T>>,
    pub after: Vec<&'a Row<T>>,
    pub rows: &'a [Row<T>],
}

impl<T: Told> Step<'_, T> {
    /// Whether another fact is stated, rather than the same one in other words.
    pub fn is_real(&self) -> bool {
        self.begun().is_some() || self.ended().next().is_some()
    }

    /// The newest row that was not there before.
    fn begun(&self) -> Option<&Row<T>> {
        self.after.iter().copied().find(|row| !self.before.iter().any(|former| is_same(former, row)))
    }

    /// The rows that are no longer there.
    fn ended(&self) -> impl Iterator<Item = &Row<T>> {
        self.before.iter().copied().filter(|former| !self.after.iter().any(|row| is_same(former, row)))
    }

    /// Puts the dates of the step into `change`, and whether an earlier statement was wrong. What ended without a
    /// successor has effect from its end.
    pub fn date(&self, change: Change) -> Change {
        let correction = self.ended().any(|former| fate(former, self.rows) == Fate::TakenBack);
        match self.begun() {
            Some(row) => Change { effective_from: row.from, registered_at: row.registered, correction, ..change },
            None => {
                let end = self.ended().find_map(|former| self.rows.iter().find(|row| is_same(former, row)));
                let effective_from = end.and_then(|row| row.until);
                Change { effective_from, registered_at: end.and_then(|row| row.registered), correction, ..change }
            }
        }
    }
}
