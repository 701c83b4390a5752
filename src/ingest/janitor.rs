//! What goes when its time has come: persons nobody covers any more, ended resources after their grace, settled events.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Error;
use super::withdrawal;
use crate::audit;
use crate::settings::retention::RetentionSettings;
use crate::store::{
    self, Store, consumer, job, listing, person, removal, retention, selection, source, statistics, subscription, told,
};

/// How long it is remembered what became of a line of a list.
const TOLD_OF_LINES: Duration = Duration::from_secs(24 * 3600);

/// How often partitions are looked after.
const PARTITIONS_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How often the server is made to look at tables that have grown.
const LOOKED_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// Persons that are removed in one round.
const BATCH: u32 = 500;

/// What one round removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Persons.
    pub persons: u64,
    /// Rows of ended resources.
    pub resources: u64,
    /// Routes, events, attempts, dead letters and ended jobs past their time.
    pub rows: u64,
}

impl Removed {
    /// Whether there was anything.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// The janitor's memory: how far its walk over all keys and rows has come.
#[derive(Debug, Default)]
pub struct Janitor {
    sweep: removal::Sweep,
    kept: Option<Timestamp>,
    looked: Option<Timestamp>,
}

impl Janitor {
    /// Does one round.
    pub async fn run_once(
        &mut self,
        store: &Store,
        settings: &RetentionSettings,
        now: Timestamp,
    ) -> Result<Removed, Error> {
        let mut removed = Removed::default();
        let grace = before(now, settings.after_deletion);
        removed.resources += end_subscriptions(store, grace).await?;
        removed.resources += end_consumers(store, grace, now).await?;
        removed.resources += end_sources(store, grace).await?;
        mark_uncovered(store, grace).await?;
        removed.persons += remove_leaving(store).await?;
        removed.rows += self.keep_partitions(store, settings, now).await?;
        removed.rows += prune(store, settings, now).await?;
        removed.rows += self.sweep.run_once(store, now).await?.0;
        // Last, so that nothing that has to go waits for it.
        self.keep_plans_right(store, now).await?;
        Ok(removed)
    }
}

impl Janitor {
    async fn keep_plans_right(&mut self, store: &Store, now: Timestamp) -> Result<(), store::Error> {
        if is_due(&mut self.looked, LOOKED_EVERY, now) {
            let main = statistics::look_at_grown(&store.main).await?;
            let keys = statistics::look_at_grown(store.keys.database()).await?;
            tracing::debug!(main, keys, "the server looked at tables that have grown");
        }
        Ok(())
    }

    /// Once a minute. What is dropped waits for everybody who reads, so it gives way to them and comes again.
    async fn keep_partitions(
        &mut self,
        store: &Store,
        settings: &RetentionSettings,
        now: Timestamp,
    ) -> Result<u64, store::Error> {
        if !is_due(&mut self.kept, PARTITIONS_EVERY, now) {
            return Ok(0);
        }
        let mut tx = store.main.begin_apart().await?;
        let dropped = retention::keep_partitions(&mut tx, now, before(now, settings.delivered)).await?;
        tx.commit().await?;
        Ok(dropped)
    }
}

/// Whether something that was done `last` is to be done again; then that is now.
fn is_due(last: &mut Option<Timestamp>, every: SignedDuration, now: Timestamp) -> bool {
    let is_due = last.is_none_or(|at| now >= at + every);
    if is_due {
        *last = Some(now);
    }
    is_due
}

/// Removes persons that are marked: key store first, rows after. How many.
pub async fn remove_leaving(store: &Store) -> Result<u64, store::Error> {
    removal::run_once(store).await
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| now.checked_sub(span).ok()).unwrap_or(Timestamp::MIN)
}

/// Marks persons whom nobody has covered since before `grace`, and of whom nothing is still to be delivered.
async fn mark_uncovered(store: &Store, grace: Timestamp) -> Result<(), store::Error> {
    let mut tx = store.main.begin().await?;
    person::mark_uncovered(&mut tx, grace, BATCH).await?;
    tx.commit().await
}

async fn end_subscriptions(store: &Store, grace: Timestamp) -> Result<u64, store::Error> {
    let over = subscription::deleted_before(&mut *store.main.read().await?, grace).await?;
    let mut count = 0;
    for id in over {
        let mut gone = false;
        while !gone {
            let mut tx = store.main.begin().await?;
            gone = retention::delete_subscription(&mut tx, id).await?;
            tx.commit().await?;
        }
        count += 1;
    }
    let mut tx = store.main.begin().await?;
    selection::forget_settled(&mut tx).await?;
    tx.commit().await?;
    Ok(count)
}

/// A consumer goes when no subscription names it any more: its key first, its rows after.
async fn end_consumers(store: &Store, grace: Timestamp, now: Timestamp) -> Result<u64, Error> {
    let mut conn = store.main.read().await?;
    let ended = consumer::ended_before(&mut conn, grace).await?;
    let named = if ended.is_empty() { HashSet::new() } else { subscription::named(&mut conn).await? };
    drop(conn);
    let mut count = 0;
    for row in ended.iter().filter(|row| named.iter().all(|(_, consumer)| *consumer != row.id)) {
        store.keys.forget_consumer(row.id).await?;
        let entry = withdrawal::of(store, row, now).await?;
        let mut tx = store.main.begin().await?;
        audit::record(&mut tx, &store.keys, entry.as_slice()).await?;
        let mut gone = retention::delete_consumer(&mut tx, row.id).await?;
        tx.commit().await?;
        while !gone {
            let mut tx = store.main.begin().await?;
            gone = retention::delete_consumer(&mut tx, row.id).await?;
            tx.commit().await?;
        }
        count += 1;
    }
    Ok(count)
}

/// A source goes when no subscription names it and its persons are gone.
async fn end_sources(store: &Store, grace: Timestamp) -> Result<u64, store::Error> {
    let mut conn = store.main.read().await?;
    let mut ended = source::all(&mut conn).await?;
    ended.retain(|row| row.ended_at.is_some_and(|at| at <= grace));
    let named = if ended.is_empty() { HashSet::new() } else { subscription::named(&mut conn).await? };
    drop(conn);
    let mut count = 0;
    for row in ended.iter().filter(|row| named.iter().all(|(source, _)| *source != row.id)) {
        let mut tx = store.main.begin().await?;
        let is_empty = person::release_source(&mut tx, row.id).await?;
        tx.commit().await?;
        let mut gone = !is_empty;
        while !gone {
            let mut tx = store.main.begin().await?;
            gone = retention::delete_source(&mut tx, row.id).await?;
            tx.commit().await?;
        }
        count += u64::from(is_empty);
    }
    Ok(count)
}

async fn prune(store: &Store, settings: &RetentionSettings, now: Timestamp) -> Result<u64, store::Error> {
    let delivered = before(now, settings.delivered);
    let mut tx = store.main.begin().await?;
    let mut rows = retention::delete_routes(&mut tx, delivered).await?;
    rows += retention::delete_events(&mut tx, delivered).await?;
    rows += retention::delete_attempts(&mut tx, delivered).await?;
    rows += retention::delete_dead_letters(&mut tx, before(now, settings.dead_letters)).await?;
    rows += job::delete_ended(&mut tx, delivered, 1000).await?;
    rows += listing::expire(&mut tx, before(now, TOLD_OF_LINES), 1000).await?;
    rows += told::expire(&mut tx, before(now, settings.undoing), 1000).await?;
    tx.commit().await?;
    Ok(rows)
}
