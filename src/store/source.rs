//! Sources: their compiled form, and what ingest last found there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rows::Column;
use super::sql::{query, query_as, query_scalar};
use super::{Conn, Error, SourceId, meta};
use crate::domain::compiled::Source;
use crate::domain::field_group::GroupSet;
use crate::domain::resource::ResourceKey;

/// A source as stored.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// Id.
    pub id: SourceId,
    /// Namespace and name.
    pub key: ResourceKey,
    /// The resource's uid.
    pub uid: String,
    /// The resource's generation that was compiled.
    pub generation: i64,
    /// The last good compiled form; none where there is none that may be used.
    pub compiled: Option<Source>,
    /// When the resource was deleted.
    pub ended_at: Option<Timestamp>,
}

/// What ingest last found at a source; the operator makes conditions of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceState {
    /// Outcome of the last conversation with the register; none before the first.
    pub contact: Option<Contact>,
    /// The last import wholly committed.
    pub import: Option<u32>,
    /// What the service's schema offers; none before it was read.
    pub schema: Option<SchemaState>,
    /// How the event feed does.
    pub feed: Option<FeedState>,
    /// Whether persons can be read by PersonID.
    pub lookup_by_person_id: Option<bool>,
    /// Persons that waited three times and are tried again later.
    pub unread: u64,
    /// Persons who are kept apart from another entry that claims the same number.
    pub apart: u64,
    /// Persons whom we hold and whom the register does not know any more.
    pub vanished: u64,
    /// Whether numbers of lists wait to be asked for.
    #[serde(default)]
    pub lists_waiting: bool,
}

/// Outcome of a conversation with the register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// Condition reason: `Succeeded`, `CredentialsWrong`, `NotGranted`, `AddressNotWhiteListed`, `UnknownService`, `QueryRefused`, `Busy`, `Down`, `NotUnderstood`, `AddressRefused`, `ProxyUnreachable`, `ProxyRefused`.
    pub reason: String,
    /// For people: what it means and what to do; never text from the other side but its error codes.
    pub message: String,
    /// Whether the register answered as its protocol says.
    pub reached: bool,
    /// Whether it accepted the credentials; none where that was not tried.
    pub accepted: Option<bool>,
}

/// What the service's schema offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemaState {
    /// Whether a schema could be read, or the documented form is assumed.
    pub read: bool,
    /// Groups whose fields it has.
    pub offered: GroupSet,
    /// Names chosen among known candidates, and names missing, for people.
    pub message: String,
}

/// How the event feed does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedState {
    /// `Healthy`, or `Gap`, `Backwards`, `Stale`, `UnfinishedImport`, `Shrunk`, `PersonsUnread`, `IdentitiesDoubtful`, `PersonsVanished`, `Disconnected`.
    pub reason: String,
    /// For people.
    pub message: String,
}

const COMPILED: Column = Column("source", "compiled");
const ENDED_AT: Column = Column("source", "ended_at");
const STATE: Column = Column("source_state", "state");

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
    compiled: Option<String>,
    ended_at: Option<i64>,
}

impl TryFrom<Row> for SourceRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            key: ResourceKey::new(row.namespace, row.name),
            uid: row.uid,
            generation: row.generation,
            compiled: COMPILED.optional_json(row.compiled.as_deref())?,
            ended_at: ENDED_AT.optional_time(row.ended_at)?,
        })
    }
}

/// Writes a compiled form and the generation that it comes from, takes an ended source up again, and gives its id. The
/// caller raises the configuration's version.
pub async fn upsert(
    conn: &mut Conn,
    key: &ResourceKey,
    uid: &str,
    generation: i64,
    compiled: Option<&Source>,
) -> Result<SourceId, Error> {
    meta::raise_parties(&mut *conn).await?;
    let compiled = compiled.map(|form| COMPILED.to_json(form)).transpose()?;
    Ok(query_scalar(
        "INSERT INTO source (namespace, name, uid, generation, compiled) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (namespace, name) DO UPDATE
         SET uid = excluded.uid, generation = excluded.generation, compiled = excluded.compiled, ended_at = NULL
         RETURNING id",
    )
    .bind(&key.namespace)
    .bind(&key.name)
    .bind(uid)
    .bind(generation)
    .bind(compiled)
    .fetch_one(conn)
    .await?)
}

/// Marks a source as ended, keeping its compiled form for those who still need its grace. Whether it was live.
pub async fn end(conn: &mut Conn, id: SourceId, now: Timestamp) -> Result<bool, Error> {
    meta::raise_parties(&mut *conn).await?;
    let ended = query("UPDATE source SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL")
        .bind(now.as_millisecond())
        .bind(id)
        .execute(conn)
        .await?;
    Ok(ended > 0)
}

/// One source by its key.
pub async fn find(conn: &mut Conn, key: &ResourceKey) -> Result<Option<SourceRow>, Error> {
    let row: Option<Row> = query_as("SELECT * FROM source WHERE namespace = $1 AND name = $2")
        .bind(&key.namespace)
        .bind(&key.name)
        .fetch_optional(conn)
        .await?;
    row.map(SourceRow::try_from).transpose()
}

/// All sources, ended ones too.
pub async fn all(conn: &mut Conn) -> Result<Vec<SourceRow>, Error> {
    let rows: Vec<Row> = query_as("SELECT * FROM source ORDER BY id").fetch_all(conn).await?;
    rows.into_iter().map(SourceRow::try_from).collect()
}

/// Writes what ingest found, if it differs from what is stored; raises the revision then. Whether it did.
pub async fn write_state(conn: &mut Conn, id: SourceId, state: &SourceState) -> Result<bool, Error> {
    let text = STATE.to_json(state)?;
    let stored: Option<String> =
        query_scalar("SELECT state FROM source_state WHERE source = $1").bind(id).fetch_optional(&mut *conn).await?;
    if stored.as_ref() == Some(&text) {
        return Ok(false);
    }
    let revision = meta::raise_revision(&mut *conn).await?;
    query(
        "INSERT INTO source_state (source, state, revision) VALUES ($1, $2, $3)
         ON CONFLICT (source) DO UPDATE SET state = excluded.state, revision = excluded.revision",
    )
    .bind(id)
    .bind(text)
    .bind(revision)
    .execute(conn)
    .await?;
    Ok(true)
}

/// What ingest last found.
pub async fn state(conn: &mut Conn, id: SourceId) -> Result<Option<SourceState>, Error> {
    let text: Option<String> =
        query_scalar("SELECT state FROM source_state WHERE source = $1").bind(id).fetch_optional(conn).await?;
    STATE.optional_json(text.as_deref())
}

/// Keys of sources whose state has a revision above `after`, with the highest revision.
pub async fn changed_since(conn: &mut Conn, after: i64) -> Result<(Vec<ResourceKey>, i64), Error> {
    let rows: Vec<(String, String, i64)> = query_as(
        "SELECT namespace, name, revision FROM source_state JOIN source ON id = source WHERE revision > $1 ORDER BY revision",
    )
    .bind(after)
    .fetch_all(conn)
    .await?;
    let highest = rows.last().map_or(after, |(_, _, revision)| *revision);
    Ok((rows.into_iter().map(|(namespace, name, _)| ResourceKey::new(namespace, name)).collect(), highest))
}
