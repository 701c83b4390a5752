//! What a consumer was told and has not seen undone.

use std::collections::HashMap;

use jiff::Timestamp;

use super::rows::{Column, batch, hexes};
use super::{Conn, ConsumerId, Error};
use crate::domain::event_type::{EventType, TypeSet};
use crate::domain::pairwise::RecordId;

/// A statement, or its undoing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// To whom.
    pub consumer: ConsumerId,
    /// Of whom.
    pub record: RecordId,
    /// What.
    pub type_: EventType,
}

/// For each record and consumer the statements that are not undone.
pub async fn find(
    conn: &mut Conn,
    records: &[RecordId],
) -> Result<HashMap<RecordId, HashMap<ConsumerId, TypeSet>>, Error> {
    let rows: Vec<(Vec<u8>, i64, String)> = sqlx::query_as(
        "SELECT record, consumer, type FROM told WHERE record IN (SELECT unhex(value) FROM json_each(?))",
    )
    .bind(hexes(records))
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<RecordId, HashMap<ConsumerId, TypeSet>> = HashMap::new();
    for (record, consumer, type_) in rows {
        let record = Column("told", "record").record(&record)?;
        let type_ = Column("told", "type").parse(&type_)?;
        let types = found.entry(record).or_default().entry(consumer).or_default();
        *types = types.iter().chain([type_]).collect();
    }
    Ok(found)
}

fn values(told: &[Told]) -> Result<String, Error> {
    let rows: Vec<_> = told.iter().map(|t| (hex::encode(t.record.0), t.consumer, t.type_.name())).collect();
    batch("told", &rows)
}

/// Forgets those undone, then remembers statements.
pub async fn write(conn: &mut Conn, stated: &[Told], undone: &[Told], now: Timestamp) -> Result<(), Error> {
    if !undone.is_empty() {
        sqlx::query(
            "DELETE FROM told WHERE (record, consumer, type) IN
                 (SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each(?))",
        )
        .bind(values(undone)?)
        .execute(&mut *conn)
        .await?;
    }
    if !stated.is_empty() {
        sqlx::query(
            "INSERT INTO told (record, consumer, type, at)
             SELECT unhex(value ->> 0), value ->> 1, value ->> 2, ? FROM json_each(?) WHERE true
             ON CONFLICT (record, consumer, type) DO UPDATE SET at = excluded.at",
        )
        .bind(now.as_millisecond())
        .bind(values(stated)?)
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Forgets statements made before `before`, at most `limit`. How many.
pub async fn expire(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, Error> {
    let deleted = sqlx::query(
        "DELETE FROM told WHERE (record, consumer, type) IN
             (SELECT record, consumer, type FROM told WHERE at < ? LIMIT ?)",
    )
    .bind(before.as_millisecond())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
