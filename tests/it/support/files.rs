//! What is left in database files after the program has ended.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::pairwise::EventId;
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store::{self, Store, sql};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection};

/// Opens one of the database files for reading.
pub async fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).read_only(true)).await.unwrap()
}

/// How many rows each table of a database has, empty ones left out.
pub async fn rows(path: &Path) -> BTreeMap<String, i64> {
    let mut conn = open(path).await;
    let tables = sqlx::query(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
    );
    let mut counts = BTreeMap::new();
    for table in tables.fetch_all(&mut conn).await.unwrap() {
        let table: String = table.get(0);
        let count = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
            .fetch_one(&mut conn)
            .await
            .unwrap();
        if count.get::<i64, _>(0) > 0 {
            counts.insert(table, count.get(0));
        }
    }
    counts
}

/// The store of a program that has ended.
pub async fn store(data: &Path) -> Store {
    let settings =
        StoreSettings { path: data.to_owned(), root_key_file: None, accept_local_root_key: false, readers: 1 };
    let database = match data.join(store::open::MAIN_FILE).exists() {
        true => DatabaseSettings::default(),
        false => super::database::settings(data.parent().unwrap()).await,
    };
    store::open(&settings, &database, jiff::Timestamp::now()).await.unwrap()
}

/// One route as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number.
    pub seq: i64,
    /// The delivery's id on the wire.
    pub id: String,
    /// Type, as `moved.in`.
    pub type_: String,
    /// The person.
    pub record: Option<Vec<u8>>,
}

/// All routes of all consumers, with the ids under which they go out.
pub async fn routes(store: &Store) -> Vec<Committed> {
    let mut conn = store.main.read().await.unwrap();
    let routes = "SELECT r.seq, r.consumer, r.type, r.record, e.id, r.replay FROM route r JOIN event e ON e.seq = r.event ORDER BY r.seq";
    let mut keys = HashMap::new();
    let mut found = Vec::new();
    type Row = (i64, i64, String, Option<Vec<u8>>, Vec<u8>, Option<i64>);
    let rows: Vec<Row> = sql::query_as(routes).fetch_all(&mut conn).await.unwrap();
    for (seq, consumer, type_, record, event, replay) in rows {
        if let std::collections::hash_map::Entry::Vacant(free) = keys.entry(consumer) {
            free.insert(store.keys.consumer_key(consumer, jiff::Timestamp::now()).await.unwrap());
        }
        let event = EventId(event.try_into().unwrap());
        let parsed: EventType = type_.parse().unwrap();
        found.push(Committed { seq, id: keys[&consumer].replay_id(event, parsed, replay), type_, record });
    }
    found
}

/// Every byte of every database file below a folder.
pub fn bytes(data: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}
