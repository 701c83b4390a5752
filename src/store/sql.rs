//! Statements that both databases take, with their arguments.
//!
//! A text is written once, with `$1` for arguments and in what SQLite and PostgreSQL have in common; `dialect.rs` says the
//! rest. Where a statement is hot, each database has a text of its own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Connection, Decode, FromRow, PgConnection, Postgres, Sqlite, Type};

use super::database::{self, Backend, Conn};
use super::rows::{Column, hexes};
use super::watch::counted;
use super::{Error, dialect};
use crate::domain::pairwise::RecordId;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// An argument of a statement.
pub enum Arg {
    /// A number, also a time or a flag.
    Int(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Bytes.
    Blob(Option<Vec<u8>>),
    /// Records, for `records($n)`.
    Records(Vec<RecordId>),
    /// Ids of rows, for `ids($n)`.
    Ids(Option<Vec<i64>>),
    /// Numbers for `unnest($n)`, with PostgreSQL only; so are the three below.
    Ints(Vec<Option<i64>>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Bytes.
    Blobs(Vec<Option<Vec<u8>>>),
}

impl Arg {
    fn add_to_sqlite(self, arguments: &mut SqliteArguments) -> std::result::Result<(), sqlx::error::BoxDynError> {
        match self {
            Self::Int(value) => arguments.add(value),
            Self::Text(value) => arguments.add(value),
            Self::Blob(value) => arguments.add(value),
            Self::Records(records) => arguments.add(hexes(&records)),
            Self::Ids(ids) => arguments.add(ids.map(|ids| serde_json::to_string(&ids)).transpose()?),
            Self::Ints(_) | Self::Texts(_) | Self::Blobs(_) => Err("SQLite has no arrays".into()),
        }
    }

    fn add_to_postgres(self, arguments: &mut PgArguments) -> std::result::Result<(), sqlx::error::BoxDynError> {
        match self {
            Self::Int(value) => arguments.add(value),
            Self::Text(value) => arguments.add(value),
            Self::Blob(value) => arguments.add(value),
            Self::Records(records) => arguments.add(records.iter().map(|record| &record.0[..]).collect::<Vec<_>>()),
            Self::Ids(ids) => arguments.add(ids),
            Self::Ints(values) => arguments.add(values),
            Self::Texts(values) => arguments.add(values),
            Self::Blobs(values) => arguments.add(values),
        }
    }
}

macro_rules! arg {
    ($variant:ident: $($type:ty => $value:expr),+ $(,)?) => {$(
        impl From<$type> for Arg {
            fn from(value: $type) -> Self {
                Self::$variant(Some(($value)(value)))
            }
        }

        impl From<Option<$type>> for Arg {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map($value))
            }
        }
    )+};
}

arg!(Int: i64 => |v| v, u32 => i64::from, u16 => i64::from, u8 => i64::from, bool => i64::from);
arg!(Text: String => |v| v, &str => str::to_owned, &String => String::clone, Cow<'_, str> => Cow::into_owned);
arg!(Blob: Vec<u8> => |v| v, &[u8] => <[u8]>::to_vec, &Vec<u8> => Vec::clone);

impl From<&[RecordId]> for Arg {
    fn from(records: &[RecordId]) -> Self {
        Self::Records(records.to_vec())
    }
}

impl From<&[i64]> for Arg {
    fn from(ids: &[i64]) -> Self {
        Self::Ids(Some(ids.to_vec()))
    }
}

impl From<Option<Vec<i64>>> for Arg {
    fn from(ids: Option<Vec<i64>>) -> Self {
        Self::Ids(ids)
    }
}

/// A statement with its arguments.
pub struct Query {
    text: &'static str,
    arguments: Vec<Arg>,
}

/// A statement whose rows become values of `T`.
pub struct QueryAs<T>(Query, PhantomData<fn() -> T>);

/// A statement whose rows have one column.
pub struct QueryScalar<T>(Query, PhantomData<fn() -> T>);

/// A statement that was put together. Each is kept once, for as long as the process lives.
pub(super) fn kept(text: String) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = kept.get(text.as_str()) {
        return text;
    }
    let text = text.leak();
    kept.insert(text);
    text
}

/// A statement that gives no rows.
pub fn query(text: &'static str) -> Query {
    Query { text, arguments: Vec::new() }
}

/// A statement whose rows become tuples or structs.
pub fn query_as<T>(text: &'static str) -> QueryAs<T> {
    QueryAs(query(text), PhantomData)
}

/// A statement whose rows have one column.
pub fn query_scalar<T>(text: &'static str) -> QueryScalar<T> {
    QueryScalar(query(text), PhantomData)
}

/// A statement that is read often: with SQLite all its rows come as one JSON array of arrays with blobs in hexadecimal, for
/// handed over one by one each costs two switches between the database's thread and ours, which is more than all that is in it.
pub struct QueryGathered<T> {
    table: &'static str,
    gathered: Query,
    plain: &'static str,
    row: PhantomData<fn() -> T>,
}

/// A statement that is read often: as SQLite gathers its rows, and plain.
pub fn query_gathered<T>(table: &'static str, gathered: &'static str, plain: &'static str) -> QueryGathered<T> {
    QueryGathered { table, gathered: query(gathered), plain, row: PhantomData }
}

