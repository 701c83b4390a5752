//! Attempts: one row per request that was made; never a receiver's words.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::database::Dialect;
use super::rows::{Column, batch, name_of};
use super::sql::{Arg, query, query_as};
use super::{Conn, ConsumerId, Error};

/// An attempt to record.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The route.
    pub seq: i64,
    /// Which attempt of it, from 1.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub millis: u32,
    /// Class of the error, if it failed.
    pub class: Option<String>,
}

/// How an attempt, or a route without one, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// A 2xx.
    Delivered,
    /// Anything else.
    Failed,
    /// Not sent any more, for the consumer may not have it now.
    Withdrawn,
    /// Given up.
    DeadLettered,
}

const OUTCOME: Column = Column("attempt", "outcome");

/// Inserts attempts. What became of a route without a further request takes the place of its last attempt's outcome.
pub async fn insert(conn: &mut Conn, consumer: ConsumerId, attempts: &[Attempt]) -> Result<(), Error> {
    if attempts.is_empty() {
        return Ok(());
    }
    let attempts = merged(attempts);
    match conn.dialect() {
        Dialect::Sqlite => insert_sqlite(conn, consumer, &attempts).await,
        Dialect::Postgres => insert_postgres(conn, consumer, &attempts).await,
    }
}

/// One of each attempt, for a statement may write a row once only: what became of a route takes the place of the outcome of its
/// last attempt, as it would of one that is written already.
fn merged(attempts: &[Attempt]) -> Vec<Attempt> {
    let mut places = HashMap::with_capacity(attempts.len());
    let mut merged: Vec<Attempt> = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        match places.entry((attempt.seq, attempt.number)) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(attempt.clone());
            }
            Entry::Occupied(place) => {
                let first = &mut merged[*place.get()];
                first.outcome = attempt.outcome;
                first.status = attempt.status.or(first.status);
                first.class = attempt.class.clone().or(first.class.take());
            }
        }
    }
    merged
}

async fn insert_sqlite(conn: &mut Conn, consumer: ConsumerId, attempts: &[Attempt]) -> Result<(), Error> {
    let values = attempts.iter().map(value).collect::<Result<Vec<_>, Error>>()?;
    query(
        "INSERT INTO attempt (consumer, seq, number, at, outcome, status, millis, class)
         SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
         FROM json_each($2) WHERE true
         ON CONFLICT (consumer, seq, number) DO UPDATE
         SET outcome = excluded.outcome, status = coalesce(excluded.status, attempt.status),
             class = coalesce(excluded.class, attempt.class)",
    )
    .bind(consumer)
    .bind(batch("attempt", &values)?)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_postgres(conn: &mut Conn, consumer: ConsumerId, attempts: &[Attempt]) -> Result<(), Error> {
    let ints = |value: fn(&Attempt) -> Option<i64>| Arg::Ints(attempts.iter().map(value).collect());
    let outcomes = attempts.iter().map(|attempt| name_of(&attempt.outcome, OUTCOME).map(Some));
    query(
        "INSERT INTO attempt (consumer, seq, number, at, outcome, status, millis, class)
         SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[],
                                  $8::text[])
         ON CONFLICT (consumer, seq, number) DO UPDATE
         SET outcome = excluded.outcome, status = coalesce(excluded.status, attempt.status),
             class = coalesce(excluded.class, attempt.class)",
    )
    .bind(consumer)
    .bind(ints(|attempt| Some(attempt.seq)))
    .bind(ints(|attempt| Some(attempt.number.into())))
    .bind(ints(|attempt| Some(attempt.at.as_millisecond())))
    .bind(Arg::Texts(outcomes.collect::<Result<_, _>>()?))
    .bind(ints(|attempt| attempt.status.map(i64::from)))
    .bind(ints(|attempt| Some(attempt.millis.into())))
    .bind(Arg::Texts(attempts.iter().map(|attempt| attempt.class.clone()).collect()))
    .execute(conn)
    .await?;
    Ok(())
}

/// An attempt as an element of the batch.
type Value<'a> = (i64, u32, i64, String, Option<u16>, u32, Option<&'a str>);

fn value(attempt: &Attempt) -> Result<Value<'_>, Error> {
    let outcome = name_of(&attempt.outcome, OUTCOME)?;
    let at = attempt.at.as_millisecond();
    Ok((attempt.seq, attempt.number, at, outcome, attempt.status, attempt.millis, attempt.class.as_deref()))
}

/// For each of a consumer's routes above `after` that has attempts: how many, and whether the last one settled it.
pub async fn above(
    conn: &mut Conn,
    consumer: ConsumerId,
    after: i64,
) -> Result<HashMap<i64, (u32, Option<AttemptOutcome>)>, Error> {
    let rows: Vec<(i64, i64, String)> = query_as(
        "SELECT seq, number, outcome FROM attempt a WHERE consumer = $1 AND seq > $2
             AND number = (SELECT max(number) FROM attempt l WHERE l.consumer = a.consumer AND l.seq = a.seq)",
    )
    .bind(consumer)
    .bind(after)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(seq, number, outcome)| {
            let outcome = OUTCOME.variant(&outcome)?;
            let settled = Some(outcome).filter(|outcome| *outcome != AttemptOutcome::Failed);
            Ok((seq, (Column("attempt", "number").number(number)?, settled)))
        })
        .collect()
}
