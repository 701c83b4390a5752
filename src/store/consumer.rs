//! Consumers: their compiled form, their verified address, and what delivery last found there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rows::{Column, count};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error, meta};
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
    /// Whether more workers would help: it is behind, the receiver takes all that it is given, and the worker has hardly any
    /// processor time left.
    pub strained: bool,
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

const COMPILED: Column = Column("consumer", "compiled");
const ENDED_AT: Column = Column("consumer", "ended_at");
const STATE: Column = Column("consumer_state", "state");
const VERIFIED_AT: Column = Column("consumer", "verified_at");

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
    compiled: Option<String>,
    ended_at: Option<i64>,
    verified: Option<String>,
    verified_at: Option<i64>,
}

impl TryFrom<Row> for ConsumerRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            key: ResourceKey::new(row.namespace, row.name),
            uid: row.uid,
            generation: row.generation,
            compiled: COMPILED.optional_json(row.compiled.as_deref())?,
            ended_at: ENDED_AT.optional_time(row.ended_at)?,
            verified: row.verified,
            verified_at: VERIFIED_AT.optional_time(row.verified_at)?,
        })
    }
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
    meta::raise_parties(&mut *conn).await?;
    let compiled = compiled.map(|form| COMPILED.to_json(form)).transpose()?;
    Ok(query_scalar(
        "INSERT INTO consumer (namespace, name, uid, generation, compiled) VALUES ($1, $2, $3, $4, $5)
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

/// Marks a consumer as ended. Whether it was live.
pub async fn end(conn: &mut Conn, id: ConsumerId, now: Timestamp) -> Result<bool, Error> {
    meta::raise_parties(&mut *conn).await?;
    let ended = query("UPDATE consumer SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL")
        .bind(now.as_millisecond())
        .bind(id)
        .execute(conn)
        .await?;
    Ok(ended > 0)
}

/// One consumer by its key.
pub async fn find(conn: &mut Conn, key: &ResourceKey) -> Result<Option<ConsumerRow>, Error> {
    let row: Option<Row> = query_as("SELECT * FROM consumer WHERE namespace = $1 AND name = $2")
        .bind(&key.namespace)
        .bind(&key.name)
        .fetch_optional(conn)
        .await?;
    row.map(ConsumerRow::try_from).transpose()
}

/// Consumers that were deleted at or before `grace`.
pub async fn ended_before(conn: &mut Conn, grace: Timestamp) -> Result<Vec<ConsumerRow>, Error> {
    let rows: Vec<Row> = query_as("SELECT * FROM consumer WHERE ended_at <= $1 ORDER BY id")
        .bind(grace.as_millisecond())
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(ConsumerRow::try_from).collect()
}

/// One consumer by its id.
pub async fn get(conn: &mut Conn, id: ConsumerId) -> Result<Option<ConsumerRow>, Error> {
    let row: Option<Row> = query_as("SELECT * FROM consumer WHERE id = $1").bind(id).fetch_optional(conn).await?;
    row.map(ConsumerRow::try_from).transpose()
}

/// All consumers, ended ones too.
pub async fn all(conn: &mut Conn) -> Result<Vec<ConsumerRow>, Error> {
    let rows: Vec<Row> = query_as("SELECT * FROM consumer ORDER BY id").fetch_all(conn).await?;
    rows.into_iter().map(ConsumerRow::try_from).collect()
}

/// Remembers that the address with this fingerprint proved itself.
pub async fn write_verified(conn: &mut Conn, id: ConsumerId, fingerprint: &str, now: Timestamp) -> Result<(), Error> {
    meta::raise_parties(&mut *conn).await?;
    query("UPDATE consumer SET verified = $1, verified_at = $2 WHERE id = $3")
        .bind(fingerprint)
        .bind(now.as_millisecond())
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes what delivery found, if it differs from what is stored; raises the revision then. Whether it did.
pub async fn write_state(conn: &mut Conn, id: ConsumerId, state: &ConsumerState) -> Result<bool, Error> {
    let text = STATE.to_json(state)?;
    let stored: Option<String> = query_scalar("SELECT state FROM consumer_state WHERE consumer = $1")
        .bind(id)
        .fetch_optional(&mut *conn)
        .await?;
    if stored.as_ref() == Some(&text) {
        return Ok(false);
    }
    let revision = meta::raise_revision(&mut *conn).await?;
    query(
        "INSERT INTO consumer_state (consumer, state, revision) VALUES ($1, $2, $3)
         ON CONFLICT (consumer) DO UPDATE SET state = excluded.state, revision = excluded.revision",
    )
    .bind(id)
    .bind(text)
    .bind(revision)
    .execute(conn)
    .await?;
    Ok(true)
}

/// What delivery last found.
pub async fn state(conn: &mut Conn, id: ConsumerId) -> Result<Option<ConsumerState>, Error> {
    let text: Option<String> =
        query_scalar("SELECT state FROM consumer_state WHERE consumer = $1").bind(id).fetch_optional(conn).await?;
    STATE.optional_json(text.as_deref())
}

/// Keys of consumers whose state has a revision above `after`, with the highest revision.
pub async fn changed_since(conn: &mut Conn, after: i64) -> Result<(Vec<ResourceKey>, i64), Error> {
    let rows: Vec<(String, String, i64)> = query_as(
        "SELECT namespace, name, revision FROM consumer_state JOIN consumer ON id = consumer WHERE revision > $1 ORDER BY revision",
    )
    .bind(after)
    .fetch_all(conn)
    .await?;
    let highest = rows.last().map_or(after, |(_, _, revision)| *revision);
    Ok((rows.into_iter().map(|(namespace, name, _)| ResourceKey::new(namespace, name)).collect(), highest))
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
    let (pending, oldest) = pending(&mut *conn, id).await?;
    let (parked, dead_letters, delivered): (i64, i64, Option<i64>) = query_as(
        "SELECT (SELECT count(*) FROM parked WHERE consumer = $1 AND state <> 'GapOnly'),
                (SELECT count(*) FROM dead_letter WHERE consumer = $1),
                (SELECT at + millis FROM attempt WHERE consumer = $1 AND outcome = 'Delivered' ORDER BY seq DESC LIMIT 1)",
    )
    .bind(id)
    .fetch_one(conn)
    .await?;
    Ok(Backlog {
        pending: count(pending),
        parked: count(parked),
        dead_letters: count(dead_letters),
        last_delivered_at: Column("attempt", "at").optional_time(delivered)?,
        oldest_pending_at: Column("route", "at").optional_time(oldest)?,
    })
}

/// How many routes are above their lane's watermark or wait for a parked person, and when the oldest was committed. Routes
/// above the watermark that are settled already count until it moves.
async fn pending(conn: &mut Conn, id: ConsumerId) -> Result<(i64, Option<i64>), Error> {
    Ok(query_as(
        "SELECT count(*), min(at) FROM (
             SELECT r.seq, r.at FROM route r LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
             WHERE r.consumer = $1 AND r.seq > coalesce(l.watermark, 0)
               AND r.seq > coalesce((SELECT min(watermark) FROM lane WHERE consumer = $1), 0)
             UNION
             SELECT r.seq, r.at FROM parked p
             JOIN route r ON r.consumer = p.consumer AND r.record = p.record AND r.seq >= p.first_seq
             WHERE p.consumer = $1 AND p.state <> 'GapOnly') u",
    )
    .bind(id)
    .fetch_one(conn)
    .await?)
}