impl<T: DeserializeOwned + for<'r> FromRow<'r, PgRow> + Send + Unpin> QueryGathered<T> {
    /// Binds the next argument.
    pub fn bind(mut self, argument: impl Into<Arg>) -> Self {
        self.gathered = self.gathered.bind(argument);
        self
    }

    /// All rows.
    pub async fn fetch_all(mut self, conn: &mut Conn) -> std::result::Result<Vec<T>, Error> {
        match conn.backend() {
            Backend::Sqlite(conn) => {
                let (text, arguments) = self.gathered.for_sqlite()?;
                let rows: String = counted(sqlx::query_scalar_with(text, arguments).fetch_one(conn).await)?;
                Column(self.table, "rows").json(&rows)
            }
            Backend::Postgres(conn) => {
                self.gathered.text = self.plain;
                Ok(self.gathered.postgres_rows(conn).await?)
            }
        }
    }
}

/// What rows of both databases can become.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// What one column of both databases can become.
pub trait Cell:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin
{
}
impl<T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin> Cell
    for T
{
}

impl Query {
    /// Binds the next argument.
    pub fn bind(mut self, argument: impl Into<Arg>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Runs it. How many rows it wrote.
    pub async fn execute(self, conn: &mut Conn) -> Result<u64> {
        Ok(match conn.backend() {
            Backend::Sqlite(conn) => {
                let (text, arguments) = self.for_sqlite()?;
                counted(sqlx::query_with(text, arguments).execute(conn).await)?.rows_affected()
            }
            Backend::Postgres(conn) => {
                let persistent = conn.persistent;
                let (text, arguments) = self.for_postgres()?;
                let query = sqlx::query_with(text, arguments).persistent(persistent);
                let done = query.execute(&mut *conn.conn).await;
                forget_outdated(conn.conn, counted(done)).await?.rows_affected()
            }
        })
    }

    async fn rows<T: Row>(self, conn: &mut Conn) -> Result<Vec<T>> {
        match conn.backend() {
            Backend::Sqlite(conn) => {
                let (text, arguments) = self.for_sqlite()?;
                counted(sqlx::query_as_with(text, arguments).fetch_all(conn).await)
            }
            Backend::Postgres(conn) => self.postgres_rows(conn).await,
        }
    }

    async fn postgres_rows<T>(self, conn: database::Postgres<'_>) -> Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (text, arguments) = self.for_postgres()?;
        let query = sqlx::query_as_with(text, arguments).persistent(conn.persistent);
        let found = query.fetch_all(&mut *conn.conn).await;
        forget_outdated(conn.conn, counted(found)).await
    }

    fn for_sqlite(self) -> Result<(&'static str, SqliteArguments)> {
        let mut arguments = SqliteArguments::default();
        let added = self.arguments.into_iter().try_for_each(|arg| arg.add_to_sqlite(&mut arguments));
        added.map_err(sqlx::Error::Encode)?;
        Ok((dialect::sqlite(self.text), arguments))
    }

    fn for_postgres(self) -> Result<(&'static str, PgArguments)> {
        let mut arguments = PgArguments::default();
        let added = self.arguments.into_iter().try_for_each(|arg| arg.add_to_postgres(&mut arguments));
        added.map_err(sqlx::Error::Encode)?;
        Ok((dialect::postgres(self.text), arguments))
    }
}

/// What the server says of a prepared statement whose columns a migration has changed since.
const OUTDATED: &str = "0A000";

/// A connection on which such a statement is prepared would refuse it as long as it lives: it is prepared anew the next time.
async fn forget_outdated<T>(conn: &mut PgConnection, done: Result<T>) -> Result<T> {
    let code = done.as_ref().err().and_then(sqlx::Error::as_database_error).and_then(|error| error.code());
    if code.as_deref() == Some(OUTDATED) {
        conn.clear_cached_statements().await?;
    }
    done
}

impl<T: Row> QueryAs<T> {
    /// Binds the next argument.
    pub fn bind(self, argument: impl Into<Arg>) -> Self {
        Self(self.0.bind(argument), PhantomData)
    }

    /// All rows.
    pub async fn fetch_all(self, conn: &mut Conn) -> Result<Vec<T>> {
        self.0.rows(conn).await
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(self, conn: &mut Conn) -> Result<Option<T>> {
        Ok(self.0.rows(conn).await?.into_iter().next())
    }

    /// The first row.
    pub async fn fetch_one(self, conn: &mut Conn) -> Result<T> {
        self.fetch_optional(conn).await?.ok_or(sqlx::Error::RowNotFound)
    }
}

impl<T: Cell> QueryScalar<T> {
    /// Binds the next argument.
    pub fn bind(self, argument: impl Into<Arg>) -> Self {
        Self(self.0.bind(argument), PhantomData)
    }

    /// The column of all rows.
    pub async fn fetch_all(self, conn: &mut Conn) -> Result<Vec<T>> {
        Ok(self.0.rows::<(T,)>(conn).await?.into_iter().map(|(cell,)| cell).collect())
    }

    /// The column of the first row, if there is one.
    pub async fn fetch_optional(self, conn: &mut Conn) -> Result<Option<T>> {
        Ok(self.fetch_all(conn).await?.into_iter().next())
    }

    /// The column of the first row.
    pub async fn fetch_one(self, conn: &mut Conn) -> Result<T> {
        self.fetch_optional(conn).await?.ok_or(sqlx::Error::RowNotFound)
    }
}
