//! Deliveries sent once more: which there are of a time, and new routes for them. What was sent before stays as it is; order,
//! retries and dead letters hold for the new routes as for all.

use jiff::Timestamp;

use super::job::JobId;
use super::rows::{Column, batch, count};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error, event};
use crate::domain::pairwise::RecordId;

/// A consumer's first deliveries of a time.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// To whom.
    pub consumer: ConsumerId,
    /// Of one person only.
    pub record: Option<RecordId>,
    /// Committed at this time or later.
    pub from: Timestamp,
    /// Committed before this time.
    pub to: Timestamp,
    /// The highest number that is looked at.
    pub upto: i64,
}

/// A delivery that may be sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub seq: i64,
    /// The person.
    pub record: RecordId,
}

/// The columns of [`Looked`] and where they come from; a condition and order follow. `settled`: delivered, withdrawn or
/// given up. `follows`: something of the same person before it is settled and in the range, so that it has to come again
/// after that.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT r.seq, r.record,
                    (r.seq <= coalesce(l.watermark, 0)
                     AND NOT EXISTS (SELECT 1 FROM parked p WHERE p.consumer = r.consumer AND p.record = r.record
                                     AND p.state <> 'GapOnly' AND p.first_seq <= r.seq))
                    OR EXISTS (SELECT 1 FROM attempt a WHERE a.consumer = r.consumer AND a.seq = r.seq
                               AND a.outcome <> 'Failed') AS settled,
                    EXISTS (SELECT 1 FROM route b
                            WHERE b.consumer = r.consumer AND b.record = r.record AND b.seq < r.seq
                              AND b.replay IS NULL AND b.at >= $4
                              AND ((b.seq <= coalesce(l.watermark, 0)
                                    AND NOT EXISTS (SELECT 1 FROM parked p
                                                    WHERE p.consumer = b.consumer AND p.record = b.record
                                                      AND p.state <> 'GapOnly' AND p.first_seq <= b.seq))
                                   OR EXISTS (SELECT 1 FROM attempt a WHERE a.consumer = b.consumer
                                              AND a.seq = b.seq AND a.outcome <> 'Failed'))) AS follows,
                    EXISTS (SELECT 1 FROM person q WHERE q.record = r.record)
                    AND NOT EXISTS (SELECT 1 FROM person q WHERE q.record = r.record AND q.leaving = 1) AS present
             FROM route r LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
             WHERE ",
            $condition
        )
    };
}

#[derive(sqlx::FromRow)]
struct Looked {
    seq: i64,
    record: Vec<u8>,
    settled: bool,
    follows: bool,
    present: bool,
}

/// One look at a range.
#[derive(Debug, Default)]
pub struct Page {
    /// What may be sent once more, in order.
    pub found: Vec<Candidate>,
    /// How many could be, but the person is gone.
    pub gone: u64,
    /// Up to here was looked; none at the end of the range.
    pub last: Option<i64>,
}

/// Looks at the next `limit` first deliveries of a range after `after`. What still waits comes anyway and is left out, but for
/// a person of whom something earlier is sent once more: else the older content would come last.
pub async fn look(conn: &mut Conn, range: &Range, after: i64, limit: u32) -> Result<Page, Error> {
    const EVERYONE: &str = select!(
        "r.consumer = $1 AND r.seq > $2 AND r.seq <= $3 AND r.at >= $4 AND r.at < $5 AND r.replay IS NULL
         AND r.record IS NOT NULL ORDER BY r.seq LIMIT $6"
    );
    const ONE: &str = select!(
        "r.consumer = $1 AND r.record = $7 AND r.seq > $2 AND r.seq <= $3 AND r.at >= $4 AND r.at < $5
         AND r.replay IS NULL ORDER BY r.seq LIMIT $6"
    );
    let query = query_as(if range.record.is_some() { ONE } else { EVERYONE })
        .bind(range.consumer)
        .bind(after)
        .bind(range.upto)
        .bind(range.from.as_millisecond())
        .bind(range.to.as_millisecond())
        .bind(limit);
    let query = match range.record {
        Some(record) => query.bind(record.0.to_vec()),
        None => query,
    };
    let rows: Vec<Looked> = query.fetch_all(conn).await?;
    let mut page = Page { last: rows.last().map(|row| row.seq), ..Page::default() };
    for row in rows.iter().filter(|row| row.settled || row.follows) {
        match row.present {
            true => page.found.push(Candidate { seq: row.seq, record: Column("route", "record").record(&row.record)? }),
            false => page.gone += 1,
        }
    }
    Ok(page)
}

/// Writes a new route for each of these, in their order, asked for by the job `replay`. How many; those of persons who are
/// gone are left out.
pub async fn repeat(conn: &mut Conn, replay: JobId, seqs: &[i64], now: Timestamp) -> Result<u64, Error> {
    event::lock_numbers(&mut *conn).await?;
    let written = query(
        "INSERT INTO route (consumer, shard, event, record, type, subscriptions, at, replay, of_seq, of_replay)
         SELECT r.consumer, r.shard, r.event, r.record, r.type, r.subscriptions, $1, $2, coalesce(r.of_seq, r.seq),
                CASE WHEN r.of_seq IS NULL THEN r.replay ELSE r.of_replay END
         FROM json_each($3) j CROSS JOIN route r ON r.seq = CAST(j.value AS BIGINT)
         WHERE r.record IS NULL
            OR (EXISTS (SELECT 1 FROM person p WHERE p.record = r.record)
                AND NOT EXISTS (SELECT 1 FROM person p WHERE p.record = r.record AND p.leaving = 1))
         ORDER BY j.key",
    )
    .bind(now.as_millisecond())
    .bind(replay)
    .bind(batch("route", seqs)?)
    .execute(conn)
    .await?;
    Ok(written)
}

/// When the oldest first delivery was committed that a consumer's routes still hold.
pub async fn earliest(conn: &mut Conn, consumer: ConsumerId) -> Result<Option<Timestamp>, Error> {
    let at: Option<i64> =
        query_scalar("SELECT at FROM route WHERE consumer = $1 AND replay IS NULL ORDER BY seq LIMIT 1")
            .bind(consumer)
            .fetch_optional(conn)
            .await?;
    Column("route", "at").optional_time(at)
}

/// How many of a consumer's routes are above their lane's watermark; counted no further than `most`.
pub async fn undelivered(conn: &mut Conn, consumer: ConsumerId, most: u32) -> Result<u64, Error> {
    let found: i64 = query_scalar(
        "SELECT count(*) FROM (
             SELECT r.seq FROM route r LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
             WHERE r.consumer = $1 AND r.seq > coalesce((SELECT min(watermark) FROM lane WHERE consumer = $1), 0)
               AND r.seq > coalesce(l.watermark, 0) LIMIT $2) u",
    )
    .bind(consumer)
    .bind(most)
    .fetch_one(conn)
    .await?;
    Ok(count(found))
}
