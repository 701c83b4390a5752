//! What goes when its time has come, by deletes of a thousand rows: a call deletes that much and tells how many it was; the
//! caller begins another transaction as long as it was some.

use jiff::Timestamp;

use super::database::Dialect;
use super::lane::LANES;
use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error, SourceId, SubscriptionId, meta};

/// A day in milliseconds.
const DAY: i64 = 24 * 3600 * 1000;
/// Rows that one call deletes.
pub const BATCH: u32 = 1_000;

/// Deletes settled routes committed before `before`: of each consumer those at or below its lowest watermark whose person is
/// not parked at or before them. How many.
pub async fn delete_routes(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    // Numbers are in order of time, so looking at the lowest is enough.
    let settled: Vec<(i64, i64)> = query_as(
        "SELECT consumer, min(watermark) FROM lane l GROUP BY consumer
         HAVING count(*) = $1 AND (SELECT at FROM route r WHERE r.consumer = l.consumer ORDER BY seq LIMIT 1) < $2",
    )
    .bind(LANES)
    .bind(before.as_millisecond())
    .fetch_all(&mut *conn)
    .await?;
    let mut deleted = 0;
    for (consumer, watermark) in settled {
        deleted += query(
            "DELETE FROM route WHERE seq IN (
                 SELECT seq FROM (
                     SELECT seq, at FROM route r WHERE consumer = $1 AND seq <= $2
                     AND NOT EXISTS (SELECT 1 FROM parked p WHERE p.consumer = r.consumer AND p.record = r.record
                                     AND p.state <> 'GapOnly' AND p.first_seq <= r.seq)
                     ORDER BY seq LIMIT $3) s
                 WHERE at < $4)",
        )
        .bind(consumer)
        .bind(watermark)
        .bind(BATCH - u32::try_from(deleted).unwrap_or(BATCH).min(BATCH))
        .bind(before.as_millisecond())
        .execute(&mut *conn)
        .await?;
    }
    Ok(deleted)
}

/// Makes room for what comes and drops at once what lies together and has had its time, where the database keeps it so: with
/// PostgreSQL in partitions, a new one each day. How many were dropped.
pub async fn keep_partitions(conn: &mut Conn, now: Timestamp, before: Timestamp) -> Result<u64, Error> {
    if conn.dialect() == Dialect::Sqlite {
        return Ok(0);
    }
    let day_ago = now.as_millisecond() - DAY;
    let dropped: i64 = query_scalar("SELECT keep_partitions($1, $2)")
        .bind(day_ago)
        .bind(before.as_millisecond())
        .fetch_one(conn)
        .await?;
    Ok(dropped.unsigned_abs())
}

/// Deletes events before `before` that no route names. How many.
pub async fn delete_events(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    let deleted = query(
        "DELETE FROM event WHERE seq IN (
             SELECT seq FROM event e WHERE at < $1 AND NOT EXISTS (SELECT 1 FROM route r WHERE r.event = e.seq)
             LIMIT $2)",
    )
    .bind(before.as_millisecond())
    .bind(BATCH)
    .execute(conn)
    .await?;
    Ok(deleted)
}

/// Deletes attempts before `before` of routes below the lowest that their consumer still has. How many.
pub async fn delete_attempts(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    let consumers: Vec<i64> = query_scalar(
        "SELECT id FROM consumer c
         WHERE (SELECT at FROM attempt a WHERE a.consumer = c.id ORDER BY seq, number LIMIT 1) < $1",
    )
    .bind(before.as_millisecond())
    .fetch_all(&mut *conn)
    .await?;
    let mut deleted = 0;
    for consumer in consumers {
        deleted += query(
            "DELETE FROM attempt WHERE (consumer, seq, number) IN (
                 SELECT consumer, seq, number FROM (
                     SELECT consumer, seq, number, at FROM attempt
                     WHERE consumer = $1
                       AND seq < coalesce((SELECT min(seq) FROM route WHERE consumer = $1), 9223372036854775807)
                     ORDER BY seq LIMIT $2) s
                 WHERE at < $3)",
        )
        .bind(consumer)
        .bind(BATCH - u32::try_from(deleted).unwrap_or(BATCH).min(BATCH))
        .bind(before.as_millisecond())
        .execute(&mut *conn)
        .await?;
    }
    Ok(deleted)
}

