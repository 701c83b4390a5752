//! Cursors: how far a source's feed has been committed.

use serde::{Deserialize, Serialize};

use super::{Conn, Error, SourceId};

/// How far a source's feed has been committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last import wholly committed.
    pub import: u32,
    /// The last three imports, oldest first.
    pub imports: Vec<Import>,
}

/// One import as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Its number.
    pub number: u32,
    /// The id of its last event.
    pub last_event: i64,
    /// How many notices it had.
    pub notices: u64,
}

/// The source's cursor; none before the first reading.
pub async fn read(conn: &mut Conn, source: SourceId) -> Result<Option<Cursor>, Error> {
    let _ = (conn, source);
    todo!()
}

/// Moves the cursor; deletes seen event ids of imports before the last two.
pub async fn write(conn: &mut Conn, source: SourceId, cursor: &Cursor) -> Result<(), Error> {
    let _ = (conn, source, cursor);
    todo!()
}

/// Of these event ids those that were not seen before in their import.
pub async fn unseen(conn: &mut Conn, source: SourceId, events: &[(u32, i64)]) -> Result<Vec<(u32, i64)>, Error> {
    let _ = (conn, source, events);
    todo!()
}

/// Remembers event ids as seen.
pub async fn mark_seen(conn: &mut Conn, source: SourceId, events: &[(u32, i64)]) -> Result<(), Error> {
    let _ = (conn, source, events);
    todo!()
}
