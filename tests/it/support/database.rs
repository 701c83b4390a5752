//! The database of a test. CPR_TEST_POSTGRES is the address of a server that tests may make databases on (tests/postgres/run
//! starts one); CPR_TEST_DATABASE=postgres has every test of the stages run there and not on SQLite.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use cpr_operator::settings::database::DatabaseSettings;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The settings for a store in this folder, on the database that the tests run on; the same again for the same folder.
pub async fn settings(folder: &Path) -> DatabaseSettings {
    match std::env::var("CPR_TEST_DATABASE").as_deref() {
        Ok("postgres") => on_postgres(folder).await,
        _ => DatabaseSettings::default(),
    }
}

/// The settings for a store in this folder on PostgreSQL.
pub async fn on_postgres(folder: &Path) -> DatabaseSettings {
    let file = folder.join("database.url");
    if !file.exists() {
        let server =
            std::env::var("CPR_TEST_POSTGRES").expect("run this within tests/postgres/run, as `make test` does");
        let name = format!("t_{}", uuid::Uuid::new_v4().simple());
        // Before the database, which goes when its folder is gone.
        std::fs::create_dir_all(folder).unwrap();
        create(&server, &name, folder).await;
        std::fs::write(&file, format!("{}/{name}", server.rsplit_once('/').unwrap().0)).unwrap();
    }
    DatabaseSettings { url_file: Some(file), ..DatabaseSettings::default() }
}

/// Makes a database, and removes those whose folder is gone: their tests have ended.
async fn create(server: &str, name: &str, folder: &Path) {
    let mut conn = PgConnection::connect(server).await.unwrap();
    let known: Vec<(String, String)> = sqlx::query_as(
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database
         WHERE datname LIKE 't\\_%' AND shobj_description(oid, 'pg_database') IS NOT NULL",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (gone, _) in known.iter().filter(|(_, folder)| !Path::new(folder).exists()) {
        // Another test may be removing it too.
        let _ =
            sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {gone} WITH (FORCE)"))).execute(&mut conn).await;
    }
    for statement in
        [format!("CREATE DATABASE {name}"), format!("COMMENT ON DATABASE {name} IS '{}'", folder.display())]
    {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
}
