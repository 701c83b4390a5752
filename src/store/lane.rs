//! Lanes: how far each of a consumer's sixteen shards has been delivered, and by whom.

use super::rows::{Column, batch};
use super::sql::{query, query_as};
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
    let shards: Vec<i64> = (0..i64::from(LANES)).collect();
    query(
        "INSERT INTO lane (consumer, shard, watermark, taken, epoch, worker)
         SELECT $1, id, 0, 0, 1, $2 FROM ids($3) s WHERE true
         ON CONFLICT (consumer, shard) DO UPDATE SET epoch = lane.epoch + 1, worker = excluded.worker",
    )
    .bind(consumer)
    .bind(worker)
    .bind(&shards[..])
    .execute(&mut *conn)
    .await?;
    read(conn, consumer).await
}

/// Moves lanes, fenced: a lane is moved only under the epoch given with it. Whether all were; the caller rolls back when not.
pub async fn advance(conn: &mut Conn, consumer: ConsumerId, lanes: &[Lane]) -> Result<bool, Error> {
    let values: Vec<_> = lanes.iter().map(|lane| (lane.shard, lane.watermark, lane.taken, lane.epoch)).collect();
    let moved = query(
        "UPDATE lane SET watermark = CAST(j.value ->> 1 AS BIGINT), taken = CAST(j.value ->> 2 AS BIGINT) FROM json_each($1) j
         WHERE lane.consumer = $2 AND lane.shard = CAST(j.value ->> 0 AS BIGINT) AND lane.epoch = CAST(j.value ->> 3 AS BIGINT)",
    )
    .bind(batch("lane", &values)?)
    .bind(consumer)
    .execute(conn)
    .await?;
    Ok(moved == lanes.len() as u64)
}

/// A consumer's lanes.
pub async fn read(conn: &mut Conn, consumer: ConsumerId) -> Result<Vec<Lane>, Error> {
    let rows: Vec<(i64, i64, i64, i64)> =
        query_as("SELECT shard, watermark, taken, epoch FROM lane WHERE consumer = $1 ORDER BY shard")
            .bind(consumer)
            .fetch_all(conn)
            .await?;
    rows.into_iter()
        .map(|(shard, watermark, taken, epoch)| {
            Ok(Lane { shard: Column("lane", "shard").number(shard)?, watermark, taken, epoch })
        })
        .collect()
}
