//! How often a key has sealed. Seals are reserved in blocks that are durable before the first of them, so the count after a
//! restart is at most one block too high.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::{Conn, Error, meta};

/// Seals after which a key gets a new version.
pub(super) const MOST: u64 = 1 << 31;

/// Seals that are reserved at a time.
const BLOCK: u64 = 1 << 20;

/// How far ahead of its use a block is reserved.
const AHEAD: u64 = 1 << 18;

/// Seals made and reserved.
#[derive(Default)]
pub(super) struct Usage {
    made: AtomicU64,
    reserved: AtomicU64,
}

impl Usage {
    /// Counts one seal.
    pub(super) fn count(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the key has sealed as often as it may.
    pub(super) fn is_spent(&self) -> bool {
        self.made.load(Ordering::Relaxed) >= MOST
    }

    /// Whether the next block has to be reserved.
    pub(super) fn is_running_out(&self) -> bool {
        self.made.load(Ordering::Relaxed) + AHEAD >= self.reserved.load(Ordering::Relaxed)
    }

    /// Reserves the next block for the key with this row. The first time in a process, what was reserved before counts as
    /// made. The caller commits.
    pub(super) async fn reserve(&self, conn: &mut Conn, key: i64) -> Result<(), Error> {
        let name = format!("seals/{key}");
        let stored: u64 = meta::get(&mut *conn, &name).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
        if self.reserved.load(Ordering::Relaxed) == 0 {
            self.made.fetch_add(stored, Ordering::Relaxed);
        }
        let next = stored.max(self.made.load(Ordering::Relaxed)) + BLOCK;
        meta::set(conn, &name, &next.to_string()).await?;
        self.reserved.store(next, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_spent_after_its_number_of_seals() {
        let usage = Usage::default();
        assert!(usage.is_running_out());
        usage.made.store(MOST - 1, Ordering::Relaxed);
        assert!(!usage.is_spent());
        usage.count();
        assert!(usage.is_spent());
    }
}
