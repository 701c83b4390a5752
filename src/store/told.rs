//! What a consumer was told and has not seen undone.

use std::collections::HashMap;

use jiff::Timestamp;

use super::rows::{Column, batch};
use super::sql::{query, query_as};
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
    let rows: Vec<(Vec<u8>, i64, String)> =
        query_as("SELECT record, consumer, type FROM told WHERE record IN records($1)")
            .bind(records)
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
        query(
            "DELETE FROM told WHERE (record, consumer, type) IN
                 (SELECT unhex(value ->> 0), CAST(value ->> 1 AS BIGINT), value ->> 2 FROM json_each($1))",
        )
        .bind(values(undone)?)
        .execute(&mut *conn)
        .await?;
    }
    if !stated.is_empty() {
        query(
            "INSERT INTO told (record, consumer, type, at)
             SELECT DISTINCT unhex(value ->> 0), CAST(value ->> 1 AS BIGINT), value ->> 2, $1 FROM json_each($2) WHERE true
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
    let deleted = query(
        "DELETE FROM told WHERE (record, consumer, type) IN
             (SELECT record, consumer, type FROM told WHERE at < $1 LIMIT $2)",
    )
    .bind(before.as_millisecond())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(deleted)
}
