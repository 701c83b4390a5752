//! Subscriptions: their compiled form and their end.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rows::{Column, name_of};
use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error, SourceId, SubscriptionId, announcing, selection, subject};
use crate::domain::compiled::{Announce, Subscription};
use crate::domain::resource::ResourceKey;

/// A subscription as stored.
#[derive(Clone, Debug)]
pub struct SubscriptionRow {
    /// Id.
    pub id: SubscriptionId,
    /// Namespace and name.
    pub key: ResourceKey,
    /// The resource's uid.
    pub uid: String,
    /// The resource's generation that was compiled.
    pub generation: i64,
    /// The source's row.
    pub source: SourceId,
    /// The consumer's row.
    pub consumer: ConsumerId,
    /// The last good compiled form; none where there is none that may be used.
    pub compiled: Option<Subscription>,
    /// When its present life began.
    pub began_at: Timestamp,
    /// When it ended; no disclosure after.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub end_reason: Option<EndReason>,
    /// When its resource was deleted.
    pub deleted_at: Option<Timestamp>,
}

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// Its resource was deleted.
    Deleted,
    /// `expiresAt` has passed.
    Expired,
    /// `reviewBy` passed thirty days ago.
    ReviewOverdue,
}

const COMPILED: Column = Column("subscription", "compiled");
const BEGAN_AT: Column = Column("subscription", "began_at");
const ENDED_AT: Column = Column("subscription", "ended_at");
const END_REASON: Column = Column("subscription", "end_reason");
const DELETED_AT: Column = Column("subscription", "deleted_at");

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
    source: i64,
    consumer: i64,
    compiled: Option<String>,
    began_at: i64,
    ended_at: Option<i64>,
    end_reason: Option<String>,
    deleted_at: Option<i64>,
}

impl TryFrom<Row> for SubscriptionRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            key: ResourceKey::new(row.namespace, row.name),
            uid: row.uid,
            generation: row.generation,
            source: row.source,
            consumer: row.consumer,
            compiled: COMPILED.optional_json(row.compiled.as_deref())?,
            began_at: BEGAN_AT.time(row.began_at)?,
            ended_at: ENDED_AT.optional_time(row.ended_at)?,
            end_reason: row.end_reason.as_deref().map(|name| END_REASON.variant(name)).transpose()?,
            deleted_at: DELETED_AT.optional_time(row.deleted_at)?,
        })
    }
}

/// Writes a compiled form and the generation that it comes from, remembers what it selected before if it selects anew, and
/// gives its id and whether a life began with it: it was
/// new, or had ended and is taken up again. One that had ended is taken up only by a form whose own end has not passed. One
/// that is new and asks for it has those announced whom we know. The caller raises the configuration's version.
#[expect(clippy::too_many_arguments, reason = "one for each column that a compiled subscription fills")]
pub async fn upsert(
    conn: &mut Conn,
    key: &ResourceKey,
    uid: &str,
    generation: i64,
    source: SourceId,
    consumer: ConsumerId,
    compiled: Option<&Subscription>,
    now: Timestamp,
) -> Result<(SubscriptionId, bool), Error> {
    let known = find(&mut *conn, key).await?;
    let lasts = compiled.is_some_and(|form| form.ends_at.is_none_or(|end| end > now));
    let begins = known.as_ref().is_none_or(|row| row.ended_at.is_some() && lasts);
    let live = known.as_ref().filter(|row| row.ended_at.is_none()).and_then(|row| row.compiled.as_ref());
    let lives = begins || known.as_ref().is_some_and(|row| row.ended_at.is_none());
    let selects_anew = live != compiled.filter(|_| lives);
    let form = compiled.map(|form| COMPILED.to_json(form)).transpose()?;
    let id = query_scalar(
        "INSERT INTO subscription (namespace, name, uid, generation, source, consumer, compiled, began_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (namespace, name) DO UPDATE
         SET uid = $3, generation = $4, source = $5, consumer = $6, compiled = $7,
             began_at = CASE WHEN $9 = 1 THEN $8 ELSE subscription.began_at END,
             ended_at = CASE WHEN $9 = 1 THEN NULL ELSE subscription.ended_at END,
             end_reason = CASE WHEN $9 = 1 THEN NULL ELSE subscription.end_reason END, deleted_at = NULL
         RETURNING id",
    )
    .bind(&key.namespace)
    .bind(&key.name)
    .bind(uid)
    .bind(generation)
    .bind(source)
    .bind(consumer)
    .bind(form)
    .bind(now.as_millisecond())
    .bind(begins)
    .fetch_one(&mut *conn)
    .await?;
    if known.as_ref().is_some_and(|row| row.source != source) {
        subject::forget(&mut *conn, id).await?;
    }
    if known.is_none() && compiled.is_some_and(|form| form.announce == Announce::Snapshot) {
        announcing::begin(&mut *conn, id).await?;
    }
    if selects_anew {
        selection::supersede(conn, id, consumer, live).await?;
    }
    Ok((id, begins))
}

