//! What the database holds at the moment at which the program ended, held against what had arrived by then.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use sqlx::{Row, SqliteConnection};

use super::watch::{Watch, now};
use crate::support::files;

/// How far back attempts are read again; longer than any attempt takes.
const OVERLAP: i64 = 60_000;

/// One end of the program.
#[derive(Debug)]
pub struct Sample {
    /// When the process was started, when it was told to end, and when it had.
    pub began: i64,
    pub at: i64,
    pub ended: i64,
    /// Whether it ended without warning.
    pub killed: bool,
    /// By receiver: what it had accepted and nobody had recorded.
    pub unrecorded: Vec<Vec<i64>>,
    /// By receiver: what is recorded as delivered and was never accepted.
    pub invented: Vec<Vec<i64>>,
    /// By receiver: the highest number that had arrived, and the highest of which it was durable that it may be sent.
    pub sent: Vec<(i64, i64)>,
    /// Consumer and number of what a watermark had passed without a result, a parked person or a dead letter.
    pub passed: Vec<(i64, i64)>,
    /// The sum of all lanes' epochs.
    pub epochs: i64,
    /// Routes, parked persons and dead letters there were.
    pub routes: i64,
    pub parked: i64,
    pub dead_letters: i64,
}

/// Takes samples, and remembers what earlier ones have read.
#[derive(Default)]
pub struct Sampler {
    recorded: HashMap<i64, HashSet<i64>>,
    since: i64,
}

impl Sampler {
    /// What is written from now on may be dated at any time: everything is read again once.
    pub fn distrust_times(&mut self) {
        self.since = i64::MIN;
    }

    /// Looks at the database of a program that has just ended, with when it began and was told to end.
    pub async fn take(&mut self, data: &Path, watch: &Watch, (began, at): (i64, i64), killed: bool) -> Sample {
        watch.drain();
        let mut conn = files::open(&data.join("main.db")).await;
        let ids = consumers(&mut conn).await;
        self.read(&mut conn).await;
        self.since = at - OVERLAP;
        let recorded = |name: &str| ids.get(name).and_then(|id| self.recorded.get(id)).cloned().unwrap_or_default();
        let mut sample = Sample {
            began,
            at,
            ended: now(),
            killed,
            unrecorded: Vec::new(),
            invented: Vec::new(),
            sent: Vec::new(),
            passed: passed(&mut conn).await,
            epochs: number(&mut conn, "SELECT coalesce(sum(epoch), 0) FROM lane").await,
            routes: number(&mut conn, "SELECT count(*) FROM route").await,
            parked: number(&mut conn, "SELECT count(*) FROM parked").await,
            dead_letters: number(&mut conn, "SELECT count(*) FROM dead_letter").await,
        };
        for receiver in &watch.receivers {
            let recorded = recorded(receiver.name);
            sample.unrecorded.push(receiver.accepted_beside(&recorded));
            sample.invented.push(receiver.never_accepted(&recorded));
            let taken = taken(&mut conn, ids.get(receiver.name).copied().unwrap_or(0)).await;
            sample.sent.push((receiver.highest(), taken));
        }
        sample
    }

    async fn read(&mut self, conn: &mut SqliteConnection) {
        let sql = "SELECT a.consumer, a.seq FROM attempt a JOIN route r ON r.seq = a.seq
                   WHERE a.outcome = 'Delivered' AND a.at >= ? AND r.record IS NOT NULL";
        for row in sqlx::query(sql).bind(self.since).fetch_all(conn).await.unwrap() {
            self.recorded.entry(row.get(0)).or_default().insert(row.get(1));
        }
    }
}

/// The consumers' ids by their names.
pub async fn consumers(conn: &mut SqliteConnection) -> HashMap<String, i64> {
    let rows = sqlx::query("SELECT name, id FROM consumer").fetch_all(conn).await.unwrap();
    rows.into_iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Every lane: consumer, shard, watermark, taken, epoch.
pub async fn lanes(data: &Path) -> Vec<(i64, i64, i64, i64, i64)> {
    let mut conn = files::open(&data.join("main.db")).await;
    let sql = "SELECT consumer, shard, watermark, taken, epoch FROM lane ORDER BY consumer, shard";
    sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
}

/// A single number.
pub async fn number(conn: &mut SqliteConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

async fn taken(conn: &mut SqliteConnection, consumer: i64) -> i64 {
    let sql = "SELECT coalesce(min(taken), 0) FROM lane WHERE consumer = ?";
    sqlx::query_scalar(sql).bind(consumer).fetch_one(conn).await.unwrap()
}

async fn passed(conn: &mut SqliteConnection) -> Vec<(i64, i64)> {
    let sql = "SELECT r.consumer, r.seq FROM route r
               JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard AND r.seq <= l.watermark
               WHERE NOT EXISTS (SELECT 1 FROM attempt a WHERE a.consumer = r.consumer AND a.seq = r.seq
                                 AND a.outcome IN ('Delivered', 'Withdrawn', 'DeadLettered'))
               AND NOT EXISTS (SELECT 1 FROM parked p WHERE p.consumer = r.consumer AND p.record = r.record AND p.first_seq <= r.seq)
               AND NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.consumer = r.consumer AND r.seq BETWEEN d.seq AND d.to_seq)";
    sqlx::query(sql).fetch_all(conn).await.unwrap().into_iter().map(|row| (row.get(0), row.get(1))).collect()
}
