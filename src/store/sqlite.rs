//! SQLite: one database file, a single writer behind a fair queue, a small pool of readers, settings asserted on each connection.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::{Error, error, files, schema};

/// What every connection must answer: journal mode, synchronous FULL, `secure_delete`, foreign keys.
const REQUIRED: (&str, i64, i64, i64) = ("wal", 2, 1, 1);

/// Pages that a connection keeps at most, in kilobytes: the writer a whole batch, so that nothing is written before it commits;
/// a reader what many lookups have in common.
const WRITER_CACHE: u32 = 16 << 10;
const READER_CACHE: u32 = 2 << 10;
/// Pages in the write-ahead log at which it is moved into the file. More of them at once are written more nearly in order.
const CHECKPOINT: u32 = 4_000;
/// Rows that a reading connection has ready before anybody takes them.
const ROWS_READY: usize = 512;
/// Writers queue where they begin, not where they write first.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// A database that is open. Clones share it.
#[derive(Clone, Debug)]
pub struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// Opens the file, makes it if absent (mode 0600), brings its schema up to date, and gives at most `readers`
    /// connections for reading.
    pub async fn open(path: &Path, migrations: &Migrator, readers: u32) -> Result<Self, Error> {
        files::ensure_private(path)?;
        Self::connect(path, migrations, readers).await.map_err(|error| unusable(path, error))
    }

    async fn connect(path: &Path, migrations: &Migrator, readers: u32) -> Result<Self, Error> {
        let options = options(path);
        let writing = options.clone().pragma("cache_size", format!("-{WRITER_CACHE}"));
        let writing = writing.pragma("wal_autocheckpoint", CHECKPOINT.to_string());
        let writer = pool(1).connect_with(writing).await?;
        refuse_newer(&writer, path, migrations).await?;
        migrations.run(&writer).await?;
        let reading = options.pragma("query_only", "ON").pragma("cache_size", format!("-{READER_CACHE}"));
        let reading = reading.row_buffer_size(ROWS_READY).optimize_on_close(false, None);
        let readers = pool(readers.max(1)).connect_with(reading).await?;
        Ok(Self { writer, readers })
    }

    /// Begins to write (`BEGIN IMMEDIATE`); waits its turn behind earlier writers.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        match self.writer.begin_with(BEGIN).await {
            Err(sqlx::Error::InvalidSavePointStatement) => self.begin_anew().await,
            begun => Ok(begun?),
        }
    }

    /// A full or failing disk has SQLite end a transaction by itself. The connection then still counts it as open and would
    /// never begin another, so a new connection takes its place.
    async fn begin_anew(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        tracing::warn!("a transaction was ended by the database: the connection is made anew");
        self.writer.acquire().await?.close().await?;
        Ok(self.writer.begin_with(BEGIN).await?)
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<sqlx::pool::PoolConnection<Sqlite>, Error> {
        Ok(self.readers.acquire().await?)
    }

    /// Moves everything from the write-ahead log into the file and empties the log, so that deleted content is in neither.
    /// Whether that was possible: a reader in the midst of a read prevents it.
    pub async fn truncate_wal(&self) -> Result<bool, Error> {
        let (busy, _, _): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await?;
        Ok(busy == 0)
    }

    /// Closes every connection, after those who hold one have given it back.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Says which file it is that the database refused, and what to do.
fn unusable(path: &Path, error: Error) -> Error {
    let source = match error {
        Error::Sql(source)
        | Error::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => source,
        other => return other,
    };
    let advice = error::advice(&source);
    Error::Unusable { path: path.display().to_string(), source, advice }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("secure_delete", "ON")
}

/// A pool whose connections live as long as it and are checked once, when they are made.
fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(|conn, _| Box::pin(assert_settings(conn)))
}

async fn assert_settings(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let row: (String, i64, i64, i64) = sqlx::query_as(
        "SELECT journal_mode, synchronous, secure_delete, foreign_keys
         FROM pragma_journal_mode, pragma_synchronous, pragma_secure_delete, pragma_foreign_keys",
    )
    .fetch_one(&mut *conn)
    .await?;
    let found = (row.0.as_str(), row.1, row.2, row.3);
    if found == REQUIRED { Ok(()) } else { Err(sqlx::Error::Configuration("a required setting did not hold".into())) }
}

async fn refuse_newer(writer: &SqlitePool, path: &Path, migrations: &Migrator) -> Result<(), Error> {
    let table = "SELECT name FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    if writer.fetch_optional(table).await?.is_none() {
        return Ok(());
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(writer).await?;
    let (found, known) = (found.unwrap_or(0), schema::newest(migrations));
    if found > known {
        return Err(Error::Newer { path: path.display().to_string(), found, known });
    }
    Ok(())
}
