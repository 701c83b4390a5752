//! Which records somebody is about to write about: their keys are not deleted meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::pairwise::RecordId;

/// All leases of the process, counted per record.
#[derive(Clone, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<RecordId, u32>>>);

/// Keeps records' keys from being deleted until it is dropped.
pub(super) struct Lease {
    records: Vec<RecordId>,
    leases: Leases,
}

impl Leases {
    /// Takes records.
    pub(super) fn take(&self, records: Vec<RecordId>) -> Arc<Lease> {
        let mut held = self.lock();
        records.iter().for_each(|record| *held.entry(*record).or_default() += 1);
        drop(held);
        Arc::new(Lease { records, leases: self.clone() })
    }

    /// Those of the records that nobody holds.
    pub(super) fn free(&self, records: &[RecordId]) -> Vec<RecordId> {
        let held = self.lock();
        records.iter().copied().filter(|record| !held.contains_key(record)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.leases.lock();
        for record in &self.records {
            let left = held.get_mut(record).map(|count| {
                *count -= 1;
                *count
            });
            if left == Some(0) {
                held.remove(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_free_when_its_last_lease_is_gone() {
        let (leases, record) = (Leases::default(), RecordId::random());
        let (one, two) = (leases.take(vec![record]), leases.take(vec![record, record]));
        assert!(leases.free(&[record]).is_empty());
        drop(two);
        assert!(leases.free(&[record]).is_empty());
        drop(one);
        assert_eq!(leases.free(&[record]), [record]);
    }
}
