//! Which tables and partitions each hot step of the store reads with PostgreSQL, counted by the server while the product's own
//! statements run, as the roles' logins run them: nothing that grows is walked over, and of what lies in partitions only those are
//! touched that hold what is asked for.

use std::collections::{BTreeMap, BTreeSet};

use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::store::attempt::{Attempt, AttemptOutcome};
use cpr_operator::store::parked::{Parked, ParkedState};
use cpr_operator::store::{
    self, ConsumerId, Database, SourceId, Store, attempt, event, lane, parked, person, route, sql, subject,
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::site;
use crate::support::{database, logins};

/// Events in each of three partitions.
const EVENTS: i64 = 20_000;
const PERSONS: i64 = 30_000;
/// Tables that grow.
const LARGE: [&str; 9] =
    ["event", "route", "attempt", "person", "subject", "parked", "person_key", "identifier", "claim"];
/// How often each step runs: after some runs the server may change to a plan that is made without regard to the arguments.
const RUNS: i64 = 8;

/// The first number of a partition.
fn first(range: i64) -> i64 {
    (range << 24) + 1
}

/// A store with rows of three days, and what they are about.
struct Filled {
    folder: TempDir,
    source: SourceId,
    consumer: ConsumerId,
    known: Vec<RecordId>,
}

impl Filled {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = database::on_postgres(folder.path()).await;
        let store = store::open(&site::settings(folder.path()), &settings, site::noon()).await.unwrap();
        let source = site::source(&store, "s").await;
        let consumers = [site::consumer(&store, "a").await, site::consumer(&store, "b").await];
        let mut known = Vec::new();
        for number in 0..20 {
            known.push(site::stored(&store, source, number).await);
        }
        for consumer in consumers {
            site::settle(&store, consumer, first(2)).await;
        }
        let mut conn =
            PgConnection::connect(&std::fs::read_to_string(settings.url_file.unwrap()).unwrap()).await.unwrap();
        conn.execute(AssertSqlSafe(fill(source, consumers))).await.unwrap();
        Self { folder, source, consumer: consumers[1], known }
    }

    /// As a role logs in, with one connection for writing and one for reading.
    async fn login(&self, role: &str) -> Store {
        let url_file = Some(logins::address(self.folder.path(), role).await);
        let settings = DatabaseSettings { url_file, writers: 1, readers: 1, ..DatabaseSettings::default() };
        store::open(&site::settings(self.folder.path()), &settings, site::noon()).await.unwrap()
    }
}

fn fill(source: SourceId, [one, two]: [ConsumerId; 2]) -> String {
    let (last, newest) = (first(2) + EVENTS, PERSONS);
    format!(
        "SET search_path = cpr;
         CREATE TEMP TABLE numbers AS
             SELECT (r << 24) + n AS seq, decode(md5((n % {newest})::text), 'hex') AS record, n
             FROM generate_series(0, 2) r, generate_series(1::bigint, {EVENTS}) n;
         INSERT INTO event (seq, id, record, source, type, at, snapshot)
             SELECT seq, decode(md5(seq::text), 'hex'), record, {source}, 'address.changed', seq, repeat('x', 300)::bytea FROM numbers;
         INSERT INTO route (seq, consumer, shard, event, record, type, subscriptions, at)
             SELECT seq, CASE n % 2 WHEN 0 THEN {one} ELSE {two} END, get_byte(record, 0) >> 4, seq, record, 'moved.in', '[1]', seq
             FROM numbers;
         INSERT INTO attempt (consumer, seq, number, at, outcome, status, millis)
             SELECT consumer, seq, 1, at, 'Delivered', 204, 5 FROM route WHERE seq < {first_of_last};
         INSERT INTO person (record, source, municipality, status, protected, as_of, held, settled, content, updated_at)
             SELECT decode(md5(n::text), 'hex'), {source}, 101 + n % 90, 1, 0, '2026-07-01', '[]', 1, repeat('x', 400)::bytea, 0
             FROM generate_series(1, {PERSONS}) n;
         INSERT INTO subscription VALUES (1, 'skole', 'elever', 'u', 1, {source}, {two}, NULL, 0, NULL, NULL, NULL);
         INSERT INTO subject SELECT 1, record, 'Managed', source, 0 FROM person;
         INSERT INTO parked SELECT {one}, record, {first_of_last}, 1, 0, 0, 'Retrying', 'refused', 0 FROM person LIMIT 5000;
         SELECT setval('event_numbers', {last}), setval('route_numbers', {last});
         INSERT INTO cpr_keys.person_key SELECT record, '', (SELECT min(id) FROM cpr_keys.keyring), 1, 0, 0 FROM person
             ON CONFLICT DO NOTHING;
         INSERT INTO cpr_keys.identifier
             SELECT decode(md5(n::text), 'hex'), 'Number', 1, 'borgerservice', 'Test', decode(md5(n::text), 'hex')
             FROM generate_series(1, {PERSONS}) n;
         INSERT INTO cpr_keys.claim SELECT record, {two}, 0 FROM cpr_keys.person_key;
         ANALYZE",
        first_of_last = first(2),
    )
}

