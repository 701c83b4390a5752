//! The end of something that people have to renew in time: from when on it is warned of, and when what is said of it changes.

use jiff::{SignedDuration, Timestamp};

/// An end, and the days before it from which on it is warned of, the longest first.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// When it ends.
    pub end: Timestamp,
    /// Days before.
    pub warnings: &'static [i64],
}

impl Expiry {
    /// Within how many days it ends, by the last warning that holds; none where it is not warned of yet.
    pub fn within(self, now: Timestamp) -> Option<i64> {
        self.warnings.iter().rev().copied().find(|days| self.warned(*days) <= now)
    }

    /// When the clock alone changes what is said.
    pub fn changes(self, now: Timestamp) -> Option<Timestamp> {
        let warned = self.warnings.iter().map(|days| self.warned(*days));
        warned.chain([self.end]).filter(|at| *at > now).min()
    }

    fn warned(self, days: i64) -> Timestamp {
        self.end.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN)
    }
}
