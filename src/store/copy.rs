//! Copying a store from SQLite files to PostgreSQL, whole: who outgrows the one goes on with the other where it stopped.
//!
//! Until the end the copy is marked as unfinished, which no process opens; a copy that was interrupted is begun anew. Before the
//! mark goes the files are marked as moved, so that never both are in use.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use super::database::{Backend, Conn};
use super::sql::{Arg, kept, query, query_as};
use super::{Database, Error, catalogue, meta, numbers as number, open, statistics};
use crate::settings::database::DatabaseSettings;
use crate::settings::store::StoreSettings;

/// In the copy's `meta` while it is not finished.
pub(super) const COPYING: &str = "copying";
/// In the files' `meta` once the copy is as good as they are.
pub(super) const MOVED: &str = "moved";
/// Rows in one transaction.
const BATCH: usize = 1_000;

/// A table and how many rows of it were copied.
pub type Copied = (&'static str, u64);

/// Copies both databases. `tell` hears of each table that is done. No process may run on the files meanwhile.
pub async fn copy(
    from: &StoreSettings,
    to: &DatabaseSettings,
    now: Timestamp,
    mut tell: impl FnMut(Copied),
) -> Result<(), Error> {
    let files = open::files(from, now).await?;
    let (keys, main) = open::databases(to).await?;
    for (source, target, tables) in [
        (files.keys.database(), &keys, catalogue::tables(catalogue::KEYS)),
        (&files.main, &main, catalogue::tables(catalogue::MAIN)),
    ] {
        begin(target, &files.id, &tables).await?;
        for table in tables {
            tell((table, table_rows(source, target, table).await?));
        }
        numbers(source, target).await?;
        statistics::look_at_grown(target).await?;
    }
    let mut tx = files.main.begin().await?;
    meta::set(&mut tx, MOVED, &files.id).await?;
    tx.commit().await?;
    for target in [&keys, &main] {
        let mut tx = target.begin().await?;
        meta::remove(&mut tx, COPYING).await?;
        meta::remove(&mut tx, MOVED).await?;
        tx.commit().await?;
    }
    files.close().await;
    Ok(())
}

/// Marks the target as unfinished and empties it; refuses one that is in use.
async fn begin(target: &Database, id: &str, tables: &[&'static str]) -> Result<(), Error> {
    let mut tx = target.begin().await?;
    let is_ours = meta::get(&mut tx, COPYING).await?.as_deref() == Some(id);
    if !is_ours && meta::get(&mut tx, open::STORE).await?.is_some() {
        return Err(Error::Occupied);
    }
    let list = tables.join(", ");
    query(kept(format!("TRUNCATE {list} CASCADE"))).execute(&mut tx).await?;
    meta::set(&mut tx, COPYING, id).await?;
    tx.commit().await
}

/// Copies a table. How many rows it has.
async fn table_rows(source: &Database, target: &Database, table: &'static str) -> Result<u64, Error> {
    let columns = columns(&mut *target.read().await?, table).await?;
    let names = columns.keys().cloned().collect::<Vec<_>>().join(", ");
    let select = format!("SELECT {names} FROM {table}");
    let mut conn = source.read().await?;
    let Backend::Sqlite(conn) = conn.backend() else { return Err(Error::Occupied) };
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(conn);
    let (mut batch, mut count) = (Vec::with_capacity(BATCH), 0);
    loop {
        let next = rows.try_next().await?;
        let is_last = next.is_none();
        batch.extend(next);
        if batch.len() == BATCH || (is_last && !batch.is_empty()) {
            insert(target, table, &columns, &batch).await?;
            count += batch.len() as u64;
            batch.clear();
        }
        if is_last {
            return Ok(count);
        }
    }
}

/// A table's columns with their types.
async fn columns(conn: &mut Conn, table: &str) -> Result<BTreeMap<String, String>, Error> {
    let rows: Vec<(String, String)> = query_as(
        "SELECT column_name::text, data_type::text FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = $1",
    )
    .bind(table)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

async fn insert(
    target: &Database,
    table: &str,
    columns: &BTreeMap<String, String>,
    rows: &[SqliteRow],
) -> Result<(), Error> {
    let names = columns.keys().cloned().collect::<Vec<_>>().join(", ");
    let arrays = columns.values().enumerate().map(|(at, type_)| format!("${}::{type_}[]", at + 1));
    let arrays = arrays.collect::<Vec<_>>().join(", ");
    let mut tx = target.begin().await?;
    if ["event", "route", "attempt"].contains(&table) {
        let seqs = rows.iter().map(|row| Ok(row.try_get::<i64, _>("seq")? >> 24));
        let mut ranges = seqs.collect::<Result<Vec<i64>, sqlx::Error>>()?;
        ranges.dedup();
        for range in ranges {
            query("SELECT add_partition($1, $2)").bind(table).bind(range).execute(&mut tx).await?;
        }
    }
    // `meta` has the mark that this copy is unfinished already.
    let text = format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING");
    let mut statement = query(kept(text));
    for (column, type_) in columns {
        statement = statement.bind(values(rows, column, type_)?);
    }
    statement.execute(&mut tx).await?;
    tx.commit().await
}

/// A column of rows as an array.
fn values(rows: &[SqliteRow], column: &str, type_: &str) -> Result<Arg, sqlx::Error> {
    Ok(match type_ {
        "bigint" => Arg::Ints(rows.iter().map(|row| row.try_get(column)).collect::<Result<_, _>>()?),
        "bytea" => Arg::Blobs(rows.iter().map(|row| row.try_get(column)).collect::<Result<_, _>>()?),
        _ => Arg::Texts(rows.iter().map(|row| row.try_get(column)).collect::<Result<_, _>>()?),
    })
}

/// Numbers go on where they stopped, also where the rows that had the last ones are gone.
async fn numbers(source: &Database, target: &Database) -> Result<(), Error> {
    let given: Vec<(String, i64)> =
        query_as("SELECT name, seq FROM sqlite_sequence").fetch_all(&mut *source.read().await?).await?;
    let mut tx = target.begin().await?;
    for (table, last) in given.iter().filter(|(_, last)| *last > 0) {
        number::set(&mut tx, table, *last).await?;
    }
    tx.commit().await
}
