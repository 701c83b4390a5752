//! Parked persons: the only delivery state that is kept per person; empty when all is well.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rows::{Column, batch, name_of};
use super::sql::{query, query_as};
use super::{Conn, ConsumerId, Error};
use crate::domain::pairwise::RecordId;

/// A parked person.
#[derive(Clone, Debug, PartialEq)]
pub struct Parked {
    /// The person.
    pub record: RecordId,
    /// The first route that is not settled.
    pub first_seq: i64,
    /// Attempts of that route that count.
    pub attempts: u32,
    /// Since when its budget runs.
    pub since: Timestamp,
    /// When to try again.
    pub next_at: Timestamp,
    /// Why it waits.
    pub state: ParkedState,
    /// Class of the last error.
    pub class: String,
    /// Whether an event was given up and the next one has to say so.
    pub gap: bool,
}

/// Why a person waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParkedState {
    /// For a fault of this person's own delivery.
    Retrying,
    /// For the consumer's outage to end; costs nothing of the budget.
    Outage,
    /// Nothing is waiting; only the gap has yet to be said.
    GapOnly,
}

const STATE: Column = Column("parked", "state");

#[derive(sqlx::FromRow)]
struct Row {
    record: Vec<u8>,
    first_seq: i64,
    attempts: i64,
    since: i64,
    next_at: i64,
    state: String,
    class: String,
    gap: i64,
}

impl TryFrom<Row> for Parked {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            record: Column("parked", "record").record(&row.record)?,
            first_seq: row.first_seq,
            attempts: Column("parked", "attempts").number(row.attempts)?,
            since: Column("parked", "since").time(row.since)?,
            next_at: Column("parked", "next_at").time(row.next_at)?,
            state: STATE.variant(&row.state)?,
            class: row.class,
            gap: row.gap != 0,
        })
    }
}

/// A row as an element of the batch.
type Value<'a> = (String, i64, u32, i64, i64, String, &'a str, i64);

fn value(row: &Parked) -> Result<Value<'_>, Error> {
    Ok((
        hex::encode(row.record.0),
        row.first_seq,
        row.attempts,
        row.since.as_millisecond(),
        row.next_at.as_millisecond(),
        name_of(&row.state, STATE)?,
        &row.class,
        i64::from(row.gap),
    ))
}

/// Writes parked persons, new and known.
pub async fn write(conn: &mut Conn, consumer: ConsumerId, rows: &[Parked]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let values = rows.iter().map(value).collect::<Result<Vec<_>, Error>>()?;
    query(
        "INSERT INTO parked (consumer, record, first_seq, attempts, since, next_at, state, class, gap)
         SELECT $1, unhex(value ->> 0), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT),
                CAST(value ->> 4 AS BIGINT), value ->> 5, value ->> 6, CAST(value ->> 7 AS BIGINT)
         FROM json_each($2) WHERE true
         ON CONFLICT (consumer, record) DO UPDATE
         SET first_seq = excluded.first_seq, attempts = excluded.attempts, since = excluded.since,
             next_at = excluded.next_at, state = excluded.state, class = excluded.class, gap = excluded.gap",
    )
    .bind(consumer)
    .bind(batch("parked", &values)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the rows of persons who are no longer parked.
pub async fn delete(conn: &mut Conn, consumer: ConsumerId, records: &[RecordId]) -> Result<(), Error> {
    query("DELETE FROM parked WHERE consumer = $1 AND record IN records($2)")
        .bind(consumer)
        .bind(records)
        .execute(conn)
        .await?;
    Ok(())
}

/// All parked persons of a consumer.
pub async fn all(conn: &mut Conn, consumer: ConsumerId) -> Result<Vec<Parked>, Error> {
    let rows: Vec<Row> =
        query_as("SELECT * FROM parked WHERE consumer = $1 ORDER BY first_seq").bind(consumer).fetch_all(conn).await?;
    rows.into_iter().map(Parked::try_from).collect()
}
