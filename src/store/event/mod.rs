//! Events and their routes: appended together, never changed.

mod postgres;
mod sqlite;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::database::Dialect;
use super::job::JobId;
use super::keys::AuditReferences;
use super::rows::hex16;
use super::seal::PersonKey;
use super::seal::Place;
use super::subscription::EndReason;
use super::{Conn, ConsumerId, Error, SourceId, SubscriptionId};
use crate::domain::change::Snapshot;
use crate::domain::event_type::EventType;
use crate::domain::pairwise::{EventId, RecordId};

/// An event to append, with its routes in the order in which they shall be delivered.
pub struct NewEvent {
    /// Random id.
    pub id: EventId,
    /// The person; none for `subscription.ended`.
    pub record: Option<RecordId>,
    /// The source that told.
    pub source: SourceId,
    /// What happened.
    pub type_: EventType,
    /// The sealed snapshot, from [`seal`]; none for events without a person.
    pub snapshot: Option<Vec<u8>>,
    /// What an event without a person says.
    pub detail: Option<Detail>,
    /// The person's references for the audit record.
    pub audit: Option<AuditReferences>,
    /// To whom.
    pub routes: Vec<NewRoute>,
}

/// A route to append.
#[derive(Clone, Debug)]
pub struct NewRoute {
    /// To whom.
    pub consumer: ConsumerId,
    /// As what.
    pub type_: EventType,
    /// For which subscriptions.
    pub subscriptions: Vec<SubscriptionId>,
}

/// What an event without a person says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Detail {
    /// A subscription ended.
    SubscriptionEnded {
        /// Its name.
        subscription: String,
        /// Its purpose.
        purpose: String,
        /// Why.
        reason: EndReason,
    },
}

/// Seals the snapshot of the event with this id.
pub fn seal(key: &PersonKey, id: EventId, snapshot: &Snapshot) -> Result<Vec<u8>, Error> {
    key.seal(Place { table: "event", column: "snapshot", row: hex16(&id.0, &mut [0; 32]) }, snapshot)
}

/// Opens a sealed snapshot of the event with this id, also where it was copied to a dead letter.
pub fn open(key: &PersonKey, id: EventId, sealed: &[u8]) -> Result<Snapshot, Error> {
    key.open(Place { table: "event", column: "snapshot", row: hex16(&id.0, &mut [0; 32]) }, sealed)
}

/// Appends events with their routes, one statement per table; within an event routes keep their order, and events theirs.
/// Gives the highest route number, if any was written.
pub async fn append(conn: &mut Conn, events: &[NewEvent], now: Timestamp) -> Result<Option<i64>, Error> {
    append_as(conn, events, None, now).await
}

/// As [`append`], for a job: `replay` is its number, and the deliveries say that they were asked for.
pub async fn append_as(
    conn: &mut Conn,
    events: &[NewEvent],
    replay: Option<JobId>,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    match conn.dialect() {
        _ if events.is_empty() => Ok(None),
        Dialect::Sqlite => sqlite::append(conn, events, replay, now).await,
        Dialect::Postgres => postgres::append(conn, events, replay, now).await,
    }
}

/// Takes the lock under which numbers of events and routes are given. Whoever inserts without [`append`] takes it first, and
/// commits soon after: from here on numbers are in the order of commits.
pub(super) async fn lock_numbers(conn: &mut Conn) -> Result<(), Error> {
    match conn.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => postgres::lock_numbers(conn).await,
    }
}
