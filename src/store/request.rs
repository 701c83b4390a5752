//! What delivery asks of ingest: snapshots after an event was given up.

use jiff::Timestamp;

use super::{Conn, ConsumerId, Error};
use crate::domain::pairwise::RecordId;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Id.
    pub id: i64,
    /// For whom.
    pub consumer: ConsumerId,
    /// Of whom.
    pub record: RecordId,
}

/// Asks for a snapshot of each person.
pub async fn ask(conn: &mut Conn, consumer: ConsumerId, records: &[RecordId], now: Timestamp) -> Result<(), Error> {
    let _ = (conn, consumer, records, now);
    todo!()
}

/// Open requests, oldest first, at most `limit`.
pub async fn read(conn: &mut Conn, limit: u32) -> Result<Vec<Request>, Error> {
    let _ = (conn, limit);
    todo!()
}

/// Deletes requests that were met.
pub async fn delete(conn: &mut Conn, ids: &[i64]) -> Result<(), Error> {
    let _ = (conn, ids);
    todo!()
}
