//! Persons: what decides who covers them in the clear, all else sealed.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::seal::PersonKey;
use super::{Conn, Error, SourceId};
use crate::domain::field_group::GroupSet;
use crate::domain::municipality::Municipality;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::domain::standing::Standing;

/// A stored person, sealed.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// The record.
    pub record: RecordId,
    /// The source that told.
    pub source: SourceId,
    /// What decides who covers them.
    pub standing: Standing,
    /// The earliest coming date from which the content says something else.
    pub next_due: Option<Date>,
    /// The day for which the standing holds.
    pub as_of: Date,
    /// The groups that the content holds.
    pub held: GroupSet,
    /// The version of the configuration for which this person's coverage is settled.
    pub settled: i64,
    /// Whether the person is being removed.
    pub leaving: bool,
    /// Whether a widened grant asks for a fetch, without events.
    pub refetch: bool,
    /// Sealed content.
    pub content: Vec<u8>,
}

impl PersonRow {
    /// Opens the content.
    pub fn open(&self, key: &PersonKey) -> Result<Person, Error> {
        let _ = key;
        todo!()
    }
}

/// Seals a person's content for its row.
pub fn seal(key: &PersonKey, source: SourceId, person: &Person) -> Result<Vec<u8>, Error> {
    let _ = (key, source, person);
    todo!()
}

/// Persons of a source by record; absent ones are absent.
pub async fn find(
    conn: &mut Conn,
    source: SourceId,
    records: &[RecordId],
) -> Result<HashMap<RecordId, PersonRow>, Error> {
    let _ = (conn, source, records);
    todo!()
}

/// Writes persons, new and known, all columns. A row that is `leaving` is not touched; the records that were are returned.
pub async fn write(conn: &mut Conn, rows: &[PersonRow], now: Timestamp) -> Result<Vec<RecordId>, Error> {
    let _ = (conn, rows, now);
    todo!()
}

/// Whether name and address of each person are protected, in any source's row; absent where nothing is stored.
pub async fn protected(conn: &mut Conn, records: &[RecordId]) -> Result<HashMap<RecordId, bool>, Error> {
    let _ = (conn, records);
    todo!()
}

/// Persons whose `next_due` has come, or whose refetch is asked for, or who became inactive before `inactive_before`, at
/// most `limit`, by record after `after`.
pub async fn due(
    conn: &mut Conn,
    source: SourceId,
    today: Date,
    inactive_before: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<PersonRow>, Error> {
    let _ = (conn, source, today, inactive_before, limit);
    todo!()
}

/// Persons whose coverage was settled for an older version of the configuration, at most `limit`.
pub async fn unsettled(
    conn: &mut Conn,
    source: SourceId,
    configuration: i64,
    limit: u32,
) -> Result<Vec<PersonRow>, Error> {
    let _ = (conn, source, configuration, limit);
    todo!()
}

/// How many persons of a source are still settled for an older version of the configuration.
pub async fn count_unsettled(conn: &mut Conn, source: SourceId, configuration: i64) -> Result<u64, Error> {
    let _ = (conn, source, configuration);
    todo!()
}

/// Persons of a source who live in one of the municipalities (none: everyone) and are not inactive or void.
pub async fn count(conn: &mut Conn, source: SourceId, municipalities: Option<&[Municipality]>) -> Result<u64, Error> {
    let _ = (conn, source, municipalities);
    todo!()
}

/// Marks persons as leaving, unless undelivered routes tell of them (`told` of an undoing still open also keeps them). The records that were marked.
pub async fn mark_leaving(conn: &mut Conn, source: SourceId, records: &[RecordId]) -> Result<Vec<RecordId>, Error> {
    let _ = (conn, source, records);
    todo!()
}

/// Records marked as leaving, at most `limit`.
pub async fn leaving(conn: &mut Conn, limit: u32) -> Result<Vec<RecordId>, Error> {
    let _ = (conn, limit);
    todo!()
}

/// Deletes every row about these records (person, told, missed, unread, requests), whose keys are gone. How many persons.
pub async fn delete(conn: &mut Conn, records: &[RecordId]) -> Result<u64, Error> {
    let _ = (conn, records);
    todo!()
}
