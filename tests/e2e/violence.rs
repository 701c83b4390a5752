//! The times in which processes were killed: what was under way then may come again, and is complained of in logs.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How long before its end a process may have accepted answers that it did not come to write.
const UNWRITTEN: SignedDuration = SignedDuration::from_secs(2);

/// How long after that its requests may still arrive, or those of another that took over before what it wrote was there.
const BELATED: SignedDuration = SignedDuration::from_secs(6);

/// Those times.
#[derive(Debug, Default)]
pub struct Violence(Mutex<Vec<(Timestamp, Timestamp)>>);

impl Violence {
    /// Notes that processes were killed from an instant until now.
    pub fn note(&self, since: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((since, Timestamp::now()));
    }

    /// Whether an instant lies in one of them.
    pub fn covers(&self, at: Timestamp) -> bool {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.iter().any(|(since, until)| *since - UNWRITTEN <= at && at <= *until + BELATED)
    }
}
