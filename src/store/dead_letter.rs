//! Dead letters: what was given up, visible until somebody decides.

use jiff::Timestamp;
use serde::Serialize;

use super::database::Dialect;
use super::job::JobId;
use super::route::{Replay, Route};
use super::rows::{Column, batch, count as unsigned};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error, event, replay};
use crate::domain::event_type::EventType;
use crate::domain::pairwise::{EventId, RecordId};

/// A dead letter as people see it: never content.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Id.
    pub id: i64,
    /// The number of the route; of a range the first.
    pub seq: i64,
    /// The same; of a range the last.
    pub to_seq: i64,
    /// How many deliveries it stands for; more than one only of a range.
    pub count: u64,
    /// What was given up; none of a range.
    pub given_up: Option<About>,
    /// When the event was committed; of a range the oldest.
    pub at: Timestamp,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// Requests that were made.
    pub attempts: u32,
    /// Class of the last error.
    pub class: String,
}

/// What a single dead letter was to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// As what.
    pub type_: EventType,
    /// The event's random id; with `type_` and the number of `replay` it gives the delivery's id.
    pub event: EventId,
    /// The person; none for events without one.
    pub record: Option<RecordId>,
    /// Whether it was asked for, and what it repeats.
    pub replay: Option<Replay>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    seq: i64,
    to_seq: i64,
    count: i64,
    event_id: Option<Vec<u8>>,
    record: Option<Vec<u8>>,
    type_: Option<String>,
    at: i64,
    given_up_at: i64,
    attempts: i64,
    class: String,
    replay: Option<i64>,
    of_seq: Option<i64>,
    of_replay: Option<i64>,
}

impl TryFrom<Row> for Letter {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let given_up = match (&row.event_id, &row.type_) {
            (Some(event), Some(type_)) => Some(About {
                type_: Column("dead_letter", "type").parse(type_)?,
                event: Column("dead_letter", "event_id").event(event)?,
                record: row.record.as_deref().map(|r| Column("dead_letter", "record").record(r)).transpose()?,
                replay: Replay::of_columns(row.replay, row.of_seq, row.of_replay),
            }),
            _ => None,
        };
        Ok(Self {
            id: row.id,
            seq: row.seq,
            to_seq: row.to_seq,
            count: unsigned(row.count),
            given_up,
            at: Column("dead_letter", "at").time(row.at)?,
            given_up_at: Column("dead_letter", "given_up_at").time(row.given_up_at)?,
            attempts: Column("dead_letter", "attempts").number(row.attempts)?,
            class: row.class,
        })
    }
}

/// The columns of [`Row`]; the table and a condition follow.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT r.id, r.seq, r.to_seq, r.count, r.event_id, r.record, r.type AS type_, r.at, r.given_up_at, r.attempts,
                    r.class, r.replay, r.of_seq, r.of_replay
             FROM dead_letter r WHERE ",
            $condition
        )
    };
}

/// A consumer's dead letters whose number is above `after`, in the order of numbers, a range before a single one, at most
/// `limit`. The next page begins after the last number of this one.
pub async fn list(conn: &mut Conn, consumer: ConsumerId, after: i64, limit: u32) -> Result<Vec<Letter>, Error> {
    let rows: Vec<Row> =
        query_as(select!("r.consumer = $1 AND r.seq > $2 ORDER BY r.seq, r.event IS NOT NULL LIMIT $3"))
            .bind(consumer)
            .bind(after)
            .bind(limit)
            .fetch_all(conn)
            .await?;
    rows.into_iter().map(Letter::try_from).collect()
}

/// Those of the ids that are dead letters of the consumer.
pub async fn get(conn: &mut Conn, consumer: ConsumerId, ids: &[i64]) -> Result<Vec<Letter>, Error> {
    let rows: Vec<Row> = query_as(select!("r.id IN ids($1) AND r.consumer = $2 ORDER BY r.seq"))
        .bind(ids)
        .bind(consumer)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(Letter::try_from).collect()
}

/// Deletes dead letters. How many deliveries they stood for.
pub async fn delete(conn: &mut Conn, consumer: ConsumerId, ids: &[i64]) -> Result<u64, Error> {
    let counts: Vec<i64> =
        query_scalar("DELETE FROM dead_letter WHERE id IN ids($1) AND consumer = $2 RETURNING count")
            .bind(ids)
            .bind(consumer)
            .fetch_all(conn)
            .await?;
    Ok(counts.into_iter().map(unsigned).sum())
}

