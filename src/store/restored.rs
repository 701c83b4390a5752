//! After a backup was put back: numbers go on far above those that were given between the backup and the restore, so that none is
//! given twice. A receiver that drops what is not above the last sequence it knows would drop what is new; a new consumer would be
//! given the key of one that the backup does not know.
//!
//! What is missing because the key store is older than the main database cannot be mended here; it is counted.

use super::database::Dialect;
use super::sql::{query, query_scalar};
use super::{Conn, Error, Store, numbers, removal, worker};

/// How far the numbers of events and routes go on: more than any site has in the months between a backup and its use.
const FAR: i64 = 1 << 34;

/// How far all other numbers go on.
const NEAR: i64 = 1 << 20;

/// Position in the record, which nobody outside knows.
const RECORD: &str = "audit_entry";

/// What was found to be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Consumers that were sent something and have no key: they will know every person under a new reference.
    pub consumers: i64,
    /// Persons without a key: nothing of them can be read, and they are removed.
    pub persons: i64,
    /// Entries of the record whose private part cannot be read.
    pub entries: i64,
}

/// Moves the numbers of the key store on. It goes first: the main database's entry about it may need a new key.
pub async fn move_keys_on(store: &Store) -> Result<(), Error> {
    let used = query_scalar("SELECT coalesce(max(private_key), 0) FROM audit_entry");
    let used: i64 = used.fetch_one(&mut *store.main.read().await?).await?;
    let mut tx = store.keys.database().begin().await?;
    for table in numbers::tables(&mut tx).await? {
        let last = numbers::last(&mut tx, &table).await?.max(used);
        numbers::set(&mut tx, &table, last.saturating_add(NEAR)).await?;
    }
    tx.commit().await
}

/// Moves the numbers of the main database on, in the caller's transaction. Refused while a process runs on it.
pub async fn move_on(conn: &mut Conn) -> Result<(), Error> {
    if worker::is_any_alive(conn).await? {
        return Err(Error::InUse);
    }
    for table in numbers::tables(conn).await?.into_iter().filter(|table| table != RECORD) {
        let by = if numbers::BY_HAND.contains(&&*table) { FAR } else { NEAR };
        let last = numbers::last(conn, &table).await?;
        numbers::set(conn, &table, last.saturating_add(by)).await?;
    }
    if conn.dialect() == Dialect::Postgres {
        query("SELECT add_partitions()").execute(conn).await?;
    }
    Ok(())
}

/// Counts what is missing.
pub async fn missing(store: &Store) -> Result<Missing, Error> {
    let mut conn = store.main.read().await?;
    let served = query_scalar("SELECT DISTINCT consumer FROM lane WHERE watermark > 0");
    let consumers: Vec<i64> = served.fetch_all(&mut conn).await?;
    let sealed_by: Vec<i64> = query_scalar("SELECT DISTINCT private_key FROM audit_entry").fetch_all(&mut conn).await?;
    let unknown: Vec<i64> = sealed_by.into_iter().filter(|key| !store.keys.has_key(*key)).collect();
    let entries: i64 = query_scalar("SELECT count(*) FROM audit_entry WHERE private_key IN ids($1)")
        .bind(&unknown[..])
        .fetch_one(&mut conn)
        .await?;
    drop(conn);
    let consumers = consumers.into_iter().filter(|id| !store.keys.knows_consumer(*id)).count();
    Ok(Missing {
        consumers: i64::try_from(consumers).unwrap_or(i64::MAX),
        persons: removal::without_key(store).await?,
        entries,
    })
}
