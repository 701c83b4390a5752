//! One database file: a single writer behind a fair queue, a small pool of readers, settings asserted on each connection.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use sqlx::SqlitePool;

/// A connection, in a transaction or not.
pub type Conn = sqlx::SqliteConnection;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or failed.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database was written by a newer version.
    #[error(
        "the database at {path} has schema version {found}, newer than this program's {known}: run the newer version again, or restore the backup made before it"
    )]
    Newer {
        /// File.
        path: String,
        /// Its schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A stored value is not what its column promises.
    #[error("column {table}.{column} holds a value that cannot be read")]
    Unreadable {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// Sealed content did not open: another key, or altered bytes.
    #[error("sealed content of {table}.{column} cannot be opened")]
    Sealed {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// The root key is missing, malformed, or not the one that this store was made with.
    #[error("root key: {0}")]
    RootKey(String),
    /// A file could not be used.
    #[error("{path}: {source}")]
    File {
        /// File.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// Another process holds the store.
    #[error("another process runs on {path}: stop it first, or give this one another store.path")]
    Held {
        /// The lock file.
        path: String,
    },
}

/// A database that is open.
#[derive(Clone)]
pub struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// A writing transaction. Dropped without [`Tx::commit`] it leaves nothing.
pub struct Tx(sqlx::Transaction<'static, sqlx::Sqlite>);

impl Database {
    /// Opens the file, makes it if absent, and brings its schema up to date.
    pub async fn open(path: &Path, migrations: &sqlx::migrate::Migrator) -> Result<Self, Error> {
        let _ = (path, migrations);
        todo!()
    }

    /// Begins to write (`BEGIN IMMEDIATE`); waits its turn behind earlier writers.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(Tx(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, Error> {
        Ok(self.readers.acquire().await?)
    }
}

impl Tx {
    /// Makes all that was written durable.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.0.commit().await?)
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}