/// By table how often it was walked over, and how often looked at by an index.
type Counts = BTreeMap<String, (i64, i64)>;

/// Has the connections tell what they have counted, and reads it.
async fn counted(main: &Database, keys: &Database) -> Counts {
    for database in [main, keys] {
        let mut tx = database.begin_apart().await.unwrap();
        sql::query("SELECT pg_stat_force_next_flush()").execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        // They tell it when their transaction has ended, which it certainly has when there is another on the connection.
        for _ in 0..2 {
            let mut conn = database.read().await.unwrap();
            sql::query("SELECT pg_stat_force_next_flush()").execute(&mut conn).await.unwrap();
        }
    }
    let rows: Vec<(String, i64, i64)> = sql::query_as(
        "SELECT relname::text, seq_scan, coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE schemaname IN ('cpr', 'cpr_keys')",
    )
    .fetch_all(&mut main.read().await.unwrap())
    .await
    .unwrap();
    rows.into_iter().map(|(name, walked, looked)| (name, (walked, looked))).collect()
}

/// The table of a partition, and its range.
fn parted(name: &str) -> (&str, Option<i64>) {
    match name.rsplit_once('_').and_then(|(table, range)| Some((table, range.parse().ok()?))) {
        Some((table, range)) => (table, Some(range)),
        None => (name, None),
    }
}

/// Runs a step some times, and holds what it touched against what it may: nothing large walked over, and these partitions at most. Those
/// that are ready for what comes are empty.
async fn holds(store: &Store, what: &str, ranges: &[i64], mut step: impl AsyncFnMut(&Store, i64)) {
    let keys = store.keys.database();
    let before = counted(&store.main, keys).await;
    for run in 0..RUNS {
        step(store, run).await;
    }
    let after = counted(&store.main, keys).await;
    let mut touched = BTreeSet::new();
    for (name, (walked, looked)) in &after {
        let (walked_before, looked_before) = before.get(name).copied().unwrap_or_default();
        let (table, range) = parted(name);
        let is_empty = range.is_some_and(|range| range > 2);
        assert!(walked == &walked_before || is_empty || !LARGE.contains(&table), "{what} walks over {name}");
        if (*walked, *looked) != (walked_before, looked_before) && LARGE.contains(&table) {
            touched.insert(name.as_str());
            assert!(range.is_none_or(|range| ranges.contains(&range)), "{what} looks at {name}");
        }
    }
    assert!(!touched.is_empty(), "{what} was not counted");
}

