//! Persons that could not be read while others could, and when to try again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::rows::{Column, batch, count as unsigned};
use super::seal::{PersonKey, Place};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, Error, SourceId};
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;

/// A person to try again.
#[derive(Clone, Debug)]
pub struct Unread {
    /// The record.
    pub record: RecordId,
    /// The import that told of them.
    pub import: u32,
    /// How often it was tried.
    pub attempts: u32,
    /// When to try again.
    pub next_try: Timestamp,
    /// Sealed PersonID.
    pub person_id: Vec<u8>,
}

impl Unread {
    /// A row with the PersonID sealed under the record's key.
    pub fn seal(
        key: &PersonKey,
        source: SourceId,
        id: &PersonId,
        import: u32,
        attempts: u32,
        next_try: Timestamp,
    ) -> Result<Self, Error> {
        let person_id = key.seal(place(&source.to_string()), &id.expose())?;
        Ok(Self { record: key.record, import, attempts, next_try, person_id })
    }

    /// Opens the PersonID.
    pub fn open(&self, key: &PersonKey, source: SourceId) -> Result<PersonId, Error> {
        let text = Zeroizing::new(key.open::<String>(place(&source.to_string()), &self.person_id)?);
        PersonId::parse(&text).map_err(|_| Column("unread", "person_id").unreadable())
    }
}

/// Where the PersonID of a source's row lies.
fn place(source: &str) -> Place<'_> {
    Place { table: "unread", column: "person_id", row: source }
}

/// Writes rows, new and known.
pub async fn write(conn: &mut Conn, source: SourceId, rows: &[Unread]) -> Result<(), Error> {
    // A statement may write a row once only: of several the last counts.
    let last: BTreeMap<RecordId, &Unread> = rows.iter().map(|row| (row.record, row)).collect();
    let values: Vec<_> = last
        .into_values()
        .map(|row| {
            let next_try = row.next_try.as_millisecond();
            (hex::encode(row.record.0), row.import, row.attempts, next_try, hex::encode(&row.person_id))
        })
        .collect();
    query(
        "INSERT INTO unread (source, record, import, attempts, next_try, person_id)
         SELECT $1, unhex(value ->> 0), CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT), unhex(value ->> 4)
         FROM json_each($2) WHERE true
         ON CONFLICT (record, source) DO UPDATE
         SET import = excluded.import, attempts = excluded.attempts, next_try = excluded.next_try,
             person_id = excluded.person_id",
    )
    .bind(source)
    .bind(batch("unread", &values)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Record, import, attempts, next try, PersonID.
type Row = (Vec<u8>, i64, i64, i64, Vec<u8>);

/// Rows due at `now`, at most `limit`. What is to be tried after `latest` was dated by a clock that was ahead, and is due too.
pub async fn due(
    conn: &mut Conn,
    source: SourceId,
    now: Timestamp,
    latest: Timestamp,
    limit: u32,
) -> Result<Vec<Unread>, Error> {
    let rows: Vec<Row> = query_as(
        "SELECT record, import, attempts, next_try, person_id FROM unread
         WHERE source = $1 AND (next_try <= $2 OR next_try > $3) ORDER BY next_try LIMIT $4",
    )
    .bind(source)
    .bind(now.as_millisecond())
    .bind(latest.as_millisecond())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(record, import, attempts, next_try, person_id)| {
            Ok(Unread {
                record: Column("unread", "record").record(&record)?,
                import: Column("unread", "import").number(import)?,
                attempts: Column("unread", "attempts").number(attempts)?,
                next_try: Column("unread", "next_try").time(next_try)?,
                person_id,
            })
        })
        .collect()
}

/// Deletes rows of persons who were read.
pub async fn delete(conn: &mut Conn, source: SourceId, records: &[RecordId]) -> Result<(), Error> {
    query("DELETE FROM unread WHERE source = $1 AND record IN records($2)")
        .bind(source)
        .bind(records)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many rows a source has.
pub async fn count(conn: &mut Conn, source: SourceId) -> Result<u64, Error> {
    let found: i64 = query_scalar("SELECT count(*) FROM unread WHERE source = $1").bind(source).fetch_one(conn).await?;
    Ok(unsigned(found))
}
