//! Audit entries as rows: appended in the caller's transaction, never changed.

use jiff::Timestamp;

use super::{Conn, Error};

/// An entry to append.
pub struct NewEntry {
    /// Random id.
    pub id: [u8; 16],
    /// When.
    pub at: Timestamp,
    /// The public part's canonical bytes.
    pub public: Vec<u8>,
    /// The private part, sealed with its salt.
    pub private: Vec<u8>,
    /// The key that sealed it.
    pub private_key: i64,
    /// Its subjects: kind, month and reference. The first of each kind also stands in the entry's own columns.
    pub subjects: Vec<Subject>,
}

/// A subject's reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `PersonId` or `Number`.
    pub kind: &'static str,
    /// Month, `YYYY-MM`.
    pub period: String,
    /// Reference.
    pub reference: Vec<u8>,
}

/// An entry as stored.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Position in the order of insertion.
    pub position: i64,
    /// Random id.
    pub id: [u8; 16],
    /// The public part's canonical bytes.
    pub public: Vec<u8>,
    /// The private part, sealed with its salt.
    pub private: Vec<u8>,
    /// The key that sealed it.
    pub private_key: i64,
}

/// Appends entries, one statement per table.
pub async fn append(conn: &mut Conn, entries: &[NewEntry]) -> Result<(), Error> {
    let _ = (conn, entries);
    todo!()
}

/// Entries after a position, in order, at most `limit`.
pub async fn read(conn: &mut Conn, after: i64, limit: u32) -> Result<Vec<Entry>, Error> {
    let _ = (conn, after, limit);
    todo!()
}