fn attempt_of(seq: i64) -> Attempt {
    let outcome = AttemptOutcome::Delivered;
    Attempt { seq, number: 1, at: site::noon(), outcome, status: Some(204), millis: 12, class: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_looks_at_what_it_needs_and_at_nothing_else() {
    let filled = Filled::new().await;
    let store = filled.login("deliver").await;
    let (consumer, start) = (filled.consumer, first(2) + 1_000);
    let records: Vec<RecordId> = {
        let routes =
            route::read(&mut store.main.read_for(&[consumer]).await.unwrap(), consumer, start, 256).await.unwrap();
        assert_eq!(routes.len(), 256);
        routes.iter().filter_map(|route| route.record).collect()
    };
    holds(&store, "the reading of routes", &[2], async |store, run| {
        let mut conn = store.main.read_for(&[consumer]).await.unwrap();
        assert_eq!(route::read(&mut conn, consumer, start + run, 256).await.unwrap().len(), 256);
    })
    .await;
    holds(&store, "the reading of some shards' routes", &[2], async |store, run| {
        let mut conn = store.main.read_for(&[consumer]).await.unwrap();
        let routes = route::read_shards(&mut conn, consumer, &[1, 2, 3, 4], start + run, 256).await.unwrap();
        assert_eq!(routes.len(), 256);
    })
    .await;
    holds(&store, "the reading of a person's routes", &[2], async |store, run| {
        let mut conn = store.main.read_for(&[consumer]).await.unwrap();
        let (record, last) = (records[run as usize], first(2) + EVENTS);
        assert_eq!(route::read_person(&mut conn, consumer, record, start, last, 100).await.unwrap().len(), 1);
    })
    .await;
    holds(&store, "whether persons are protected", &[], async |store, _| {
        let mut conn = store.main.read().await.unwrap();
        assert_eq!(person::protected(&mut conn, &records).await.unwrap().0.len(), records.len());
    })
    .await;
    holds(&store, "whom the consumer has a claim on", &[], async |store, _| {
        assert_eq!(store.keys.claimed(consumer, &filled.known).await.unwrap().len(), filled.known.len());
        assert_eq!(store.keys.claimed(consumer, &records).await.unwrap().len(), records.len());
    })
    .await;
    holds(&store, "the keys of persons", &[], async |store, run| {
        // Each of them only once, for they are kept in memory; their wrapping is nobody's.
        let asked = &records[10 * run as usize..][..10];
        assert!(store.keys.person_keys_for(consumer, asked).await.is_err());
    })
    .await;
    let lanes = lane::read(&mut store.main.read_for(&[consumer]).await.unwrap(), consumer).await.unwrap();
    holds(&store, "a flush", &[2], async |store, run| {
        let mut tx = store.main.begin_beside_for(&[consumer]).await.unwrap();
        assert!(lane::advance(&mut tx, consumer, &lanes).await.unwrap());
        let attempts: Vec<Attempt> = (0..200).map(|n| attempt_of(start + 200 * run + n)).collect();
        attempt::insert(&mut tx, consumer, &attempts).await.unwrap();
        let waits = Parked {
            record: records[run as usize],
            first_seq: start,
            attempts: 1,
            since: site::noon(),
            next_at: site::noon(),
            state: ParkedState::Retrying,
            class: "refused".into(),
            gap: false,
        };
        parked::write(&mut tx, consumer, &[waits]).await.unwrap();
        parked::delete(&mut tx, consumer, &records[100..110]).await.unwrap();
        tx.commit().await.unwrap();
    })
    .await;
    holds(&store, "what was recorded above a watermark", &[2, 3, 4], async |store, _| {
        let mut conn = store.main.read_for(&[consumer]).await.unwrap();
        attempt::above(&mut conn, consumer, first(2) + EVENTS - 500).await.unwrap();
    })
    .await;
    holds(&store, "for whom something came", &[2, 3, 4], async |store, _| {
        let mut conn = store.main.read_for(&[consumer]).await.unwrap();
        route::consumers_after(&mut conn, first(2) + EVENTS - 100).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_looks_at_what_it_needs_and_at_nothing_else() {
    let filled = Filled::new().await;
    let store = filled.login("ingest").await;
    let (source, consumer) = (filled.source, filled.consumer);
    holds(&store, "the reading of persons", &[], async |store, _| {
        let mut conn = store.main.read().await.unwrap();
        assert_eq!(person::find(&mut conn, source, &filled.known).await.unwrap().len(), filled.known.len());
    })
    .await;
    holds(&store, "who has persons by name", &[], async |store, _| {
        subject::find(&mut store.main.read().await.unwrap(), Some(source), &filled.known).await.unwrap();
    })
    .await;
    holds(&store, "whom identifiers mean", &[], async |store, _| {
        let ids: Vec<_> = (0..20).map(site::person_id).collect();
        let found = store.keys.find(&site::realm(), &ids).await.unwrap();
        assert!(found.iter().all(Option::is_some));
    })
    .await;
    holds(&store, "the making and finding of keys", &[], async |store, run| {
        let persons: Vec<_> = (0..40).map(|n| site::identity(10 * run as u32 + n)).collect();
        store.keys.ensure_persons(&site::realm(), &persons, site::later(2)).await.unwrap();
    })
    .await;
    holds(&store, "whether keys are there", &[], async |store, _| {
        assert!(store.keys.are_there(&filled.known).await.unwrap());
    })
    .await;
    holds(&store, "the writing of persons and events", &[2], async |store, run| {
        let ensured = site::ensured(store, run as u32).await;
        let mut tx = store.main.begin_beside().await.unwrap();
        person::write(&mut tx, &[site::row(&ensured, source, run as u32)], site::noon()).await.unwrap();
        let events: Vec<_> =
            (0..50).map(|_| site::event(ensured.record, source, vec![site::route(consumer)])).collect();
        event::append(&mut tx, &events, site::noon()).await.unwrap();
        tx.commit().await.unwrap();
    })
    .await;
}
