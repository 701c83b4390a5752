//! What delivery asks of ingest: snapshots after an event was given up.

use jiff::Timestamp;

use super::rows::Column;
use super::sql::{query, query_as};
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
    query(
        "INSERT INTO request (kind, consumer, record, at)
         SELECT DISTINCT $1, $2, j.record, $3 FROM records($4) j
         WHERE NOT EXISTS (SELECT 1 FROM request
                           WHERE kind = $1 AND consumer = $2 AND request.record = j.record)",
    )
    .bind(SNAPSHOT)
    .bind(consumer)
    .bind(now.as_millisecond())
    .bind(records)
    .execute(conn)
    .await?;
    Ok(())
}

/// Open requests about persons of a source, oldest first, at most `limit`.
pub async fn read(conn: &mut Conn, source: SourceId, limit: u32) -> Result<Vec<Request>, Error> {
    let rows: Vec<(i64, i64, Vec<u8>)> = query_as(
        "SELECT q.id, q.consumer, q.record FROM request q JOIN person p ON p.record = q.record AND p.source = $1
         WHERE q.kind = $2 ORDER BY q.id LIMIT $3",
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
    query("DELETE FROM request WHERE id IN ids($1)").bind(ids).execute(conn).await?;
    Ok(())
}
