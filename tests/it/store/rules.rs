//! The rules by which nothing is lost between writers and readers, each against PostgreSQL as the store uses it. Where a rule can be
//! taken away in the database or by a setting, the test does so and sees what it is there for; of the others the comment says
//! what was seen when the code went without.
//!
//! Elsewhere: that who was skipped while they were read stays parked is `delivery/queue/tests.rs`; that a silent process sends no
//! more, and others take its lanes, `delivery/tests/sharing.rs`; that nothing is sent before it is durable that it may have
//! been, and what is said of it later, `delivery/tests/restart.rs`, which run on PostgreSQL too; that no number is given
//! twice, `sequence.rs`.

use std::path::Path;
use std::time::Duration;

use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::store::lane::{self, Lane};
use cpr_operator::store::{self, ConsumerId, Error, SourceId, Store, Tx, event, presence::Presence, route, sql};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::site::{self, Site};
use crate::support::database;
use crate::support::server::Server;

const MS: Duration = Duration::from_millis(1);

/// A transaction that has appended an event, and has not committed.
async fn appended(store: &Store, source: SourceId, consumer: ConsumerId) -> Result<Tx, Error> {
    let mut tx = store.main.begin_beside().await?;
    let events = [site::event(RecordId::random(), source, vec![site::route(consumer)])];
    event::append(&mut tx, &events, site::noon()).await?;
    Ok(tx)
}

async fn after(store: &Store, consumer: ConsumerId, seq: i64) -> Vec<i64> {
    let routes = route::read(&mut store.main.read().await.unwrap(), consumer, seq, 100).await.unwrap();
    routes.iter().map(|route| route.seq).collect()
}

async fn owner(folder: &Path) -> PgConnection {
    let url = std::fs::read_to_string(folder.join("database.url")).unwrap();
    let mut conn = PgConnection::connect(&url).await.unwrap();
    conn.execute("SET search_path = cpr").await.unwrap();
    conn
}

/// Whether somebody waits for an advisory lock.
async fn somebody_waits(store: &Store) -> bool {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let count: i64 = sql::query_scalar(waiting).fetch_one(&mut store.main.read().await.unwrap()).await.unwrap();
    count > 0
}

/// Two who write beside each other, of whom the first to begin is the last to commit, and one who reads by numbers meanwhile:
/// how many of the two routes it never sees.
async fn passed_over(store: &Store, source: SourceId, consumer: ConsumerId) -> usize {
    let start = route::newest(&mut store.main.read().await.unwrap()).await.unwrap();
    let first = appended(store, source, consumer).await.unwrap();
    let second = store.clone();
    let second = tokio::spawn(async move {
        appended(&second, source, consumer).await.unwrap().commit().await.unwrap();
    });
    while !second.is_finished() && !somebody_waits(store).await {
        tokio::time::sleep(MS).await;
    }
    let mut seen = after(store, consumer, start).await;
    let position = seen.last().copied().unwrap_or(start);
    first.commit().await.unwrap();
    second.await.unwrap();
    seen.extend(after(store, consumer, position).await);
    2 - seen.len()
}

/// Rule 1: one lock before the first number, held until the commit.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_by_numbers_passes_nobody_over_who_commits_late() {
    let site = Site::on_postgres().await;
    let (source, consumer) = (site::source(&site.store, "s").await, site::consumer(&site.store, "c").await);
    assert_eq!(passed_over(&site.store, source, consumer).await, 0);
    let mut conn = owner(site.folder.path()).await;
    let definition: String =
        sqlx::query_scalar("SELECT pg_get_functiondef('take_numbers'::regproc)").fetch_one(&mut conn).await.unwrap();
    let without = definition.replace("PERFORM pg_advisory_xact_lock(1668313602);", "");
    assert_ne!(definition, without);
    conn.execute(sqlx::AssertSqlSafe(without)).await.unwrap();
    assert_eq!(passed_over(&site.store, source, consumer).await, 1, "without the lock the late one is lost");
}

async fn with(idle: Duration, lock: Duration) -> Site {
    let folder = TempDir::new().unwrap();
    let settings = database::on_postgres(folder.path()).await;
    let settings = DatabaseSettings { idle_timeout: idle, lock_timeout: lock, ..settings };
    let store = store::open(&site::settings(folder.path()), &settings, site::noon()).await.unwrap();
    Site { folder, store }
}

/// Rule 2: who holds the numbers and does nothing is ended by the server, and who waits for them gives up in time.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_stands_in_the_way_of_all_who_write() {
    let site = with(300 * MS, 10_000 * MS).await;
    let (source, consumer) = (site::source(&site.store, "s").await, site::consumer(&site.store, "c").await);
    let stuck = appended(&site.store, source, consumer).await.unwrap();
    appended(&site.store, source, consumer).await.unwrap().commit().await.unwrap();
    assert!(stuck.commit().await.is_err(), "its transaction was ended");
    assert_eq!(after(&site.store, consumer, 0).await.len(), 1);

    let site = with(Duration::ZERO, 300 * MS).await;
    let (source, consumer) = (site::source(&site.store, "s").await, site::consumer(&site.store, "c").await);
    let stuck = appended(&site.store, source, consumer).await.unwrap();
    let refused = appended(&site.store, source, consumer).await.err().expect("without that limit nobody gets by");
    assert!(refused.is_passing(), "and tries again: {refused}");
    stuck.commit().await.unwrap();
    appended(&site.store, source, consumer).await.unwrap().commit().await.unwrap();
}

