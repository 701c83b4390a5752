//! Sources: their compiled form, and what ingest last found there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Conn, Error, SourceId};
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
}

/// Outcome of a conversation with the register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// Condition reason: `Succeeded`, `CredentialsWrong`, `NotGranted`, `AddressNotWhiteListed`, `UnknownService`, `QueryRefused`, `Busy`, `Down`, `NotUnderstood`, `AddressRefused`.
    pub reason: String,
    /// For people: what it means and what to do; never text from the other side but its error codes.
    pub message: String,
    /// Whether the register answered at all.
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
    /// `Healthy`, or `Gap`, `Backwards`, `Stale`, `UnfinishedImport`, `Shrunk`, `PersonsUnread`, `Disconnected`.
    pub reason: String,
    /// For people.
    pub message: String,
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
    let _ = (conn, key, uid, generation, compiled);
    todo!()
}

/// Marks a source as ended, keeping its compiled form for those who still need its grace. Whether it was live.
pub async fn end(conn: &mut Conn, id: SourceId, now: Timestamp) -> Result<bool, Error> {
    let _ = (conn, id, now);
    todo!()
}

/// One source by its key.
pub async fn find(conn: &mut Conn, key: &ResourceKey) -> Result<Option<SourceRow>, Error> {
    let _ = (conn, key);
    todo!()
}

/// All sources, ended ones too.
pub async fn all(conn: &mut Conn) -> Result<Vec<SourceRow>, Error> {
    let _ = conn;
    todo!()
}

/// Writes what ingest found, if it differs from what is stored; raises the revision then. Whether it did.
pub async fn write_state(conn: &mut Conn, id: SourceId, state: &SourceState) -> Result<bool, Error> {
    let _ = (conn, id, state);
    todo!()
}

/// What ingest last found.
pub async fn state(conn: &mut Conn, id: SourceId) -> Result<Option<SourceState>, Error> {
    let _ = (conn, id);
    todo!()
}

/// Keys of sources whose state has a revision above `after`, with the highest revision.
pub async fn changed_since(conn: &mut Conn, after: i64) -> Result<(Vec<ResourceKey>, i64), Error> {
    let _ = (conn, after);
    todo!()
}
