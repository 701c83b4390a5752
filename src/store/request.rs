//! What delivery asks of ingest: snapshots after an event was given up.

use jiff::Timestamp;

use super::rows::{Column, batch, hexes};
use super::{Conn, ConsumerId, Error, SourceId};
use crate::domain::pairwise::RecordId;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Id.
    pub id: i64,
    /// For whom.
    pub consumer: ConsumerId,
    /// Of whom.
    pub record: RecordId,
}

/// The only kind of request so far.
const SNAPSHOT: &str = "Snapshot";

/// Asks for a snapshot of each person; a request that is open already is not repeated.
pub async fn ask(conn: &mut Conn, consumer: ConsumerId, records: &[RecordId], now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO request (kind, consumer, record, at)
         SELECT DISTINCT ?1, ?2, unhex(j.value), ?3 FROM json_each(?4) j
         WHERE NOT EXISTS (SELECT 1 FROM request
                           WHERE kind = ?1 AND consumer = ?2 AND record = unhex(j.value))",
    )
    .bind(SNAPSHOT)
    .bind(consumer)
    .bind(now.as_millisecond())
    .bind(hexes(records))
    .execute(conn)
    .await?;
    Ok(())
}

/// Open requests about persons of a source, oldest first, at most `limit`.
pub async fn read(conn: &mut Conn, source: SourceId, limit: u32) -> Result<Vec<Request>, Error> {
    let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT q.id, q.consumer, q.record FROM request q JOIN person p ON p.record = q.record AND p.source = ?
         WHERE q.kind = ? ORDER BY q.id LIMIT ?",
    )
    .bind(source)
    .bind(SNAPSHOT)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, consumer, record)| {
            Ok(Request { id, consumer, record: Column("request", "record").record(&record)? })
        })
        .collect()
}

/// Deletes requests that were met.
pub async fn delete(conn: &mut Conn, ids: &[i64]) -> Result<(), Error> {
    sqlx::query("DELETE FROM request WHERE id IN (SELECT value FROM json_each(?))")
        .bind(batch("request", ids)?)
        .execute(conn)
        .await?;
    Ok(())
}