/// Rule 3: what a standby shows may be behind what was committed, so it is not read. Without `refuse_unfit` on each new connection it
/// was: the reading in the middle succeeded.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_a_standby_is_not_read_and_is_waited_for() {
    let (server, folder) = (Server::start(), TempDir::new().unwrap());
    server.hold(folder.path());
    let settings = DatabaseSettings { readers: 1, writers: 1, ..database::on_postgres(folder.path()).await };
    let store = store::open(&site::settings(folder.path()), &settings, site::noon()).await.unwrap();
    site::source(&store, "s").await;
    server.demote();
    // The first may be told of by the connection that it broke.
    for _ in 0..2 {
        let error = store.main.read().await.err().expect("a standby is not read");
        assert!(error.is_passing(), "{error}");
    }
    let opened = store::open(&site::settings(folder.path()), &settings, site::noon()).await;
    assert!(opened.expect_err("nor is it opened").to_string().contains("standby"));
    server.promote();
    let until = std::time::Instant::now() + 60_000 * MS;
    while store.main.read().await.is_err() || store.main.begin().await.is_err() {
        assert!(std::time::Instant::now() < until, "it is found again");
    }
    assert_eq!(site::source(&store, "s").await, 1);
}

async fn taken(store: &Store, consumer: ConsumerId, by: &Presence) -> Vec<Lane> {
    let mut tx = store.main.begin_apart().await.unwrap();
    let lanes = lane::take_free(&mut tx, consumer, by.name(), &[], lane::LANES).await.unwrap();
    tx.commit().await.unwrap();
    lanes
}

fn moved(lanes: &[Lane]) -> Vec<Lane> {
    lanes.iter().map(|lane| Lane { watermark: lane.watermark + 1, taken: lane.taken + 1, ..*lane }).collect()
}

/// Rule 5: a flush and a taking that meet. Whoever comes first to the rows is waited for; after a taking the flush changes nothing,
/// and a taking begins from what the flush wrote. With `advance` not looking at the epoch the second flush moved all lanes.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_and_a_taking_that_meet_come_one_after_the_other() {
    let site = Site::on_postgres().await;
    let store = &site.store;
    let consumer = site::consumer(store, "c").await;
    let (one, two) = (Presence::alone("deliver"), Presence::alone("deliver"));
    let mut tx = store.main.begin().await.unwrap();
    lane::make(&mut tx, consumer).await.unwrap();
    tx.commit().await.unwrap();
    let held = taken(store, consumer, &one).await;
    assert_eq!(held.len(), 16);

    // The flush comes first: its holder counts as dead already, and its rows are passed by until it has ended.
    let mut flush = store.main.begin_beside_for(&[consumer]).await.unwrap();
    assert!(lane::advance(&mut flush, consumer, &moved(&held)).await.unwrap());
    assert_eq!(taken(store, consumer, &two).await, []);
    flush.commit().await.unwrap();
    let taken_over = taken(store, consumer, &two).await;
    assert!(taken_over.iter().zip(&held).all(|(new, old)| (new.watermark, new.epoch) == (1, old.epoch + 1)));

    // The taking comes first: a flush under the epoch before waits for it and then writes nothing.
    let mut taking = store.main.begin_apart().await.unwrap();
    assert_eq!(lane::take_free(&mut taking, consumer, one.name(), &[], lane::LANES).await.unwrap().len(), 16);
    let (writer, late) = (store.clone(), moved(&taken_over));
    let flush = tokio::spawn(async move {
        let mut tx = writer.main.begin_beside_for(&[consumer]).await.unwrap();
        let written = lane::advance(&mut tx, consumer, &late).await.unwrap();
        tx.commit().await.unwrap();
        written
    });
    tokio::time::sleep(100 * MS).await;
    taking.commit().await.unwrap();
    assert!(!flush.await.unwrap());
    let lanes = lane::read(&mut store.main.read().await.unwrap(), consumer).await.unwrap();
    assert!(lanes.iter().all(|lane| lane.watermark == 1), "{lanes:?}");
}

/// Rule 7: after a crash of the server what was committed is there, what was not is nowhere, and numbers go on above.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_loses_no_commit_and_gives_no_number_twice() {
    let (server, folder) = (Server::start(), TempDir::new().unwrap());
    server.hold(folder.path());
    let settings = database::on_postgres(folder.path()).await;
    let store = store::open(&site::settings(folder.path()), &settings, site::noon()).await.unwrap();
    let (source, consumer) = (site::source(&store, "s").await, site::consumer(&store, "c").await);
    let mut committed = Vec::new();
    for _ in 0..3 {
        let one = [site::event(RecordId::random(), source, vec![site::route(consumer)])];
        committed.push(site::append(&store, &one).await.unwrap());
        let under_way = appended(&store, source, consumer).await.unwrap();
        server.crash();
        server.begin();
        assert!(under_way.commit().await.is_err());
        while store.main.read().await.is_err() {
            tokio::time::sleep(20 * MS).await;
        }
        assert_eq!(after(&store, consumer, 0).await, committed);
        // A connection of the pool may still be one from before.
        while store.main.begin().await.is_err() {}
    }
    assert!(committed.is_sorted_by(|before, after| before < after), "{committed:?}");
}
