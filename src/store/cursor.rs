//! Cursors: how far a source's feed has been committed.

use serde::{Deserialize, Serialize};

use super::rows::{Column, batch};
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
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT import, imports FROM cursor WHERE source = ?").bind(source).fetch_optional(conn).await?;
    row.map(|(import, imports)| {
        let import = Column("cursor", "import").number(import)?;
        Ok(Cursor { import, imports: Column("cursor", "imports").json(&imports)? })
    })
    .transpose()
}

/// Moves the cursor; deletes seen event ids of imports before the last two.
pub async fn write(conn: &mut Conn, source: SourceId, cursor: &Cursor) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO cursor (source, import, imports) VALUES (?, ?, ?)
         ON CONFLICT (source) DO UPDATE SET import = excluded.import, imports = excluded.imports",
    )
    .bind(source)
    .bind(cursor.import)
    .bind(Column("cursor", "imports").to_json(&cursor.imports)?)
    .execute(&mut *conn)
    .await?;
    let kept: Vec<u32> = cursor.imports.iter().rev().take(2).map(|import| import.number).collect();
    sqlx::query(
        "DELETE FROM notice WHERE source = ?1 AND import <= ?2 AND import NOT IN (SELECT value FROM json_each(?3))",
    )
    .bind(source)
    .bind(cursor.import)
    .bind(batch("notice", &kept)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Of these event ids those that were not seen before in their import.
pub async fn unseen(conn: &mut Conn, source: SourceId, events: &[(u32, i64)]) -> Result<Vec<(u32, i64)>, Error> {
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT key FROM json_each(?1)
         WHERE NOT EXISTS (SELECT 1 FROM notice
                           WHERE source = ?2 AND import = value ->> 0 AND event_id = value ->> 1)
         ORDER BY key",
    )
    .bind(batch("notice", events)?)
    .bind(source)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|at| Ok(events[Column("notice", "event_id").number::<usize>(at)?])).collect()
}

/// Remembers event ids as seen.
pub async fn mark_seen(conn: &mut Conn, source: SourceId, events: &[(u32, i64)]) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO notice (source, import, event_id) SELECT ?, value ->> 0, value ->> 1 FROM json_each(?) WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(source)
    .bind(batch("notice", events)?)
    .execute(conn)
    .await?;
    Ok(())
}
