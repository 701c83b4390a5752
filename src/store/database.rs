//! A database that is open: SQLite or PostgreSQL, and what a connection of either is to the rest of the store.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, SqliteConnection};

use super::watch::{counted, counted_here};
use super::{ConsumerId, Error, postgres, sqlite};

/// A database that is open. Clones share it.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of this process.
    Sqlite(sqlite::Database),
    /// A database of a server.
    Postgres(postgres::Database),
}

/// A connection, in a transaction or not.
pub struct Conn(pub(super) Held);

/// What holds a connection.
pub(super) enum Held {
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
    SqliteTx(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres { tx: sqlx::Transaction<'static, sqlx::Postgres>, persistent: bool },
}

/// The connection itself.
pub(super) enum Backend<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(Postgres<'a>),
}

/// A connection of PostgreSQL, and whether statements may stay prepared on it.
pub(super) struct Postgres<'a> {
    pub(super) conn: &'a mut PgConnection,
    pub(super) persistent: bool,
}

/// A connection for reading, given back when it is dropped.
pub struct Read(Conn);

/// A writing transaction. Dropped without [`Tx::commit`] it leaves nothing.
pub struct Tx(Conn);

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Conn {
    pub(super) fn dialect(&self) -> Dialect {
        match self.0 {
            Held::Sqlite(_) | Held::SqliteTx(_) => Dialect::Sqlite,
            Held::Postgres { .. } => Dialect::Postgres,
        }
    }

    pub(super) fn backend(&mut self) -> Backend<'_> {
        match &mut self.0 {
            Held::Sqlite(conn) => Backend::Sqlite(conn),
            Held::SqliteTx(tx) => Backend::Sqlite(tx),
            Held::Postgres { tx, persistent } => Backend::Postgres(Postgres { conn: tx, persistent: *persistent }),
        }
    }
}

impl Database {
    /// Begins to write, alone: waits its turn behind earlier writers, and later ones wait for it.
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.begin_for(&[]).await
    }

    /// As [`Database::begin`], for these consumers.
    pub async fn begin_for(&self, consumers: &[ConsumerId]) -> Result<Tx, Error> {
        let held = match self {
            Self::Sqlite(database) => database.begin().await.map(Held::SqliteTx),
            Self::Postgres(database) => database.begin(consumers).await,
        };
        Ok(Tx(Conn(counted_here(held)?)))
    }

    /// Begins to write beside others who do the same. What it writes nobody else may write meanwhile, or it decides by locks
    /// on rows and by epochs. With SQLite there is one writer all the same.
    pub async fn begin_beside(&self) -> Result<Tx, Error> {
        self.begin_beside_for(&[]).await
    }

    /// As [`Database::begin_beside`], for these consumers.
    pub async fn begin_beside_for(&self, consumers: &[ConsumerId]) -> Result<Tx, Error> {
        let held = match self {
            Self::Sqlite(database) => database.begin().await.map(Held::SqliteTx),
            Self::Postgres(database) => database.begin_beside(consumers).await,
        };
        Ok(Tx(Conn(counted_here(held)?)))
    }

    /// Begins to write what no other transaction looks at but for a moment: waits for nobody.
    pub async fn begin_apart(&self) -> Result<Tx, Error> {
        self.begin_apart_for(&[]).await
    }

    /// As [`Database::begin_apart`], for these consumers.
    pub async fn begin_apart_for(&self, consumers: &[ConsumerId]) -> Result<Tx, Error> {
        let held = match self {
            Self::Sqlite(database) => database.begin().await.map(Held::SqliteTx),
            Self::Postgres(database) => database.begin_apart(consumers).await,
        };
        Ok(Tx(Conn(counted_here(held)?)))
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<Read, Error> {
        self.read_for(&[]).await
    }

    /// As [`Database::read`], for these consumers: with PostgreSQL a login that is not there for all sees the rows of no others.
    pub async fn read_for(&self, consumers: &[ConsumerId]) -> Result<Read, Error> {
        let held = match self {
            Self::Sqlite(database) => database.read().await.map(Held::Sqlite),
            Self::Postgres(database) => database.read(consumers).await,
        };
        Ok(Read(Conn(counted_here(held)?)))
    }

    /// Takes deleted content out of the log of changes, where that is ours to do. Whether it was possible.
    pub async fn truncate_wal(&self) -> Result<bool, Error> {
        match self {
            Self::Sqlite(database) => database.truncate_wal().await,
            Self::Postgres(_) => Ok(true),
        }
    }

    /// Closes every connection, after those who hold one have given it back.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

impl Tx {
    /// Makes all that was written durable.
    pub async fn commit(self) -> Result<(), Error> {
        match self.0.0 {
            Held::SqliteTx(tx) => Ok(counted(tx.commit().await)?),
            Held::Postgres { tx, .. } => Ok(counted(tx.commit().await)?),
            Held::Sqlite(_) => Ok(()),
        }
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

impl Deref for Read {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Read {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}
