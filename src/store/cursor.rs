//! Cursors: how far a source's feed has been committed.

use serde::{Deserialize, Serialize};

use super::rows::{Column, batch};
use super::sql::{query, query_as, query_scalar};
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
        query_as("SELECT import, imports FROM cursor WHERE source = $1").bind(source).fetch_optional(conn).await?;
    row.map(|(import, imports)| {
        let import = Column("cursor", "import").number(import)?;
        Ok(Cursor { import, imports: Column("cursor", "imports").json(&imports)? })
    })
    .transpose()
}

/// Moves the cursor; deletes seen event ids of imports before the last two.
pub async fn write(conn: &mut Conn, source: SourceId, cursor: &Cursor) -> Result<(), Error> {
    query(
        "INSERT INTO cursor (source, import, imports) VALUES ($1, $2, $3)
         ON CONFLICT (source) DO UPDATE SET import = excluded.import, imports = excluded.imports",
    )
    .bind(source)
    .bind(cursor.import)
    .bind(Column("cursor", "imports").to_json(&cursor.imports)?)
    .execute(&mut *conn)
    .await?;
    let kept: Vec<i64> = cursor.imports.iter().rev().take(2).map(|import| import.number.into()).collect();
    query("DELETE FROM notice WHERE source = $1 AND import <= $2 AND import NOT IN ids($3)")
        .bind(source)
        .bind(cursor.import)
        .bind(&kept[..])
        .execute(conn)
        .await?;
    Ok(())
}

/// Of these event ids those that were not seen before in their import.
pub async fn unseen(conn: &mut Conn, source: SourceId, events: &[(u32, i64)]) -> Result<Vec<(u32, i64)>, Error> {
    let rows: Vec<i64> = query_scalar(
        "SELECT key FROM json_each($1)
         WHERE NOT EXISTS (SELECT 1 FROM notice
                           WHERE source = $2 AND import = CAST(value ->> 0 AS BIGINT) AND event_id = CAST(value ->> 1 AS BIGINT))
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
    query(
        "INSERT INTO notice (source, import, event_id) SELECT $1, CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT) FROM json_each($2) WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(source)
    .bind(batch("notice", events)?)
    .execute(conn)
    .await?;
    Ok(())
}
