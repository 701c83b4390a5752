//! Consumers: their compiled form, their verified address, and what delivery last found there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Conn, ConsumerId, Error};
use crate::domain::compiled::Consumer;
use crate::domain::resource::ResourceKey;

/// A consumer as stored.
#[derive(Clone, Debug)]
pub struct ConsumerRow {
    /// Id.
    pub id: ConsumerId,
    /// Namespace and name.
    pub key: ResourceKey,
    /// The resource's uid.
    pub uid: String,
    /// The resource's generation that was compiled.
    pub generation: i64,
    /// The last good compiled form; none where there is none that may be used.
    pub compiled: Option<Consumer>,
    /// When the resource was deleted.
    pub ended_at: Option<Timestamp>,
    /// Fingerprint of the address that last proved itself.
    pub verified: Option<String>,
    /// When it did.
    pub verified_at: Option<Timestamp>,
}

/// What delivery last found at a consumer; the operator makes conditions of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerState {
    /// How the proof of the address stands.
    pub endpoint: Option<EndpointState>,
    /// How sending does.
    pub sending: Option<SendingState>,
    /// Whether dead letters are present.
    pub dead_letters: bool,
    /// Whether undelivered events will pass their retention before long.
    pub backlog_expiring: bool,
}

/// How the proof of an address stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointState {
    /// Whether the present address has proved itself.
    pub verified: bool,
    /// Condition reason: `Verified`, `Pending`, `WrongAnswer`, `Refused`, `AddressRefused`, `Unreachable`, `TlsFailed`, `Gone`, `TimedOut`.
    pub reason: String,
    /// For people: what it means and what to do.
    pub message: String,
}

/// How sending does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendingState {
    /// Condition reason: `Delivering`, `CircuitOpen`, `Backlogged`, `Suspended`, `EndpointGone`, `WaitingForVerification`, `WaitingForSecret`.
    pub reason: String,
    /// For people: whose fault, what to do, and a Retry-After beyond an hour.
    pub message: String,
}

/// Writes a compiled form and the generation that it comes from, takes an ended consumer up again, and gives its id. The
/// caller raises the configuration's version.
pub async fn upsert(
    conn: &mut Conn,
    key: &ResourceKey,
    uid: &str,
    generation: i64,
    compiled: Option<&Consumer>,
) -> Result<ConsumerId, Error> {
    let _ = (conn, key, uid, generation, compiled);
    todo!()
}

/// Marks a consumer as ended. Whether it was live.
pub async fn end(conn: &mut Conn, id: ConsumerId, now: Timestamp) -> Result<bool, Error> {
    let _ = (conn, id, now);
    todo!()
}

/// One consumer by its key.
pub async fn find(conn: &mut Conn, key: &ResourceKey) -> Result<Option<ConsumerRow>, Error> {
    let _ = (conn, key);
    todo!()
}

/// All consumers, ended ones too.
pub async fn all(conn: &mut Conn) -> Result<Vec<ConsumerRow>, Error> {
    let _ = conn;
    todo!()
}

/// Remembers that the address with this fingerprint proved itself.
pub async fn write_verified(conn: &mut Conn, id: ConsumerId, fingerprint: &str, now: Timestamp) -> Result<(), Error> {
    let _ = (conn, id, fingerprint, now);
    todo!()
}

/// Writes what delivery found, if it differs from what is stored; raises the revision then. Whether it did.
pub async fn write_state(conn: &mut Conn, id: ConsumerId, state: &ConsumerState) -> Result<bool, Error> {
    let _ = (conn, id, state);
    todo!()
}

/// What delivery last found.
pub async fn state(conn: &mut Conn, id: ConsumerId) -> Result<Option<ConsumerState>, Error> {
    let _ = (conn, id);
    todo!()
}

/// Keys of consumers whose state has a revision above `after`, with the highest revision.
pub async fn changed_since(conn: &mut Conn, after: i64) -> Result<(Vec<ResourceKey>, i64), Error> {
    let _ = (conn, after);
    todo!()
}

/// Counts for the consumer's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Routes not yet settled.
    pub pending: u64,
    /// Persons parked.
    pub parked: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// When a delivery was last accepted.
    pub last_delivered_at: Option<Timestamp>,
    /// When the oldest unsettled route was committed.
    pub oldest_pending_at: Option<Timestamp>,
}

/// Counts what waits for a consumer.
pub async fn backlog(conn: &mut Conn, id: ConsumerId) -> Result<Backlog, Error> {
    let _ = (conn, id);
    todo!()
}
