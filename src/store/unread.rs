//! Persons that could not be read while others could, and when to try again.

use jiff::Timestamp;

use super::seal::PersonKey;
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
        let _ = (key, source, id, import, attempts, next_try);
        todo!()
    }

    /// Opens the PersonID.
    pub fn open(&self, key: &PersonKey, source: SourceId) -> Result<PersonId, Error> {
        let _ = (key, source);
        todo!()
    }
}

/// Writes rows, new and known.
pub async fn write(conn: &mut Conn, source: SourceId, rows: &[Unread]) -> Result<(), Error> {
    let _ = (conn, source, rows);
    todo!()
}

/// Rows due at `now`, at most `limit`.
pub async fn due(conn: &mut Conn, source: SourceId, now: Timestamp, limit: u32) -> Result<Vec<Unread>, Error> {
    let _ = (conn, source, now, limit);
    todo!()
}

/// Deletes rows of persons who were read.
pub async fn delete(conn: &mut Conn, source: SourceId, records: &[RecordId]) -> Result<(), Error> {
    let _ = (conn, source, records);
    todo!()
}

/// How many rows a source has.
pub async fn count(conn: &mut Conn, source: SourceId) -> Result<u64, Error> {
    let _ = (conn, source);
    todo!()
}
