//! Parked persons: the only delivery state that is kept per person; empty when all is well.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// Writes parked persons, new and known.
pub async fn write(conn: &mut Conn, consumer: ConsumerId, rows: &[Parked]) -> Result<(), Error> {
    let _ = (conn, consumer, rows);
    todo!()
}

/// Deletes the rows of persons who are no longer parked.
pub async fn delete(conn: &mut Conn, consumer: ConsumerId, records: &[RecordId]) -> Result<(), Error> {
    let _ = (conn, consumer, records);
    todo!()
}

/// All parked persons of a consumer.
pub async fn all(conn: &mut Conn, consumer: ConsumerId) -> Result<Vec<Parked>, Error> {
    let _ = (conn, consumer);
    todo!()
}
