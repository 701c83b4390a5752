//! Dead letters: what was given up, visible until somebody decides.

use jiff::Timestamp;

use super::route::Route;
use super::rows::{Column, batch, count as unsigned};
use super::{Conn, ConsumerId, Error};

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
    sqlx::query(
        "INSERT INTO dead_letter (consumer, seq, to_seq, count, shard, event, event_id, source, record, type,
                                  subscriptions, at, given_up_at, attempts, class, snapshot)
         SELECT value ->> 0, value ->> 1, value ->> 1, 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5,
                unhex(value ->> 6), value ->> 7, value ->> 8, value ->> 9, ?, value ->> 10, value ->> 11,
                (SELECT snapshot FROM event WHERE seq = value ->> 3)
         FROM json_each(?)",
    )
    .bind(now.as_millisecond())
    .bind(batch("dead_letter", &values)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// A letter as an element of the batch.
type Value<'a> = (ConsumerId, i64, u8, i64, String, i64, Option<String>, &'static str, String, i64, u32, &'a str);

fn value<'a>(letter: &GivenUp<'a>) -> Result<Value<'a>, Error> {
    let route = letter.route;
    Ok((
        route.consumer,
        route.seq,
        route.shard,
        route.event_seq,
        hex::encode(route.event.0),
        route.source,
        route.record.map(|record| hex::encode(record.0)),
        route.type_.name(),
        Column("dead_letter", "subscriptions").to_json(&route.subscriptions)?,
        route.at.as_millisecond(),
        letter.attempts,
        letter.class,
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
    sqlx::query(
        "INSERT INTO dead_letter (consumer, seq, to_seq, count, at, given_up_at, attempts, class)
         VALUES (?, ?, ?, ?, ?, ?, 0, 'expired')",
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
    let found: i64 = sqlx::query_scalar("SELECT coalesce(sum(count), 0) FROM dead_letter WHERE consumer = ?")
        .bind(consumer)
        .fetch_one(conn)
        .await?;
    Ok(unsigned(found))
}
