//! How several processes share a consumer's lanes: each takes its part of those that nobody living holds, and gives back what is
//! more than its part as soon as others are there.

use std::collections::HashSet;
use std::sync::Arc;

use crate::store::consumer::ConsumerRow;
use crate::store::lane::{self, LANES};
use crate::store::worker::{self, Served};
use crate::store::{self, ConsumerId, Store};

/// What a process does about a consumer's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Take so many more.
    Take(u8),
    /// End one of its workers, for others are to have its lanes.
    GiveBack,
    /// Leave all as it is.
    Keep,
}

/// Decides for a process that holds so many lanes of a consumer whose requests under way are limited. No more processes share
/// than may have a request each.
pub fn plan(held: usize, served: Served, max_in_flight: u32) -> Plan {
    let by = served.by.clamp(1, i64::from(max_in_flight.max(1)));
    let part = usize::from(LANES).div_ceil(usize::try_from(by).unwrap_or(usize::MAX));
    // What stands under its name and no worker of its holds was left behind, by one that failed to begin or to give back.
    let left = usize::try_from(served.own).unwrap_or(0).saturating_sub(held);
    let missing = part.saturating_sub(held).min(usize::try_from(served.free).unwrap_or(0) + left);
    match u8::try_from(missing) {
        _ if held > part => Plan::GiveBack,
        Ok(0) | Err(_) => Plan::Keep,
        Ok(missing) => Plan::Take(missing),
    }
}

/// Says for whom this process is there, where that changed, and looks how each is served.
pub async fn look(
    store: &Store,
    worker: &str,
    mine: impl Iterator<Item = &Arc<ConsumerRow>>,
    said: &mut HashSet<ConsumerId>,
) -> Result<Vec<Served>, store::Error> {
    let mine: HashSet<ConsumerId> = mine.map(|row| row.id).collect();
    let ids: Vec<ConsumerId> = mine.iter().copied().collect();
    if mine != *said {
        let mut tx = store.main.begin_apart_for(&ids).await?;
        worker::serve(&mut tx, worker, &ids).await?;
        for consumer in mine.difference(said) {
            lane::make(&mut tx, *consumer).await?;
        }
        tx.commit().await?;
        *said = mine;
    }
    worker::served(&mut *store.main.read_for(&ids).await?, worker).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_shared_evenly_and_never_by_more_than_may_send() {
        for (held, by, free, most, plan_is) in [
            (0, 1, 16, 32, Plan::Take(16)),
            (0, 2, 16, 32, Plan::Take(8)),
            (16, 1, 0, 32, Plan::Keep),
            (16, 2, 0, 32, Plan::GiveBack),
            (8, 2, 8, 32, Plan::Keep),
            (8, 1, 8, 32, Plan::Take(8)),
            (0, 3, 4, 32, Plan::Take(4)),
            (0, 2, 0, 32, Plan::Keep),
            (16, 4, 0, 1, Plan::Keep),
            (0, 100, 16, 64, Plan::Take(1)),
        ] {
            let served = Served { consumer: 1, by, free, own: held as i64 };
            assert_eq!(plan(held, served, most), plan_is, "{held} of {by}, {free} free");
        }
    }

    #[test]
    fn lanes_that_were_left_behind_are_taken_up() {
        let served = Served { consumer: 1, by: 1, free: 0, own: 16 };
        assert_eq!(plan(0, served, 32), Plan::Take(16));
        assert_eq!(plan(10, served, 32), Plan::Take(6));
    }
}
