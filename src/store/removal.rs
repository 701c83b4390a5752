//! Removing persons whom nobody covers any more: their keys first, their rows after.
//!
//! Marking ([`super::person::mark_leaving`]), deleting the key and deleting the rows are three transactions, of which the last
//! begins before the second and ends after it. A crash between them leaves a person who is marked, and the next run goes on. An ingest transaction that meets the mark leaves the person
//! out; one of this process that sought the key before it was deleted holds it ([`super::keys::Ensured`]) until it has
//! committed.
//!
//! Another process does not see what is held here, and the two databases share no transaction. So whoever writes about a
//! person asks within the main transaction whether the key is still there ([`super::Keys::are_there`]), and whoever deletes
//! keys looks from the main database's side too. The orders in which the two can meet:
//!
//! - The key was deleted before it was asked for: the writer finds it missing, writes nothing and begins anew, with a new key.
//! - The key of a person who is marked is deleted after that. The mark came first, for marking is done alone and never beside
//!   a writer, and the rows go last, also alone, so not before the writer has ended: the writer meets the mark. Who puts such a
//!   person on a list takes the mark away ([`super::person::keep`]), and [`run_once`] is alone from its look at the marks until
//!   the keys are gone: the line was either written before, and the mark is not seen, or its writer finds the key missing.
//! - An unused key is deleted after that. [`forget_unused`] is alone in the main database from its look at the rows until the
//!   key is gone: the writer's transaction either ended before, and its rows are seen, or asks after.
//! - A key that was sought by nobody for a day: seeking it is noted with the key, and the deletion looks at that.

use jiff::{SignedDuration, Timestamp};

use super::rows::Column;
use super::sql::query_scalar;
use super::{Conn, Error, Store, Tx, leaving, person};
use crate::domain::pairwise::RecordId;

/// Persons in one transaction, and records in one step of a sweep.
const BATCH: u32 = 1_000;

/// How long a key may be without a row before it is deleted.
const UNUSED: SignedDuration = SignedDuration::from_hours(24);

/// Removes a batch of the persons who are marked as leaving. How many rows went.
pub async fn run_once(store: &Store) -> Result<u64, Error> {
    let mut tx = store.main.begin().await?;
    let marked = person::leaving(&mut tx, BATCH).await?;
    let gone = if marked.is_empty() { marked } else { forget(store, &mut tx, &marked).await? };
    let removed = person::delete(&mut tx, &gone).await? + leaving::delete_partly(&mut tx).await?;
    tx.commit().await?;
    Ok(removed)
}

/// Deletes keys while this transaction is alone in the main database. The records that have no key now.
async fn forget(store: &Store, tx: &mut Tx, records: &[RecordId]) -> Result<Vec<RecordId>, Error> {
    // A server ends a transaction that idles too long, and others write again.
    let alone =
        async || query_scalar::<i64>("SELECT CAST(1 AS BIGINT)").fetch_one(tx).await.map(drop).map_err(Error::from);
    store.keys.forget_while(records, alone).await
}

/// Deletes at once the keys of those records about whom nothing is stored that their key would open.
pub async fn forget_unused(store: &Store, records: &[RecordId]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let mut tx = store.main.begin().await?;
    let unused = without_row(&mut tx, records).await?;
    if !unused.is_empty() {
        forget(store, &mut tx, &unused).await?;
    }
    Ok(())
}

/// Walks over both databases in small steps, and deletes keys that had no row for a day and rows whose key is gone.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    keys: Option<RecordId>,
    rows: Option<RecordId>,
}

impl Sweep {
    /// Takes one step: looks at a thousand keys and a thousand rows. How many were deleted, and whether both walks have
    /// come round.
    pub async fn run_once(&mut self, store: &Store, now: Timestamp) -> Result<(u64, bool), Error> {
        let deleted = self.sweep_keys(store, now).await? + self.sweep_rows(store).await?;
        Ok((deleted, self.keys.is_none() && self.rows.is_none()))
    }

    async fn sweep_keys(&mut self, store: &Store, now: Timestamp) -> Result<u64, Error> {
        let before = now - UNUSED;
        let (unsought, last) = store.keys.unsought(self.keys, before, BATCH).await?;
        self.keys = last;
        let unused = without_row(&mut *store.main.read().await?, &unsought).await?;
        if unused.is_empty() { Ok(0) } else { store.keys.forget_unsought(&unused, before).await }
    }

    async fn sweep_rows(&mut self, store: &Store) -> Result<u64, Error> {
        let records = after(&mut *store.main.read().await?, self.rows).await?;
        self.rows = records.last().copied();
        let erased = store.keys.without_key(&records).await?;
        if erased.is_empty() {
            return Ok(0);
        }
        let mut tx = store.main.begin().await?;
        let deleted = person::delete(&mut tx, &erased).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

/// Of these records those about whom nothing is stored that their key would open.
async fn without_row(conn: &mut Conn, records: &[RecordId]) -> Result<Vec<RecordId>, Error> {
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT j.record FROM records($1) j
         WHERE NOT EXISTS (SELECT 1 FROM person p WHERE p.record = j.record)
           AND NOT EXISTS (SELECT 1 FROM unread u WHERE u.record = j.record)
           AND NOT EXISTS (SELECT 1 FROM listing w WHERE w.record = j.record AND w.number IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.record = j.record AND d.snapshot IS NOT NULL)
           AND NOT EXISTS (
               SELECT 1 FROM consumer c CROSS JOIN route r ON r.consumer = c.id AND r.record = j.record
               LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
               WHERE r.seq > coalesce(l.watermark, 0))
           AND NOT EXISTS (
               SELECT 1 FROM consumer c CROSS JOIN parked k ON k.consumer = c.id AND k.record = j.record
               WHERE k.state <> 'GapOnly')",
    )
    .bind(records)
    .fetch_all(conn)
    .await?;
    found.iter().map(|bytes| Column("person", "record").record(bytes)).collect()
}

/// How many persons have no key, and are removed by the sweep.
pub(super) async fn without_key(store: &Store) -> Result<i64, Error> {
    let (mut found, mut last) = (0, None);
    loop {
        let records = after(&mut *store.main.read().await?, last).await?;
        let Some(end) = records.last() else { return Ok(found) };
        last = Some(*end);
        found += i64::try_from(store.keys.without_key(&records).await?.len()).unwrap_or(i64::MAX);
    }
}

async fn after(conn: &mut Conn, after: Option<RecordId>) -> Result<Vec<RecordId>, Error> {
    let found: Vec<Vec<u8>> =
        query_scalar("SELECT DISTINCT record FROM person WHERE record > $1 ORDER BY record LIMIT $2")
            .bind(after.map(|record| record.0.to_vec()).unwrap_or_default())
            .bind(BATCH)
            .fetch_all(conn)
            .await?;
    found.iter().map(|bytes| Column("person", "record").record(bytes)).collect()
}
