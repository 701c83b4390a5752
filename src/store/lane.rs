//! Lanes: how far each of a consumer's sixteen shards has been delivered, and by whom.

use super::{Conn, ConsumerId, Error};

/// One lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Shard, 0–15.
    pub shard: u8,
    /// Every route up to here is settled or parked.
    pub watermark: i64,
    /// Every route up to here may have been sent.
    pub taken: i64,
    /// The holder's epoch.
    pub epoch: i64,
}

/// Takes all lanes of a consumer for a worker: makes them if absent and raises every epoch by one.
pub async fn take(conn: &mut Conn, consumer: ConsumerId, worker: &str) -> Result<Vec<Lane>, Error> {
    let _ = (conn, consumer, worker);
    todo!()
}

/// Moves lanes, fenced: a lane is moved only under the epoch given with it. Whether all were.
pub async fn advance(conn: &mut Conn, consumer: ConsumerId, lanes: &[Lane]) -> Result<bool, Error> {
    let _ = (conn, consumer, lanes);
    todo!()
}

/// A consumer's lanes.
pub async fn read(conn: &mut Conn, consumer: ConsumerId) -> Result<Vec<Lane>, Error> {
    let _ = (conn, consumer);
    todo!()
}
