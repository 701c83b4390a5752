//! What a suspended subscription missed, to be told when it goes on.

use super::rows::{Column, batch};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, Error, SourceId, SubscriptionId};
use crate::domain::pairwise::RecordId;

/// Remembers, at a person's first change, whether the suspended subscription covered them before it.
pub async fn write(conn: &mut Conn, missed: &[(SubscriptionId, RecordId, bool)]) -> Result<(), Error> {
    if missed.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = missed
        .iter()
        .map(|(subscription, record, covered)| (subscription, hex::encode(record.0), i64::from(*covered)))
        .collect();
    query(
        "INSERT INTO missed (subscription, record, covered)
         SELECT CAST(value ->> 0 AS BIGINT), unhex(value ->> 1), CAST(value ->> 2 AS BIGINT) FROM json_each($1) WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(batch("missed", &rows)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// A subscription of a source that missed something and is suspended no more. Looks only at those that missed something.
pub async fn next_resumed(conn: &mut Conn, source: SourceId) -> Result<Option<SubscriptionId>, Error> {
    Ok(query_scalar(
        "WITH RECURSIVE missing (id) AS (
             SELECT min(subscription) FROM missed
             UNION ALL SELECT (SELECT min(subscription) FROM missed WHERE subscription > id) FROM missing WHERE id IS NOT NULL)
         SELECT id FROM missing
         WHERE (SELECT s.source = $1 AND s.ended_at IS NULL AND json_extract(s.compiled, '$.suspended') = 0
                FROM subscription s WHERE s.id = missing.id) LIMIT 1",
    )
    .bind(source)
    .fetch_optional(conn)
    .await?)
}

/// Persons that a subscription missed and whether it covered them, at most `limit`.
pub async fn read(conn: &mut Conn, subscription: SubscriptionId, limit: u32) -> Result<Vec<(RecordId, bool)>, Error> {
    let rows: Vec<(Vec<u8>, i64)> =
        query_as("SELECT record, covered FROM missed WHERE subscription = $1 ORDER BY record LIMIT $2")
            .bind(subscription)
            .bind(limit)
            .fetch_all(conn)
            .await?;
    rows.into_iter().map(|(record, covered)| Ok((Column("missed", "record").record(&record)?, covered != 0))).collect()
}

/// Deletes what was told.
pub async fn delete(conn: &mut Conn, subscription: SubscriptionId, records: &[RecordId]) -> Result<(), Error> {
    query("DELETE FROM missed WHERE subscription = $1 AND record IN records($2)")
        .bind(subscription)
        .bind(records)
        .execute(conn)
        .await?;
    Ok(())
}
