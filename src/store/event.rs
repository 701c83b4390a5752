//! Events and their routes: appended together, never changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::job::JobId;
use super::keys::AuditReferences;
use super::rows::{Column, batch};
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
    key.seal(Place { table: "event", column: "snapshot", row: &hex::encode(id.0) }, snapshot)
}

/// Opens a sealed snapshot of the event with this id, also where it was copied to a dead letter.
pub fn open(key: &PersonKey, id: EventId, sealed: &[u8]) -> Result<Snapshot, Error> {
    key.open(Place { table: "event", column: "snapshot", row: &hex::encode(id.0) }, sealed)
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
    if events.is_empty() {
        return Ok(None);
    }
    let first = next_seq(&mut *conn).await?;
    insert_events(&mut *conn, events, first, now).await?;
    insert_routes(conn, events, first, replay, now).await
}

/// The number that the next event gets. Nobody else takes it: there is one writing transaction at a time.
async fn next_seq(conn: &mut Conn) -> Result<i64, Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetch_optional(conn).await?;
    Ok(last.unwrap_or(0) + 1)
}

/// An event as an element of the batch.
type EventValue<'a> = (
    String,
    Option<String>,
    SourceId,
    &'static str,
    Option<String>,
    Option<String>,
    Option<&'a str>,
    Option<String>,
    Option<String>,
);

fn event_value(event: &NewEvent) -> Result<EventValue<'_>, Error> {
    let detail = event.detail.as_ref().map(|detail| Column("event", "detail").to_json(detail)).transpose()?;
    let audit = event.audit.as_ref();
    Ok((
        hex::encode(event.id.0),
        event.record.map(|record| hex::encode(record.0)),
        event.source,
        event.type_.name(),
        detail,
        event.snapshot.as_ref().map(hex::encode),
        audit.map(|audit| audit.period.as_str()),
        audit.map(|audit| hex::encode(&audit.person)),
        audit.and_then(|audit| audit.number.as_ref().map(hex::encode)),
    ))
}

async fn insert_events(conn: &mut Conn, events: &[NewEvent], first: i64, now: Timestamp) -> Result<(), Error> {
    let values = events.iter().map(event_value).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "INSERT INTO event (seq, at, id, record, source, type, detail, snapshot, audit_period, audit_person, audit_number)
         SELECT ?1 + key, ?2, unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4,
                unhex(value ->> 5), value ->> 6, unhex(value ->> 7), unhex(value ->> 8)
         FROM json_each(?3) ORDER BY key",
    )
    .bind(first)
    .bind(now.as_millisecond())
    .bind(batch("event", &values)?)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_routes(
    conn: &mut Conn,
    events: &[NewEvent],
    first: i64,
    replay: Option<JobId>,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    let mut values = Vec::new();
    for (event, seq) in events.iter().zip(first..) {
        let record = event.record.map(|record| hex::encode(record.0));
        let shard = event.record.map_or(0, RecordId::shard);
        for route in &event.routes {
            let subscriptions = Column("route", "subscriptions").to_json(&route.subscriptions)?;
            values.push((route.consumer, shard, seq, record.clone(), route.type_.name(), subscriptions));
        }
    }
    if values.is_empty() {
        return Ok(None);
    }
    let inserted = sqlx::query(
        "INSERT INTO route (at, consumer, shard, event, record, type, subscriptions, replay)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, ?3
         FROM json_each(?2) ORDER BY key",
    )
    .bind(now.as_millisecond())
    .bind(batch("route", &values)?)
    .bind(replay)
    .execute(conn)
    .await?;
    Ok(Some(inserted.last_insert_rowid()))
}