/// The highest id of a consumer's dead letters; 0 where there is none.
pub async fn highest(conn: &mut Conn, consumer: ConsumerId) -> Result<i64, Error> {
    Ok(query_scalar("SELECT coalesce(max(id), 0) FROM dead_letter WHERE consumer = $1")
        .bind(consumer)
        .fetch_one(conn)
        .await?)
}

/// Of how many persons a consumer's dead letters tell; ranges do not say.
pub async fn persons(conn: &mut Conn, consumer: ConsumerId) -> Result<u64, Error> {
    let found: i64 = query_scalar("SELECT count(DISTINCT record) FROM dead_letter WHERE consumer = $1")
        .bind(consumer)
        .fetch_one(conn)
        .await?;
    Ok(unsigned(found))
}

/// Sends single dead letters once more, asked for by the job `replay`, in the order given: an event that is gone is put back
/// under its number, each gets a new route, and the letter goes. How many; those stay whose person or source is gone.
pub async fn retry(conn: &mut Conn, replay: JobId, ids: &[i64], now: Timestamp) -> Result<u64, Error> {
    let fit: Vec<i64> = query_scalar(
        "SELECT d.id FROM json_each($1) j CROSS JOIN dead_letter d ON d.id = CAST(j.value AS BIGINT)
         WHERE d.event IS NOT NULL AND EXISTS (SELECT 1 FROM source s WHERE s.id = d.source)
           AND (d.record IS NULL AND d.detail IS NOT NULL
                OR d.snapshot IS NOT NULL
                   AND EXISTS (SELECT 1 FROM person p WHERE p.record = d.record)
                   AND NOT EXISTS (SELECT 1 FROM person p WHERE p.record = d.record AND p.leaving = 1))
         ORDER BY j.key",
    )
    .bind(batch("dead_letter", ids)?)
    .fetch_all(&mut *conn)
    .await?;
    if conn.dialect() == Dialect::Postgres {
        query("SELECT renew_partitions($1)").bind(&fit[..]).execute(&mut *conn).await?;
    }
    let list = batch("dead_letter", &fit)?;
    query(
        "INSERT INTO event (seq, id, record, source, type, at, detail, snapshot, audit_period, audit_person, audit_number)
         SELECT d.event, d.event_id, d.record, d.source, d.type, d.at, d.detail, d.snapshot, d.audit_period,
                d.audit_person, d.audit_number
         FROM json_each($1) j CROSS JOIN dead_letter d ON d.id = CAST(j.value AS BIGINT) WHERE true
         ON CONFLICT (seq) DO NOTHING",
    )
    .bind(&list)
    .execute(&mut *conn)
    .await?;
    event::lock_numbers(&mut *conn).await?;
    query(
        "INSERT INTO route (consumer, shard, event, record, type, subscriptions, at, replay, of_seq, of_replay)
         SELECT d.consumer, d.shard, d.event, d.record, d.type, d.subscriptions, $1, $2, coalesce(d.of_seq, d.seq),
                CASE WHEN d.of_seq IS NULL THEN d.replay ELSE d.of_replay END
         FROM json_each($3) j CROSS JOIN dead_letter d ON d.id = CAST(j.value AS BIGINT) ORDER BY j.key",
    )
    .bind(now.as_millisecond())
    .bind(replay)
    .bind(&list)
    .execute(&mut *conn)
    .await?;
    query("DELETE FROM dead_letter WHERE id IN ids($1)").bind(&fit[..]).execute(conn).await?;
    Ok(fit.len() as u64)
}

/// Sends what is left of a range once more, at most `limit` deliveries of it; the range shrinks by them, and goes when nothing
/// of it is left. How many were sent, and how many turned out to be gone.
pub async fn retry_range(
    conn: &mut Conn,
    job: JobId,
    consumer: ConsumerId,
    letter: &Letter,
    (limit, now): (u32, Timestamp),
) -> Result<(u64, u64), Error> {
    let seqs: Vec<i64> = query_scalar(
        "SELECT r.seq FROM route r CROSS JOIN attempt a ON a.consumer = r.consumer AND a.seq = r.seq
         WHERE r.consumer = $1 AND r.seq BETWEEN $2 AND $3 AND a.outcome = 'DeadLettered' AND a.class = 'Expired'
         ORDER BY r.seq LIMIT $4",
    )
    .bind(consumer)
    .bind(letter.seq)
    .bind(letter.to_seq)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let found = seqs.len() as u64;
    let sent = replay::repeat(&mut *conn, job, &seqs, now).await?;
    let (left, last) = (letter.count.saturating_sub(found), seqs.last().copied().unwrap_or(letter.to_seq));
    if found < u64::from(limit) {
        delete(conn, consumer, &[letter.id]).await?;
        return Ok((sent, found - sent + left));
    }
    query("UPDATE dead_letter SET seq = $1, count = $2 WHERE id = $3")
        .bind(last + 1)
        .bind(i64::try_from(left).unwrap_or(i64::MAX))
        .bind(letter.id)
        .execute(conn)
        .await?;
    Ok((sent, found - sent))
}