/// Deletes dead letters given up before `before`. How many.
pub async fn delete_dead_letters(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    let deleted =
        query("DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE given_up_at < $1 LIMIT $2)")
            .bind(before.as_millisecond())
            .bind(BATCH)
            .execute(conn)
            .await?;
    Ok(deleted)
}

/// Deletes an ended subscription's row, after what it missed and its list. Whether it is gone; call again while it is not.
pub async fn delete_subscription(conn: &mut Conn, id: SubscriptionId) -> Result<bool, Error> {
    for statement in [
        "DELETE FROM missed WHERE (subscription, record) IN
             (SELECT subscription, record FROM missed WHERE subscription = $1 LIMIT $2)",
        "DELETE FROM subject WHERE (subscription, record, origin) IN
             (SELECT subscription, record, origin FROM subject WHERE subscription = $1 LIMIT $2)",
        "DELETE FROM listing WHERE id IN (SELECT id FROM listing WHERE subscription = $1 LIMIT $2)",
    ] {
        if delete_some(&mut *conn, statement, id).await? == u64::from(BATCH) {
            return Ok(false);
        }
    }
    query("DELETE FROM subscription WHERE id = $1").bind(id).execute(conn).await?;
    Ok(true)
}

/// Deletes an ended consumer's row, after its routes, parked persons, dead letters, attempts and what it was told. Its key
/// and its subscriptions went before. Whether it is gone; call again, in another transaction, while it is not.
pub async fn delete_consumer(conn: &mut Conn, id: ConsumerId) -> Result<bool, Error> {
    for statement in [
        "DELETE FROM route WHERE seq IN (SELECT seq FROM route WHERE consumer = $1 LIMIT $2)",
        "DELETE FROM attempt WHERE (consumer, seq, number) IN
             (SELECT consumer, seq, number FROM attempt WHERE consumer = $1 LIMIT $2)",
        "DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE consumer = $1 LIMIT $2)",
        "DELETE FROM parked WHERE (consumer, record) IN (SELECT consumer, record FROM parked WHERE consumer = $1 LIMIT $2)",
        "DELETE FROM told WHERE (record, consumer, type) IN
             (SELECT record, consumer, type FROM told WHERE consumer = $1 LIMIT $2)",
    ] {
        if delete_some(&mut *conn, statement, id).await? == u64::from(BATCH) {
            return Ok(false);
        }
    }
    query("DELETE FROM consumer WHERE id = $1").bind(id).execute(&mut *conn).await?;
    meta::raise_parties(conn).await?;
    Ok(true)
}

/// Deletes an ended source's row with its cursor, after its notices, its persons that could not be read and its doubts. Its persons and
/// subscriptions went before. Whether it is gone; call again while it is not.
pub async fn delete_source(conn: &mut Conn, id: SourceId) -> Result<bool, Error> {
    for statement in [
        "DELETE FROM notice WHERE (source, import, event_id) IN
             (SELECT source, import, event_id FROM notice WHERE source = $1 LIMIT $2)",
        "DELETE FROM unread WHERE (record, source) IN (SELECT record, source FROM unread WHERE source = $1 LIMIT $2)",
        "DELETE FROM doubt WHERE (record, source, kind) IN
             (SELECT record, source, kind FROM doubt WHERE source = $1 LIMIT $2)",
    ] {
        if delete_some(&mut *conn, statement, id).await? == u64::from(BATCH) {
            return Ok(false);
        }
    }
    query("DELETE FROM cursor WHERE source = $1").bind(id).execute(&mut *conn).await?;
    query("DELETE FROM source WHERE id = $1").bind(id).execute(&mut *conn).await?;
    meta::raise_parties(conn).await?;
    Ok(true)
}

async fn delete_some(conn: &mut Conn, statement: &'static str, id: i64) -> Result<u64, Error> {
    Ok(query(statement).bind(id).bind(BATCH).execute(conn).await?)
}
