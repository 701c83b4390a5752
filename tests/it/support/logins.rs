//! Logins of the roles on the PostgreSQL server of the tests.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use cpr_operator::store::postgres;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::database;

/// The file with the address by which a role's processes log in to the database of a folder. Who owns it has made the roles and
/// brought the schema up to date.
pub async fn address(folder: &Path, role: &str) -> PathBuf {
    let url_file = database::on_postgres(folder).await.url_file.unwrap();
    let url = std::fs::read_to_string(&url_file).unwrap();
    make(&url).await;
    for content in [&postgres::KEYS, &postgres::MAIN] {
        postgres::prepare(&url, content).await.unwrap();
    }
    let file = folder.join(format!("{role}.url"));
    std::fs::write(&file, url.replace("postgres@", &format!("test_{role}@"))).unwrap();
    file
}

/// Makes the roles and a login for each, `test_deliver` and so on. They belong to the whole server: tests do it at once.
pub async fn make(url: &str) {
    let mut owner = PgConnection::connect(url).await.unwrap();
    owner.execute("SELECT pg_advisory_lock(1)").await.unwrap();
    owner.execute(postgres::ROLES).await.unwrap();
    for role in ["operator", "ingest", "deliver", "lookup", "retention"] {
        let make = format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'test_{role}') THEN
                 CREATE ROLE test_{role} LOGIN IN ROLE cpr_{role}; END IF; END $$"
        );
        owner.execute(AssertSqlSafe(make)).await.unwrap();
    }
    owner.close().await.unwrap();
}

/// How many rows a statement wrote; none where it was refused for want of rights.
pub async fn permitted(conn: &mut PgConnection, statement: &str) -> Option<u64> {
    match conn.execute(AssertSqlSafe(statement.to_owned())).await {
        Ok(done) => Some(done.rows_affected()),
        Err(sqlx::Error::Database(error)) => {
            assert_eq!(error.code().as_deref(), Some("42501"), "{statement}: {error}");
            None
        }
        Err(error) => panic!("{statement}: {error}"),
    }
}
