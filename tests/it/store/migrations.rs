//! Rows written at any schema version survive to the newest.
//!
//! For each version there is a file of statements that write sample rows in the form of that version. A migration that adds a
//! version adds a file; the files before it are never changed.

use sqlx::migrate::Migrator;
use sqlx::{Executor, Row, SqlitePool};
use tempfile::TempDir;

use cpr_operator::store::schema;

/// Version and the statements that write its sample rows.
type Samples = &'static [(i64, &'static str)];

const MAIN: Samples = &[
    (1, include_str!("samples/main_0001.sql")),
    (2, include_str!("samples/main_0002.sql")),
    (3, include_str!("samples/main_0003.sql")),
    (5, include_str!("samples/main_0005.sql")),
    (6, include_str!("samples/main_0006.sql")),
    (7, concat!(include_str!("samples/main_0006.sql"), include_str!("samples/main_0007.sql"))),
];
const KEYS: Samples = &[(1, include_str!("samples/keys_0001.sql"))];

async fn tables(pool: &SqlitePool) -> Vec<String> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                 AND name <> '_sqlx_migrations' ORDER BY name";
    sqlx::query_scalar(names).fetch_all(pool).await.unwrap()
}

async fn count(pool: &SqlitePool, table: &str) -> i64 {
    let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    pool.fetch_one(count).await.unwrap().get(0)
}

/// Migrates step by step, writing each version's samples when it is reached; no table may be left without a row, and none
/// may lose one on the way to the newest version.
async fn samples_survive(migrations: &Migrator, samples: Samples) {
    let versions: Vec<i64> = migrations.iter().map(|migration| migration.version).collect();
    assert_eq!(versions, samples.iter().map(|(version, _)| *version).collect::<Vec<_>>(), "each has its samples");
    for (version, statements) in samples.iter().copied() {
        let folder = TempDir::new().unwrap();
        let path = format!("sqlite://{}?mode=rwc", folder.path().join("sample.db").display());
        let pool = SqlitePool::connect(&path).await.unwrap();
        migrations.run_to(version, &pool).await.unwrap();
        pool.execute(statements).await.unwrap();
        let mut written = Vec::new();
        for table in tables(&pool).await {
            written.push((count(&pool, &table).await, table));
        }
        assert!(written.iter().all(|(rows, _)| *rows > 0), "a table has no sample at version {version}: {written:?}");
        migrations.run(&pool).await.unwrap();
        for (rows, table) in written {
            assert_eq!(count(&pool, &table).await, rows, "{table} from version {version}");
        }
        let broken = pool.fetch_all("PRAGMA foreign_key_check").await.unwrap();
        assert!(broken.is_empty());
    }
}

#[tokio::test]
async fn sample_rows_of_the_main_database_survive() {
    samples_survive(&schema::MAIN, MAIN).await;
}

#[tokio::test]
async fn sample_rows_of_the_key_store_survive() {
    samples_survive(&schema::KEYS, KEYS).await;
}
