//! What to do about errors of a reconcile: which wait for the next generation, and how long the others wait.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use kube::runtime::controller::Action;

use super::report;
use super::secrets;
use crate::audit;
use crate::domain::resource::ResourceKey;
use crate::ingest;
use crate::store;
use crate::store::trouble::Trouble;

/// The longest wait after an error.
const LONGEST: Duration = Duration::from_secs(300);

/// Why a reconcile did not come to its end. What is wrong with a resource is no error but a condition.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What a spec refers to could not be read.
    #[error("reading what it refers to: {0}")]
    Read(#[from] secrets::Error),
    /// The store did not take it.
    #[error("writing to the store: {0}")]
    Store(#[from] store::Error),
    /// The audit record did not take it, so nothing was done.
    #[error("writing the audit record: {0}")]
    Record(#[from] audit::Error),
    /// A list was not brought into the store.
    #[error("bringing a list into the store: {0}")]
    List(#[from] ingest::Error),
    /// The status could not be written.
    #[error("writing its status: {0}")]
    Report(#[from] report::Error),
    /// The code is wrong.
    #[error("a fault of the operator stopped it: please report it")]
    Panicked,
}

impl Error {
    /// What is wrong with the store, where that is why.
    pub fn store_trouble(&self) -> Option<Trouble> {
        match self {
            Self::Store(error) | Self::Record(audit::Error::Store(error)) | Self::List(ingest::Error::Store(error)) => {
                Some(Trouble::from(error)).filter(|trouble| trouble.is_outage())
            }
            _ => None,
        }
    }

    /// Whether only another spec can help, so that trying again is in vain.
    fn is_terminal(&self) -> bool {
        matches!(self, Self::Report(report::Error::Refused(_)))
    }
}

/// How often each resource of one kind failed in a row.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<ResourceKey, u32>>);

impl Attempts {
    /// Forgets the failures of a resource: it succeeded, or is gone.
    pub fn forget(&self, key: &ResourceKey) {
        self.0.lock().expect("no holder panics").remove(key);
    }

    /// What to do after one more failure. `chance` from 0 to 1 spreads the waits.
    pub fn after(&self, key: &ResourceKey, error: &Error, chance: f64) -> Action {
        if error.is_terminal() {
            return Action::await_change();
        }
        let mut attempts = self.0.lock().expect("no holder panics");
        let count = attempts.entry(key.clone()).or_insert(0);
        *count = count.saturating_add(1);
        Action::requeue(wait_after(*count, chance))
    }
}

/// The wait after the `count`th failure in a row: doubling from a second, spread over its second half, at most five minutes.
fn wait_after(count: u32, chance: f64) -> Duration {
    let full = Duration::from_secs(1 << count.clamp(1, 9)).min(LONGEST);
    full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// A time that differs from `time` by up to a twentieth, so that resources do not come all at once.
pub fn spread(time: Duration, chance: f64) -> Duration {
    time.mul_f64(0.95 + chance.clamp(0.0, 1.0) / 10.0)
}

/// A random number from 0 to 1.
pub fn chance() -> f64 {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    (random >> 32) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_five_minutes_and_are_spread() {
        assert_eq!(wait_after(1, 1.0), Duration::from_secs(2));
        assert_eq!(wait_after(1, 0.0), Duration::from_secs(1));
        assert_eq!(wait_after(3, 1.0), Duration::from_secs(8));
        assert_eq!(wait_after(40, 1.0), LONGEST);
        assert!((0..100).map(|_| chance()).all(|c| (0.0..=1.0).contains(&c)));
    }

    #[test]
    fn a_success_forgets_the_failures() {
        let (attempts, key) = (Attempts::default(), ResourceKey::new("a", "b"));
        attempts.after(&key, &Error::Panicked, 1.0);
        assert_eq!(attempts.after(&key, &Error::Panicked, 1.0), Action::requeue(Duration::from_secs(4)));
        attempts.forget(&key);
        assert_eq!(attempts.after(&key, &Error::Panicked, 1.0), Action::requeue(Duration::from_secs(2)));
    }
}
