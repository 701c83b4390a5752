//! Lanes: how far each of a consumer's sixteen shards has been delivered, and by whom.

use super::rows::{Column, batch};
use super::sql::{query, query_as};
use super::worker::DEAD_AFTER_MS;
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

/// Makes a consumer's lanes, held by nobody, if they are absent.
pub async fn make(conn: &mut Conn, consumer: ConsumerId) -> Result<(), Error> {
    let shards: Vec<i64> = (0..i64::from(LANES)).collect();
    query(
        "INSERT INTO lane (consumer, shard, watermark, taken, epoch, worker)
         SELECT $1, id, 0, 0, 0, '' FROM ids($2) s WHERE true ON CONFLICT DO NOTHING",
    )
    .bind(consumer)
    .bind(&shards[..])
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes lanes that nobody living holds, at most `most`, and raises their epochs. What stands under the taker's own name and it
/// does not `hold` is nobody's: it failed to begin with it, or to give it back.
pub async fn take_free(
    conn: &mut Conn,
    consumer: ConsumerId,
    worker: &str,
    hold: &[i64],
    most: u8,
) -> Result<Vec<Lane>, Error> {
    let rows: Vec<Row> = query_as(
        "UPDATE lane SET epoch = lane.epoch + 1, worker = $1 WHERE consumer = $2 AND shard IN (
             SELECT f.shard FROM lane f WHERE f.consumer = $2
             AND (f.worker = $1 AND f.shard NOT IN ids($5)
                  OR NOT EXISTS (SELECT 1 FROM worker w WHERE w.name = f.worker AND w.beat_at >= now_ms() - $3))
             ORDER BY f.shard LIMIT $4 FOR UPDATE SKIP LOCKED)
         RETURNING shard, watermark, taken, epoch",
    )
    .bind(worker)
    .bind(consumer)
    .bind(DEAD_AFTER_MS)
    .bind(most)
    .bind(hold)
    .fetch_all(conn)
    .await?;
    let mut lanes = rows.into_iter().map(lane).collect::<Result<Vec<_>, _>>()?;
    lanes.sort_by_key(|lane| lane.shard);
    Ok(lanes)
}

/// Gives lanes back that are still held as they were taken.
pub async fn release(conn: &mut Conn, consumer: ConsumerId, lanes: &[Lane]) -> Result<(), Error> {
    let values: Vec<_> = lanes.iter().map(|lane| (lane.shard, lane.epoch)).collect();
    query(
        "UPDATE lane SET worker = '' FROM json_each($1) j
         WHERE lane.consumer = $2 AND lane.shard = CAST(j.value ->> 0 AS BIGINT)
           AND lane.epoch = CAST(j.value ->> 1 AS BIGINT)",
    )
    .bind(batch("lane", &values)?)
    .bind(consumer)
    .execute(conn)
    .await?;
    Ok(())
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
    let rows: Vec<Row> = query_as("SELECT shard, watermark, taken, epoch FROM lane WHERE consumer = $1 ORDER BY shard")
        .bind(consumer)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(lane).collect()
}

/// Shard, watermark, taken, epoch.
type Row = (i64, i64, i64, i64);

fn lane((shard, watermark, taken, epoch): Row) -> Result<Lane, Error> {
    Ok(Lane { shard: Column("lane", "shard").number(shard)?, watermark, taken, epoch })
}