/// A delivery to give up.
pub struct GivenUp<'a> {
    /// The route.
    pub route: &'a Route,
    /// Attempts made.
    pub attempts: u32,
    /// Class of the last error.
    pub class: &'a str,
}

/// Inserts dead letters with a copy of their sealed snapshots.
pub async fn insert(conn: &mut Conn, letters: &[GivenUp<'_>], now: Timestamp) -> Result<(), Error> {
    if letters.is_empty() {
        return Ok(());
    }
    let values = letters.iter().map(value).collect::<Result<Vec<_>, Error>>()?;
    query(
        "INSERT INTO dead_letter (consumer, seq, to_seq, count, shard, event, event_id, source, record, type,
                                  subscriptions, at, given_up_at, attempts, class, replay, of_seq, of_replay, snapshot,
                                  detail, audit_period, audit_person, audit_number)
         SELECT CAST(j.value ->> 0 AS BIGINT), CAST(j.value ->> 1 AS BIGINT), CAST(j.value ->> 1 AS BIGINT), 1, CAST(j.value ->> 2 AS BIGINT), CAST(j.value ->> 3 AS BIGINT), unhex(j.value ->> 4),
                CAST(j.value ->> 5 AS BIGINT), unhex(j.value ->> 6), j.value ->> 7, j.value ->> 8, CAST(j.value ->> 9 AS BIGINT), $1,
                CAST(j.value ->> 10 AS BIGINT), j.value ->> 11, CAST(j.value ->> 12 AS BIGINT), CAST(j.value ->> 13 AS BIGINT),
                CAST(j.value ->> 14 AS BIGINT), e.snapshot, e.detail, e.audit_period,
                e.audit_person, e.audit_number
         FROM json_each($2) j LEFT JOIN event e ON e.seq = CAST(j.value ->> 3 AS BIGINT)",
    )
    .bind(now.as_millisecond())
    .bind(batch("dead_letter", &values)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// A letter as an element of the batch.
#[derive(Serialize)]
struct Value<'a>(
    ConsumerId,
    i64,
    u8,
    i64,
    String,
    i64,
    Option<String>,
    &'static str,
    String,
    i64,
    u32,
    &'a str,
    Option<JobId>,
    Option<i64>,
    Option<JobId>,
);

fn value<'a>(letter: &GivenUp<'a>) -> Result<Value<'a>, Error> {
    let route = letter.route;
    let first = route.replay.and_then(|replay| replay.of);
    Ok(Value(
        route.consumer,
        route.seq,
        route.shard,
        route.event_seq,
        hex::encode(route.event.0),
        route.source,
        route.record.map(|record| hex::encode(record.0)),
        route.type_.name(),
        Column("dead_letter", "subscriptions").to_json(&route.subscriptions)?,
        route.event_at.as_millisecond(),
        letter.attempts,
        letter.class,
        route.replay.map(|replay| replay.number),
        first.map(|first| first.seq),
        first.and_then(|first| first.replay),
    ))
}

/// Inserts one visible range for what a consumer did not take in time: `count` routes of it from `from` to `to`.
pub async fn insert_range(
    conn: &mut Conn,
    consumer: ConsumerId,
    (from, to): (i64, i64),
    count: u64,
    oldest: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    query(
        "INSERT INTO dead_letter (consumer, seq, to_seq, count, at, given_up_at, attempts, class)
         VALUES ($1, $2, $3, $4, $5, $6, 0, 'expired')",
    )
    .bind(consumer)
    .bind(from)
    .bind(to)
    .bind(i64::try_from(count).unwrap_or(i64::MAX))
    .bind(oldest.as_millisecond())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// How many deliveries a consumer has there; a range counts as what it holds.
pub async fn count(conn: &mut Conn, consumer: ConsumerId) -> Result<u64, Error> {
    let found: i64 =
        query_scalar("SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM dead_letter WHERE consumer = $1")
            .bind(consumer)
            .fetch_one(conn)
            .await?;
    Ok(unsigned(found))
}
