//! Rows written at any schema version survive to the newest.
//!
//! For each version there is a file of statements that write sample rows in the form of that version. A migration that adds a
//! version adds a file; the files before it are never changed.

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection, PgPool, Row, SqlitePool};
use tempfile::TempDir;

use cpr_operator::store::{postgres, schema};

use super::site::{self, Site};
use crate::support::database;

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

/// The same with PostgreSQL. Of the last five the first adds a table, the others functions, policies and room.
const POSTGRES_MAIN: Samples = &[
    (6, include_str!("samples/postgres_main_0006.sql")),
    (7, concat!(include_str!("samples/postgres_main_0006.sql"), include_str!("samples/main_0007.sql"))),
    (8, POSTGRES_MAIN_8),
    (9, POSTGRES_MAIN_8),
    (10, POSTGRES_MAIN_8),
    (11, POSTGRES_MAIN_8),
    (12, POSTGRES_MAIN_8),
];
const POSTGRES_MAIN_8: &str = concat!(
    include_str!("samples/postgres_main_0006.sql"),
    include_str!("samples/main_0007.sql"),
    include_str!("samples/postgres_consumers.sql")
);
const POSTGRES_KEYS: Samples = &[
    (1, include_str!("samples/postgres_keys_0001.sql")),
    (2, POSTGRES_KEYS_2),
    (3, POSTGRES_KEYS_2),
    (4, POSTGRES_KEYS_2),
];
const POSTGRES_KEYS_2: &str =
    concat!(include_str!("samples/postgres_keys_0001.sql"), include_str!("samples/postgres_consumers.sql"));

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

/// The tables of a schema and how many rows each has; partitions are parts of theirs.
async fn postgres_rows(pool: &PgPool) -> Vec<(String, i64)> {
    let names =
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'sample'::regnamespace AND relkind IN ('r', 'p')
                 AND NOT relispartition AND relname <> '_sqlx_migrations' ORDER BY relname";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(pool).await.unwrap();
    let mut rows = Vec::new();
    for name in names {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {name}"));
        rows.push((name, sqlx::query_scalar(count).fetch_one(pool).await.unwrap()));
    }
    rows
}

/// As [`samples_survive`].
async fn samples_survive_on_postgres(migrations: &Migrator, samples: Samples) {
    let versions: Vec<i64> = migrations.iter().map(|migration| migration.version).collect();
    assert_eq!(versions, samples.iter().map(|(version, _)| *version).collect::<Vec<_>>(), "each has its samples");
    for (version, statements) in samples.iter().copied() {
        let folder = TempDir::new().unwrap();
        let options = url(folder.path()).await.parse::<PgConnectOptions>().unwrap();
        let options = options.options([("search_path", "sample")]).disable_statement_logging();
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        pool.execute("CREATE SCHEMA sample").await.unwrap();
        migrations.run_to(version, &pool).await.unwrap();
        pool.execute(statements).await.unwrap();
        let written = postgres_rows(&pool).await;
        assert!(written.iter().all(|(_, rows)| *rows > 0), "a table has no sample at version {version}: {written:?}");
        migrations.run(&pool).await.unwrap();
        let found = postgres_rows(&pool).await;
        for (table, rows) in written {
            assert!(found.contains(&(table.clone(), rows)), "{table} from version {version}: {found:?}");
        }
    }
}

async fn url(folder: &std::path::Path) -> String {
    let settings = database::on_postgres(folder).await;
    std::fs::read_to_string(settings.url_file.unwrap()).unwrap()
}

async fn owner(folder: &std::path::Path) -> PgConnection {
    let mut conn = url(folder).await.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    conn.execute("SET search_path = cpr").await.unwrap();
    conn
}

#[tokio::test]
async fn sample_rows_of_the_main_database_survive_on_postgres() {
    samples_survive_on_postgres(&schema::POSTGRES_MAIN, POSTGRES_MAIN).await;
}

#[tokio::test]
async fn sample_rows_of_the_key_store_survive_on_postgres() {
    samples_survive_on_postgres(&schema::POSTGRES_KEYS, POSTGRES_KEYS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_who_bring_the_schema_up_to_date_at_once_do_it_once() {
    let folder = TempDir::new().unwrap();
    let url = url(folder.path()).await;
    let prepare = || async {
        postgres::prepare(&url, &postgres::KEYS).await?;
        postgres::prepare(&url, &postgres::MAIN).await
    };
    let (one, two, three) = tokio::join!(prepare(), prepare(), prepare());
    one.and(two).and(three).unwrap();
    let mut conn = owner(folder.path()).await;
    let runs: Vec<(i64, i64)> =
        sqlx::query_as("SELECT version, count(*) FROM _sqlx_migrations GROUP BY version ORDER BY version")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let known: Vec<(i64, i64)> = schema::POSTGRES_MAIN.iter().map(|migration| (migration.version, 1)).collect();
    assert_eq!(runs, known);
}

/// What a newer version does first: it adds what it needs and takes nothing away.
pub const EXPANDS: &str = "
    ALTER TABLE person ADD COLUMN later BIGINT;
    ALTER TABLE consumer ADD COLUMN later BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE event ADD COLUMN later TEXT;
    ALTER TABLE route ADD COLUMN later BIGINT;
    ALTER TABLE parked ADD COLUMN later BIGINT;
    CREATE TABLE later (id BIGINT PRIMARY KEY);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (9999, 'later', true, '', 0)";

/// Processes of the version before run on meanwhile, and others of it may still be started. A statement that is prepared on a
/// connection is refused once where it gives other columns than it did; where it stayed so, a process that ran on never read a
/// consumer again.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_goes_on_beside_the_schema_of_a_newer_one() {
    let site = Site::on_postgres().await;
    let store = &site.store;
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let record = site::stored(store, source, 1).await;
    let read = async || {
        let mut conn = store.main.read().await?;
        let found = cpr_operator::store::person::find(&mut conn, source, &[record]).await?;
        let consumers = cpr_operator::store::consumer::all(&mut conn).await?;
        Ok::<_, cpr_operator::store::Error>((found.len(), consumers.len()))
    };
    // On each connection of the pool it is prepared.
    for _ in 0..8 {
        assert_eq!(read().await.unwrap(), (1, 1));
    }
    owner(site.folder.path()).await.execute(EXPANDS).await.unwrap();
    let mut refused = 0;
    for _ in 0..40 {
        match read().await {
            Ok(found) => assert_eq!(found, (1, 1)),
            Err(error) => {
                assert!(error.is_passing(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused <= 8, "a connection refuses a statement once: {refused}");
    site::stored(store, source, 2).await;
    let one = [site::event(record, source, vec![site::route(consumer)])];
    let seq = site::append(store, &one).await.unwrap();
    site::settle(store, consumer, seq).await;

    let settings = database::on_postgres(site.folder.path()).await;
    let started =
        cpr_operator::store::open(&site::settings(site.folder.path()), &settings, site::noon()).await.unwrap();
    site::stored(&started, source, 3).await;
}
