//! Attempts: one row per request that was made; never a receiver's words.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// Inserts attempts.
pub async fn insert(conn: &mut Conn, consumer: ConsumerId, attempts: &[Attempt]) -> Result<(), Error> {
    let _ = (conn, consumer, attempts);
    todo!()
}

/// For each of a consumer's routes above `after` that has attempts: how many, and whether the last one settled it.
pub async fn above(
    conn: &mut Conn,
    consumer: ConsumerId,
    after: i64,
) -> Result<HashMap<i64, (u32, Option<AttemptOutcome>)>, Error> {
    let _ = (conn, consumer, after);
    todo!()
}
