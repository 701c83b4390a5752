//! What is known after a run: every route, attempt and entry of the record, and every arrival.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, HashMap, HashSet};

use cpr_operator::audit::{self, Opening};
use cpr_operator::store::{Database, Store, audit_entry, consumer, sql};
use serde_json::Value;

use super::receiver::Arrival;
use super::watch::Watch;
use crate::support::files::{self, Committed};

/// The entries of the audit record, by what they say.
#[derive(Default)]
pub struct Record {
    pub entries: usize,
    /// Deliveries whose body left.
    pub disclosed: HashSet<String>,
    /// Deliveries that were withdrawn.
    pub withdrawn: HashSet<String>,
    /// Entries whose private part is not what the public part commits to, and with SQLite positions that are missing.
    pub broken: Vec<i64>,
}

/// All of it.
pub struct Evidence {
    pub store: Store,
    /// Receivers' consumers, by the receivers' places.
    pub consumers: Vec<i64>,
    /// Each consumer's routes, by their numbers, and when they were committed.
    pub routes: BTreeMap<(i64, i64), (Committed, i64)>,
    /// How the attempts of each route ended, in their order.
    pub attempts: HashMap<(i64, i64), Vec<String>>,
    pub dead_letters: HashSet<(i64, i64)>,
    /// Persons who wait; of whom only a gap is still to be told, nothing does.
    pub parked: HashSet<(i64, Vec<u8>)>,
    /// Arrivals, by the receivers' places.
    pub arrivals: Vec<Vec<Arrival>>,
    pub record: Record,
    /// The longest that a writing of results took, in milliseconds.
    pub slowest_flush: i64,
}

impl Evidence {
    /// Gathers it from the store, once nobody writes there any more.
    pub async fn of(store: Store, watch: &Watch, log: &str) -> Self {
        let rows = consumer::all(&mut store.main.read().await.unwrap()).await.unwrap();
        let id = |name: &str| rows.iter().find(|row| row.key.name == name).expect("it was applied").id;
        Self {
            consumers: watch.receivers.iter().map(|receiver| id(receiver.name)).collect(),
            routes: routes(&store).await,
            attempts: attempts(&store).await,
            dead_letters: rows_of(&store, "SELECT consumer, seq FROM dead_letter").await.into_iter().collect(),
            parked: rows_of(&store, "SELECT consumer, record FROM parked WHERE state <> 'GapOnly'")
                .await
                .into_iter()
                .collect(),
            arrivals: watch.receivers.iter().map(|receiver| receiver.arrivals()).collect(),
            record: record(&store).await,
            slowest_flush: slowest_flush(log),
            store,
        }
    }

    /// Each receiver's place and consumer.
    pub fn places(&self) -> impl Iterator<Item = (usize, i64)> {
        self.consumers.iter().copied().enumerate()
    }
}

async fn rows_of<T: sql::Row>(store: &Store, text: &'static str) -> Vec<T> {
    sql::query_as(text).fetch_all(&mut store.main.read().await.unwrap()).await.unwrap()
}

async fn routes(store: &Store) -> BTreeMap<(i64, i64), (Committed, i64)> {
    let rows: Vec<(i64, i64, i64)> = rows_of(store, "SELECT seq, consumer, at FROM route").await;
    let known: HashMap<i64, (i64, i64)> = rows.into_iter().map(|(seq, consumer, at)| (seq, (consumer, at))).collect();
    let routes = files::routes(store).await.into_iter();
    routes
        .map(|route| {
            let (consumer, at) = known[&route.seq];
            ((consumer, route.seq), (route, at))
        })
        .collect()
}

async fn attempts(store: &Store) -> HashMap<(i64, i64), Vec<String>> {
    let mut found: HashMap<(i64, i64), Vec<String>> = HashMap::new();
    let rows = rows_of(store, "SELECT consumer, seq, outcome FROM attempt ORDER BY consumer, seq, number").await;
    for (consumer, seq, outcome) in rows {
        found.entry((consumer, seq)).or_default().push(outcome);
    }
    found
}

/// Opens every entry and holds it against its commitment.
async fn record(store: &Store) -> Record {
    let mut record = Record::default();
    let mut last = 0;
    loop {
        let entries = audit_entry::read(&mut store.main.read().await.unwrap(), last, 2_000).await.unwrap();
        if entries.is_empty() {
            return record;
        }
        for entry in entries {
            let opened = store.keys.open_private(&entry.id, entry.private_key, &entry.private);
            let holds = opened.is_ok_and(|(salt, private)| audit::verify(&entry.public, &Opening { salt, private }));
            // Where transactions write beside each other one that was rolled back leaves a number that nobody has.
            let is_next = entry.position == last + 1 || matches!(store.main, Database::Postgres(_));
            if !holds || !is_next {
                record.broken.push(entry.position);
            }
            last = entry.position;
            record.entries += 1;
            let public: Value = serde_json::from_slice(&entry.public).unwrap();
            let delivery = public["delivery"].as_str().unwrap_or_default().to_owned();
            match public["type"].as_str() {
                Some("disclosure") => drop(record.disclosed.insert(delivery)),
                Some("event.withdrawn") => drop(record.withdrawn.insert(delivery)),
                _ => {}
            }
        }
    }
}

fn slowest_flush(log: &str) -> i64 {
    let lines = log.lines().filter(|line| line.contains("deliveries recorded"));
    let parsed = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed.filter_map(|line| line["millis"].as_i64()).max().unwrap_or(0)
}
