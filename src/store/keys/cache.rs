//! Persons' keys in memory, bounded: the older half goes when the younger half is full.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::pairwise::RecordId;
use crate::store::seal::PersonKey;

/// Keys that are kept at most.
const MOST: usize = 50_000;

/// The cache.
#[derive(Default)]
pub(super) struct Cache(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: HashMap<RecordId, PersonKey>,
    old: HashMap<RecordId, PersonKey>,
    /// How often something was forgotten.
    forgettings: u64,
}

impl Cache {
    /// A key, which is young again by it.
    pub(super) fn get(&self, record: RecordId) -> Option<PersonKey> {
        let mut halves = self.lock();
        if let Some(key) = halves.young.get(&record) {
            return Some(key.clone());
        }
        let key = halves.old.remove(&record)?;
        halves.put(key.clone());
        Some(key)
    }

    /// How often something was forgotten, to be handed to [`Cache::put`] after reading the database.
    pub(super) fn forgettings(&self) -> u64 {
        self.lock().forgettings
    }

    /// Keeps keys read from the database, unless something was forgotten meanwhile: it might be one of them.
    pub(super) fn put(&self, keys: impl IntoIterator<Item = PersonKey>, forgettings: u64) {
        let mut halves = self.lock();
        if halves.forgettings == forgettings {
            keys.into_iter().for_each(|key| halves.put(key));
        }
    }

    /// Forgets keys.
    pub(super) fn forget(&self, records: &[RecordId]) {
        let mut halves = self.lock();
        halves.forgettings += 1;
        for record in records {
            halves.young.remove(record);
            halves.old.remove(record);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halves {
    fn put(&mut self, key: PersonKey) {
        if self.young.len() >= MOST / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key.record, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::aead::random_key;

    fn key(number: u32) -> PersonKey {
        let mut record = [0; 16];
        record[..4].copy_from_slice(&number.to_be_bytes());
        PersonKey::new(RecordId(record), 1, random_key())
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::default();
        let used = key(0);
        cache.put([used.clone()], 0);
        for number in 1..100_000 {
            cache.put([key(number)], 0);
            assert!(number % 1_000 != 0 || cache.get(used.record).is_some());
        }
        let halves = cache.lock();
        assert!(halves.young.len() + halves.old.len() <= MOST);
    }

    #[test]
    fn a_forgotten_key_does_not_come_back_with_a_late_reading() {
        let cache = Cache::default();
        let read_before = cache.forgettings();
        cache.forget(&[key(1).record]);
        cache.put([key(1)], read_before);
        assert!(cache.get(key(1).record).is_none());
    }
}
