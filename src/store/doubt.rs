//! Persons of whom the register says something doubtful, until it says otherwise.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rows::{Column, count as unsigned, name_of};
use super::sql::{query, query_scalar};
use super::{Conn, Error, SourceId};
use crate::domain::pairwise::RecordId;

/// What is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Another entry claims the same number; the two are kept apart.
    Apart,
    /// We hold them, and the register does not know them any more.
    Vanished,
}

const KIND: Column = Column("doubt", "kind");

/// Remembers a doubt about these persons.
pub async fn write(
    conn: &mut Conn,
    source: SourceId,
    kind: Kind,
    records: &[RecordId],
    now: Timestamp,
) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO doubt (record, source, kind, at) SELECT record, $1, $2, $3 FROM records($4) r WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(source)
    .bind(name_of(&kind, KIND)?)
    .bind(now.as_millisecond())
    .bind(records)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets every doubt about these persons.
pub async fn clear(conn: &mut Conn, source: SourceId, records: &[RecordId]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    query("DELETE FROM doubt WHERE source = $1 AND record IN records($2)")
        .bind(source)
        .bind(records)
        .execute(conn)
        .await?;
    Ok(())
}

/// Of these persons those about whom there is this doubt.
pub async fn find(
    conn: &mut Conn,
    source: SourceId,
    kind: Kind,
    records: &[RecordId],
) -> Result<HashSet<RecordId>, Error> {
    let found: Vec<Vec<u8>> =
        query_scalar("SELECT record FROM doubt WHERE record IN records($1) AND source = $2 AND kind = $3")
            .bind(records)
            .bind(source)
            .bind(name_of(&kind, KIND)?)
            .fetch_all(conn)
            .await?;
    found.iter().map(|bytes| Column("doubt", "record").record(bytes)).collect()
}

/// About how many persons of a source there is this doubt.
pub async fn count(conn: &mut Conn, source: SourceId, kind: Kind) -> Result<u64, Error> {
    let found: i64 = query_scalar(
        "SELECT count(*) FROM doubt d WHERE source = $1 AND kind = $2
         AND EXISTS (SELECT 1 FROM person p WHERE p.record = d.record AND p.source = d.source)",
    )
    .bind(source)
    .bind(name_of(&kind, KIND)?)
    .fetch_one(conn)
    .await?;
    Ok(unsigned(found))
}
