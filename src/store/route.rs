//! Routes as a worker reads them, joined with what it needs to build a delivery.

use jiff::Timestamp;

use super::event::Detail;
use super::keys::AuditReferences;
use super::{Conn, ConsumerId, Error, SourceId, SubscriptionId};
use crate::domain::event_type::EventType;
use crate::domain::pairwise::{EventId, RecordId};

/// A route with its event.
#[derive(Clone, Debug)]
pub struct Route {
    /// The delivery's own number.
    pub seq: i64,
    /// To whom.
    pub consumer: ConsumerId,
    /// Shard of the person, 0–15.
    pub shard: u8,
    /// As what.
    pub type_: EventType,
    /// For which subscriptions.
    pub subscriptions: Vec<SubscriptionId>,
    /// When it was committed.
    pub at: Timestamp,
    /// The event's random id.
    pub event: EventId,
    /// The event's row.
    pub event_seq: i64,
    /// The source that told.
    pub source: SourceId,
    /// The person; none for events without one.
    pub record: Option<RecordId>,
    /// The sealed snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// What an event without a person says.
    pub detail: Option<Detail>,
    /// The person's references for the audit record.
    pub audit: Option<AuditReferences>,
    /// Whether name and address are protected now, in any source's row; none where no row is stored, which counts as protected.
    pub protected: Option<bool>,
}

/// A consumer's routes above `after`, in order, at most `limit`.
pub async fn read(conn: &mut Conn, consumer: ConsumerId, after: i64, limit: u32) -> Result<Vec<Route>, Error> {
    let _ = (conn, consumer, after, limit);
    todo!()
}

/// One person's routes to a consumer from `from` to `to`, both included, in order, at most `limit`.
pub async fn read_person(
    conn: &mut Conn,
    consumer: ConsumerId,
    record: RecordId,
    from: i64,
    to: i64,
    limit: u32,
) -> Result<Vec<Route>, Error> {
    let _ = (conn, consumer, record, from, to, limit);
    todo!()
}

/// The highest route number of a consumer.
pub async fn highest(conn: &mut Conn, consumer: ConsumerId) -> Result<Option<i64>, Error> {
    let _ = (conn, consumer);
    todo!()
}
