//! One person's queue, and what is known of a person that waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Key;
use crate::delivery::retry::{between, earlier, later};
use crate::domain::pairwise::RecordId;
use crate::store::parked::{Parked, ParkedState};
use crate::store::route::Route;

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) routes: VecDeque<Arc<Route>>,
    /// Its first event is under way, or its routes are being read.
    pub(super) busy: bool,
    pub(super) wait: Option<Wait>,
    pub(super) gap: bool,
}

/// What is known of one that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// The first route that is not settled.
    pub first_seq: i64,
    /// Attempts of it that were made.
    pub attempts: u32,
    /// Failures in a row since it last was not to blame; the schedule goes by it.
    pub tries: u32,
    /// Since when the budget runs, moved on by every wait that costs nothing.
    pub since: Timestamp,
    /// When the last attempt ended.
    pub failed_at: Timestamp,
    /// When to try again.
    pub next_at: Timestamp,
    /// Why it waits.
    pub state: ParkedState,
    /// Class of the last error.
    pub class: String,
    /// Nothing may be sent for now, but nothing failed.
    pub held: bool,
    /// How many events the consumer had accepted when this one failed last.
    pub accepted_before: u64,
    /// Whether a route was left to be read again since the last reading began.
    pub skipped: bool,
}

/// Class of a wait in which nothing failed: every subscription of the event is suspended.
pub const HELD: &str = "SubscriptionSuspended";

impl Wait {
    pub(super) fn restored(row: &Parked, now: Timestamp) -> Option<Self> {
        // Since later than now: it was written while the clock was ahead, and by at least so much.
        let ahead = between(now, row.since);
        (row.state != ParkedState::GapOnly).then(|| Self {
            first_seq: row.first_seq,
            attempts: row.attempts,
            tries: row.attempts,
            since: if row.state == ParkedState::Outage { now } else { row.since.min(now) },
            failed_at: now,
            next_at: earlier(row.next_at, ahead),
            state: row.state,
            class: row.class.clone(),
            held: row.class == HELD,
            accepted_before: 0,
            skipped: false,
        })
    }

    /// The clock was set back by so much: what is left of the wait and of the budget stays.
    pub(super) fn set_back(&mut self, by: Duration) {
        for at in [&mut self.since, &mut self.failed_at, &mut self.next_at] {
            *at = earlier(*at, by);
        }
    }

    /// The next event of the person is the first one now; it has not failed yet.
    pub(super) fn move_on(&mut self, first_seq: i64, now: Timestamp) {
        (self.first_seq, self.attempts, self.tries) = (first_seq, 0, 0);
        (self.since, self.failed_at, self.next_at) = (now, now, now);
        if self.held {
            (self.held, self.class) = (false, String::new());
        }
    }

    /// From when the budget counts, if the next attempt begins now: waits for the consumer, for its rate, or for us are
    /// left out.
    pub fn since_with_waits(&self, now: Timestamp) -> Timestamp {
        let free_from = if self.state == ParkedState::Outage { self.failed_at } else { self.next_at };
        later(self.since, between(free_from, now)).min(now)
    }

    /// As a row.
    pub(super) fn row(&self, record: RecordId, gap: bool) -> Parked {
        Parked {
            record,
            first_seq: self.first_seq,
            attempts: self.attempts,
            since: self.since,
            next_at: self.next_at,
            state: self.state,
            class: self.class.clone(),
            gap,
        }
    }

    /// The row of one who waits for nothing, but whose next event has to say that one is missing.
    pub(super) fn gap_only(record: RecordId, first_seq: i64, now: Timestamp) -> Parked {
        Parked {
            record,
            first_seq,
            attempts: 0,
            since: now,
            next_at: now,
            state: ParkedState::GapOnly,
            class: String::new(),
            gap: true,
        }
    }
}

/// An event whose turn it is.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Whose.
    pub key: Key,
    /// The event.
    pub route: Arc<Route>,
    /// Whether it has to say that one before it is missing.
    pub gap: bool,
    /// What is known, if it or one before it failed.
    pub wait: Option<Wait>,
}

impl Turn {
    /// How the waiting for exactly this event stands.
    pub fn own_wait(&self) -> Option<&Wait> {
        self.wait.as_ref().filter(|wait| wait.first_seq == self.route.seq || matches!(self.key, Key::Loose(_)))
    }
}

/// How an event was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Accepted.
    Delivered,
    /// Not sent any more.
    Withdrawn,
    /// Given up.
    GivenUp,
}

/// A change of a parked row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowChange {
    /// New or changed.
    Write(Parked),
    /// No longer parked.
    Delete(RecordId),
}
