//! The database of a test behind PgBouncer, which gives each transaction another connection.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::store::postgres;

use super::database;

/// The settings for a store in this folder on PostgreSQL behind the pooler that tests/postgres/run starts.
pub async fn settings(folder: &Path) -> DatabaseSettings {
    let direct = database::on_postgres(folder).await;
    let file = direct.url_file.expect("it is on a server");
    let url = std::fs::read_to_string(&file).unwrap();
    for content in [&postgres::KEYS, &postgres::MAIN] {
        postgres::prepare(&url, content).await.unwrap();
    }
    let name = url.rsplit_once('/').unwrap().1;
    let pooler = std::env::var("CPR_TEST_POOLER").expect("run this within tests/postgres/run, as `make test` does");
    std::fs::write(&file, format!("{}/{name}", pooler.rsplit_once('/').unwrap().0)).unwrap();
    DatabaseSettings { url_file: Some(file), pooler: true, ..DatabaseSettings::default() }
}
