//! What a subscription's list gained in an hour, and how many of its numbers the register did not know.

use jiff::Timestamp;

use super::rows::count as unsigned;
use super::sql::{query, query_as};
use super::{Conn, Error, SubscriptionId};

const MILLIS: i64 = 3_600_000;

/// Counts of one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Persons put on the list.
    pub added: u64,
    /// Numbers that the register did not know.
    pub unknown: u64,
}

/// When the hour of `now` ends.
pub fn end(now: Timestamp) -> Timestamp {
    Timestamp::from_millisecond((hour(now) + 1) * MILLIS).unwrap_or(Timestamp::MAX)
}

fn hour(now: Timestamp) -> i64 {
    now.as_millisecond().div_euclid(MILLIS)
}

/// The counts of the hour of `now`.
pub async fn read(conn: &mut Conn, subscription: SubscriptionId, now: Timestamp) -> Result<Hour, Error> {
    let row: Option<(i64, i64)> =
        query_as("SELECT added, unknown FROM list_hour WHERE subscription = $1 AND hour = $2")
            .bind(subscription)
            .bind(hour(now))
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|(added, unknown)| Hour { added: unsigned(added), unknown: unsigned(unknown) }).unwrap_or_default())
}

/// Adds to the counts of the hour of `now`, and forgets those of earlier hours.
pub async fn add(conn: &mut Conn, subscription: SubscriptionId, more: Hour, now: Timestamp) -> Result<(), Error> {
    query("DELETE FROM list_hour WHERE subscription = $1 AND hour < $2")
        .bind(subscription)
        .bind(hour(now))
        .execute(&mut *conn)
        .await?;
    query(
        "INSERT INTO list_hour (subscription, hour, added, unknown) VALUES ($1, $2, $3, $4)
         ON CONFLICT (subscription, hour) DO UPDATE SET added = list_hour.added + $3, unknown = list_hour.unknown + $4",
    )
    .bind(subscription)
    .bind(hour(now))
    .bind(i64::try_from(more.added).unwrap_or(i64::MAX))
    .bind(i64::try_from(more.unknown).unwrap_or(i64::MAX))
    .execute(conn)
    .await?;
    Ok(())
}