/// Ends a live subscription. Whether it was live. With [`EndReason::Deleted`] the deletion is remembered in any case.
pub async fn end(conn: &mut Conn, id: SubscriptionId, reason: EndReason, now: Timestamp) -> Result<bool, Error> {
    let ended: Option<(i64, Option<String>)> = query_as(
        "UPDATE subscription SET ended_at = $1, end_reason = $2 WHERE id = $3 AND ended_at IS NULL
         RETURNING consumer, compiled",
    )
    .bind(now.as_millisecond())
    .bind(name_of(&reason, END_REASON)?)
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some((consumer, form)) = &ended {
        let form: Option<Subscription> = COMPILED.optional_json(form.as_deref())?;
        selection::supersede(&mut *conn, id, *consumer, form.as_ref()).await?;
    }
    if reason == EndReason::Deleted {
        query("UPDATE subscription SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL")
            .bind(now.as_millisecond())
            .bind(id)
            .execute(conn)
            .await?;
    }
    Ok(ended.is_some())
}

/// One subscription by its key.
pub async fn find(conn: &mut Conn, key: &ResourceKey) -> Result<Option<SubscriptionRow>, Error> {
    let row: Option<Row> = query_as("SELECT * FROM subscription WHERE namespace = $1 AND name = $2")
        .bind(&key.namespace)
        .bind(&key.name)
        .fetch_optional(conn)
        .await?;
    row.map(SubscriptionRow::try_from).transpose()
}

/// All subscriptions, ended ones too.
pub async fn all(conn: &mut Conn) -> Result<Vec<SubscriptionRow>, Error> {
    let rows: Vec<Row> = query_as("SELECT * FROM subscription ORDER BY id").fetch_all(conn).await?;
    rows.into_iter().map(SubscriptionRow::try_from).collect()
}

/// These subscriptions, as far as they are there.
pub async fn some(conn: &mut Conn, ids: &[SubscriptionId]) -> Result<Vec<SubscriptionRow>, Error> {
    let rows: Vec<Row> =
        query_as("SELECT * FROM subscription WHERE id IN ids($1) ORDER BY id").bind(ids).fetch_all(conn).await?;
    rows.into_iter().map(SubscriptionRow::try_from).collect()
}

/// Keys of the subscriptions that are not known to be deleted.
pub async fn keys(conn: &mut Conn) -> Result<Vec<ResourceKey>, Error> {
    let rows: Vec<(String, String)> =
        query_as("SELECT namespace, name FROM subscription WHERE deleted_at IS NULL ORDER BY id")
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(namespace, name)| ResourceKey::new(namespace, name)).collect())
}

/// Subscriptions that were deleted at or before `grace`.
pub async fn deleted_before(conn: &mut Conn, grace: Timestamp) -> Result<Vec<SubscriptionId>, Error> {
    Ok(query_scalar("SELECT id FROM subscription WHERE deleted_at <= $1 ORDER BY id")
        .bind(grace.as_millisecond())
        .fetch_all(conn)
        .await?)
}

/// Sources and consumers that subscriptions name, ended ones too.
pub async fn named(conn: &mut Conn) -> Result<HashSet<(SourceId, ConsumerId)>, Error> {
    let found: Vec<(i64, i64)> = query_as("SELECT DISTINCT source, consumer FROM subscription").fetch_all(conn).await?;
    Ok(found.into_iter().collect())
}

/// How many live subscriptions deliver to a consumer.
pub async fn count_live(conn: &mut Conn, consumer: ConsumerId) -> Result<i64, Error> {
    Ok(query_scalar("SELECT count(*) FROM subscription WHERE consumer = $1 AND ended_at IS NULL")
        .bind(consumer)
        .fetch_one(conn)
        .await?)
}
