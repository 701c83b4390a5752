//! What became of a consumer's deliveries, for people who look: never content.

use jiff::Timestamp;
use serde::Serialize;

use super::attempt::AttemptOutcome;
use super::route::Replay;
use super::rows::Column;
use super::sql::query_as;
use super::{Conn, ConsumerId, Error};
use crate::domain::event_type::EventType;
use crate::domain::pairwise::{EventId, RecordId};

/// One delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The route's number.
    pub seq: i64,
    /// When the route was committed.
    pub at: Timestamp,
    /// As what.
    pub type_: EventType,
    /// The person; none for events without one.
    pub record: Option<RecordId>,
    /// The event's random id; with `type_` and the number of `replay` it gives the delivery's id.
    pub event: EventId,
    /// Whether it was asked for, and what it repeats.
    pub replay: Option<Replay>,
    /// Requests that were made.
    pub attempts: u32,
    /// HTTP status of the last answer.
    pub status: Option<u16>,
    /// Class of the last error, or why it was withdrawn.
    pub class: Option<String>,
    /// How it stands.
    pub standing: Standing,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Standing {
    /// Accepted.
    Delivered,
    /// The last attempt failed; another follows.
    Failed,
    /// Not sent any more, for the consumer may not have it.
    Withdrawn,
    /// Given up.
    DeadLettered,
    /// Not tried yet.
    Waiting,
    /// Its person waits for another attempt.
    Parked,
}

/// The columns of [`Row`] and where they come from; a condition and order follow.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT r.seq, r.at, r.type AS type_, r.record, e.id AS event, r.replay, r.of_seq, r.of_replay, a.number,
                    a.outcome, a.status, a.class, r.seq <= coalesce(l.watermark, 0) AS passed,
                    EXISTS (SELECT 1 FROM parked p WHERE p.consumer = r.consumer AND p.record = r.record
                            AND p.state <> 'GapOnly' AND p.first_seq <= r.seq) AS parked
             FROM route r JOIN event e ON e.seq = r.event
             LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
             LEFT JOIN attempt a ON a.consumer = r.consumer AND a.seq = r.seq
                  AND a.number = (SELECT max(number) FROM attempt WHERE consumer = r.consumer AND seq = r.seq)
             WHERE ",
            $condition
        )
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: i64,
    type_: String,
    record: Option<Vec<u8>>,
    event: Vec<u8>,
    replay: Option<i64>,
    of_seq: Option<i64>,
    of_replay: Option<i64>,
    number: Option<i64>,
    outcome: Option<String>,
    status: Option<i64>,
    class: Option<String>,
    passed: bool,
    parked: bool,
}

impl TryFrom<Row> for Logged {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let outcome = row.outcome.as_deref().map(|name| Column("attempt", "outcome").variant(name)).transpose()?;
        let attempts: u32 = Column("attempt", "number").number(row.number.unwrap_or(0))?;
        Ok(Self {
            seq: row.seq,
            at: Column("route", "at").time(row.at)?,
            type_: Column("route", "type").parse(&row.type_)?,
            record: row.record.as_deref().map(|bytes| Column("route", "record").record(bytes)).transpose()?,
            event: Column("event", "id").event(&row.event)?,
            replay: Replay::of_columns(row.replay, row.of_seq, row.of_replay),
            // A withdrawal is written as an attempt that was not made.
            attempts: attempts - u32::from(outcome == Some(AttemptOutcome::Withdrawn)),
            status: row.status.map(|status| Column("attempt", "status").number(status)).transpose()?,
            class: row.class,
            standing: standing(outcome, row.passed, row.parked),
        })
    }
}

fn standing(outcome: Option<AttemptOutcome>, passed: bool, parked: bool) -> Standing {
    match outcome {
        Some(AttemptOutcome::Delivered) => Standing::Delivered,
        Some(AttemptOutcome::Withdrawn) => Standing::Withdrawn,
        Some(AttemptOutcome::DeadLettered) => Standing::DeadLettered,
        _ if parked => Standing::Parked,
        Some(AttemptOutcome::Failed) => Standing::Failed,
        None if passed => Standing::Delivered,
        None => Standing::Waiting,
    }
}

/// A consumer's deliveries after the number `after`, committed at `since` or later, of one person if `record` is given; in
/// order, at most `limit`. The next page begins after the last number of this one.
pub async fn page(
    conn: &mut Conn,
    consumer: ConsumerId,
    record: Option<RecordId>,
    since: Option<Timestamp>,
    after: i64,
    limit: u32,
) -> Result<Vec<Logged>, Error> {
    const EVERYONE: &str = select!("r.consumer = $1 AND r.seq > $2 AND r.at >= $3 ORDER BY r.seq LIMIT $4");
    const ONE: &str =
        select!("r.consumer = $1 AND r.record = $5 AND r.seq > $2 AND r.at >= $3 ORDER BY r.seq LIMIT $4");
    let query = query_as(if record.is_some() { ONE } else { EVERYONE })
        .bind(consumer)
        .bind(after)
        .bind(since.map_or(i64::MIN, Timestamp::as_millisecond))
        .bind(limit);
    let query = match record {
        Some(record) => query.bind(record.0.to_vec()),
        None => query,
    };
    let rows: Vec<Row> = query.fetch_all(conn).await?;
    rows.into_iter().map(Logged::try_from).collect()
}
