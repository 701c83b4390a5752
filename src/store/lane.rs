//! Lanes: how far each of a consumer's sixteen shards has been delivered, and by whom.

use super::rows::{Column, batch};
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

/// How many lanes a consumer has.
pub const LANES: u8 = 16;

/// Takes all lanes of a consumer for a worker: makes them if absent and raises every epoch by one.
pub async fn take(conn: &mut Conn, consumer: ConsumerId, worker: &str) -> Result<Vec<Lane>, Error> {
    let shards: Vec<u8> = (0..LANES).collect();
    sqlx::query(
        "INSERT INTO lane (consumer, shard, watermark, taken, epoch, worker)
         SELECT ?1, value, 0, 0, 1, ?2 FROM json_each(?3) WHERE true
         ON CONFLICT (consumer, shard) DO UPDATE SET epoch = epoch + 1, worker = excluded.worker",
    )
    .bind(consumer)
    .bind(worker)
    .bind(batch("lane", &shards)?)
    .execute(&mut *conn)
    .await?;
    read(conn, consumer).await
}

/// Moves lanes, fenced: a lane is moved only under the epoch given with it. Whether all were; the caller rolls back when not.
pub async fn advance(conn: &mut Conn, consumer: ConsumerId, lanes: &[Lane]) -> Result<bool, Error> {
    let values: Vec<_> = lanes.iter().map(|lane| (lane.shard, lane.watermark, lane.taken, lane.epoch)).collect();
    let moved = sqlx::query(
        "UPDATE lane SET watermark = j.value ->> 1, taken = j.value ->> 2 FROM json_each(?) j
         WHERE lane.consumer = ? AND lane.shard = j.value ->> 0 AND lane.epoch = j.value ->> 3",
    )
    .bind(batch("lane", &values)?)
    .bind(consumer)
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() == lanes.len() as u64)
}

/// A consumer's lanes.
pub async fn read(conn: &mut Conn, consumer: ConsumerId) -> Result<Vec<Lane>, Error> {
    let rows: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as("SELECT shard, watermark, taken, epoch FROM lane WHERE consumer = ? ORDER BY shard")
            .bind(consumer)
            .fetch_all(conn)
            .await?;
    rows.into_iter()
        .map(|(shard, watermark, taken, epoch)| {
            Ok(Lane { shard: Column("lane", "shard").number(shard)?, watermark, taken, epoch })
        })
        .collect()
}
