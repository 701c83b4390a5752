//! What is left in database files after the program has ended.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store::{self, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection};

pub use super::committed::{Committed, routes};

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

/// Every byte of every database file below a folder.
pub fn bytes(data: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}
