//! Subscriptions: their compiled form and their end.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Conn, ConsumerId, Error, SourceId, SubscriptionId};
use crate::domain::compiled::Subscription;
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

/// Writes a compiled form and the generation that it comes from, and gives its id and whether a life began with it (it was
/// new, or ended before and is taken up again). The caller raises the configuration's version.
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
    let _ = (conn, key, uid, generation, source, consumer, compiled, now);
    todo!()
}

/// Ends a live subscription. Whether it was live. With [`EndReason::Deleted`] the deletion is remembered in any case.
pub async fn end(conn: &mut Conn, id: SubscriptionId, reason: EndReason, now: Timestamp) -> Result<bool, Error> {
    let _ = (conn, id, reason, now);
    todo!()
}

/// One subscription by its key.
pub async fn find(conn: &mut Conn, key: &ResourceKey) -> Result<Option<SubscriptionRow>, Error> {
    let _ = (conn, key);
    todo!()
}

/// All subscriptions, ended ones too.
pub async fn all(conn: &mut Conn) -> Result<Vec<SubscriptionRow>, Error> {
    let _ = conn;
    todo!()
}
