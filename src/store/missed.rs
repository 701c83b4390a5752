//! What a suspended subscription missed, to be told when it goes on.

use super::rows::{Column, batch, hexes};
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
    sqlx::query(
        "INSERT INTO missed (subscription, record, covered)
         SELECT value ->> 0, unhex(value ->> 1), value ->> 2 FROM json_each(?) WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(batch("missed", &rows)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// A subscription of a source that missed something and is suspended no more. Looks only at those that missed something.
pub async fn next_resumed(conn: &mut Conn, source: SourceId) -> Result<Option<SubscriptionId>, Error> {
    Ok(sqlx::query_scalar(
        "WITH RECURSIVE missing (id) AS (
             SELECT min(subscription) FROM missed
             UNION ALL SELECT (SELECT min(subscription) FROM missed WHERE subscription > id) FROM missing WHERE id IS NOT NULL)
         SELECT s.id FROM missing CROSS JOIN subscription s ON s.id = missing.id
         WHERE s.source = ? AND s.ended_at IS NULL AND json_extract(s.compiled, '$.suspended') = 0 LIMIT 1",
    )
    .bind(source)
    .fetch_optional(conn)
    .await?)
}

/// Persons that a subscription missed and whether it covered them, at most `limit`.
pub async fn read(conn: &mut Conn, subscription: SubscriptionId, limit: u32) -> Result<Vec<(RecordId, bool)>, Error> {
    let rows: Vec<(Vec<u8>, bool)> =
        sqlx::query_as("SELECT record, covered FROM missed WHERE subscription = ? ORDER BY record LIMIT ?")
            .bind(subscription)
            .bind(limit)
            .fetch_all(conn)
            .await?;
    rows.into_iter().map(|(record, covered)| Ok((Column("missed", "record").record(&record)?, covered))).collect()
}

/// Deletes what was told.
pub async fn delete(conn: &mut Conn, subscription: SubscriptionId, records: &[RecordId]) -> Result<(), Error> {
    sqlx::query("DELETE FROM missed WHERE subscription = ? AND record IN (SELECT unhex(value) FROM json_each(?))")
        .bind(subscription)
        .bind(hexes(records))
        .execute(conn)
        .await?;
    Ok(())
}
