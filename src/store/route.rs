//! Routes as a worker reads them, joined with what it needs to build a delivery.

use jiff::Timestamp;
use serde::Deserialize;

use super::event::Detail;
use super::job::JobId;
use super::keys::AuditReferences;
use super::lane::LANES;
use super::rows::{Column, Hex, Hex16};
use super::sql::{query_gathered, query_scalar};
use super::{Conn, ConsumerId, Error, SourceId, SubscriptionId};
use crate::domain::event_type::EventType;
use crate::domain::pairwise::{EventId, RecordId};

/// That a delivery was asked for: by replay, resync or the retry of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The number of the job that asked for it.
    pub number: JobId,
    /// The delivery that it repeats; none for a snapshot that was asked for, which repeats nothing.
    pub of: Option<First>,
}

/// The first delivery of an event to a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// Its number, which stays the `sequence` on the wire.
    pub seq: i64,
    /// The job that asked for it, if one did.
    pub replay: Option<JobId>,
}

impl Replay {
    /// From the columns `replay`, `of_seq` and `of_replay`.
    pub(super) fn of_columns(replay: Option<i64>, of_seq: Option<i64>, of_replay: Option<i64>) -> Option<Self> {
        Some(Self { number: replay?, of: of_seq.map(|seq| First { seq, replay: of_replay }) })
    }
}

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
    /// When its event was; earlier than the route where the delivery was asked for again.
    pub event_at: Timestamp,
    /// For whom it was asked for; none for what is told once, as it happens.
    pub replay: Option<Replay>,
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
}

impl Route {
    /// The `sequence` on the wire: that of the first delivery, where this repeats one.
    pub fn sequence(&self) -> i64 {
        self.replay.and_then(|replay| replay.of).map_or(self.seq, |first| first.seq)
    }
}

/// The columns of [`Row`] and where they come from, of all rows at once; a condition and order follow.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT json_group_array(json_array(seq, consumer, shard, event_seq, hex(record), type_, subscriptions, at,
                                                replay, of_seq, of_replay, event_at, hex(event), source, detail,
                                                hex(snapshot), audit_period, hex(audit_person), hex(audit_number)))
             FROM (SELECT r.seq, r.consumer, r.shard, r.event AS event_seq, r.record, r.type AS type_, r.subscriptions,
                          r.at, r.replay, r.of_seq, r.of_replay, e.at AS event_at, e.id AS event, e.source, e.detail,
                          e.snapshot, e.audit_period, e.audit_person, e.audit_number
                   FROM route r JOIN event e ON e.seq = r.event WHERE ",
            $condition,
            ")"
        )
    };
    (plain, $condition:literal) => {
        concat!(
            "SELECT r.seq, r.consumer, r.shard, r.event AS event_seq, coalesce(r.record, '') AS record,
                    r.type AS type_, r.subscriptions, r.at, r.replay, r.of_seq, r.of_replay, e.at AS event_at,
                    e.id AS event, e.source, e.detail, coalesce(e.snapshot, '') AS snapshot, e.audit_period,
                    coalesce(e.audit_person, '') AS audit_person, coalesce(e.audit_number, '') AS audit_number
             FROM route r JOIN event e ON e.seq = r.event WHERE ",
            $condition
        )
    };
}

#[derive(Deserialize, sqlx::FromRow)]
struct Row {
    seq: i64,
    consumer: i64,
    shard: i64,
    event_seq: i64,
    record: Hex,
    type_: String,
    subscriptions: String,
    at: i64,
    replay: Option<i64>,
    of_seq: Option<i64>,
    of_replay: Option<i64>,
    event_at: i64,
    event: Hex16,
    source: i64,
    detail: Option<String>,
    snapshot: Hex,
    audit_period: Option<String>,
    audit_person: Hex,
    audit_number: Hex,
}

impl TryFrom<Row> for Route {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            seq: row.seq,
            consumer: row.consumer,
            shard: Column("route", "shard").number(row.shard)?,
            type_: Column("route", "type").parse(&row.type_)?,
            subscriptions: Column("route", "subscriptions").json(&row.subscriptions)?,
            at: Column("route", "at").time(row.at)?,
            event_at: Column("event", "at").time(row.event_at)?,
            replay: Replay::of_columns(row.replay, row.of_seq, row.of_replay),
            event: EventId(row.event.0),
            event_seq: row.event_seq,
            source: row.source,
            record: row.record.present().map(|bytes| Column("route", "record").record(&bytes)).transpose()?,
            snapshot: row.snapshot.present(),
            detail: Column("event", "detail").optional_json(row.detail.as_deref())?,
            audit: row.audit_period.zip(row.audit_person.present()).map(|(period, person)| AuditReferences {
                period,
                person,
                number: row.audit_number.present(),
            }),
        })
    }
}

/// A consumer's routes above `after`, in order, at most `limit`.
pub async fn read(conn: &mut Conn, consumer: ConsumerId, after: i64, limit: u32) -> Result<Vec<Route>, Error> {
    in_order(
        query_gathered(
            "route",
            select!("r.consumer = $1 AND r.seq > $2 ORDER BY r.seq LIMIT $3"),
            select!(plain, "r.consumer = $1 AND r.seq > $2 ORDER BY r.seq LIMIT $3"),
        )
        .bind(consumer)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?,
    )
}

/// As [`read`], of these shards only.
pub async fn read_shards(
    conn: &mut Conn,
    consumer: ConsumerId,
    shards: &[i64],
    after: i64,
    limit: u32,
) -> Result<Vec<Route>, Error> {
    if shards.len() == usize::from(LANES) {
        return read(conn, consumer, after, limit).await;
    }
    in_order(
        query_gathered(
            "route",
            select!("r.consumer = $1 AND r.seq > $2 AND r.shard IN ids($4) ORDER BY r.seq LIMIT $3"),
            select!(plain, "r.consumer = $1 AND r.seq > $2 AND r.shard = ANY($4) ORDER BY r.seq LIMIT $3"),
        )
        .bind(consumer)
        .bind(after)
        .bind(limit)
        .bind(shards)
        .fetch_all(conn)
        .await?,
    )
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
    in_order(
        query_gathered(
            "route",
            select!("r.consumer = $1 AND r.record = $2 AND r.seq BETWEEN $3 AND $4 ORDER BY r.seq LIMIT $5"),
            select!(plain, "r.consumer = $1 AND r.record = $2 AND r.seq BETWEEN $3 AND $4 ORDER BY r.seq LIMIT $5"),
        )
        .bind(consumer)
        .bind(record.0.as_slice())
        .bind(from)
        .bind(to)
        .bind(limit)
        .fetch_all(conn)
        .await?,
    )
}

fn in_order(rows: Vec<Row>) -> Result<Vec<Route>, Error> {
    let mut routes: Vec<Route> = rows.into_iter().map(Route::try_from).collect::<Result<_, _>>()?;
    routes.sort_by_key(|route| route.seq);
    Ok(routes)
}

/// The consumers that have routes above `after`, and the highest route number of all.
pub async fn consumers_after(conn: &mut Conn, after: i64) -> Result<(Vec<ConsumerId>, i64), Error> {
    let highest = newest(&mut *conn).await?;
    let consumers = query_scalar("SELECT DISTINCT consumer FROM route WHERE seq > $1 AND seq <= $2")
        .bind(after)
        .bind(highest)
        .fetch_all(conn)
        .await?;
    Ok((consumers, highest))
}

/// The highest route number of all.
pub async fn newest(conn: &mut Conn) -> Result<i64, Error> {
    Ok(query_scalar("SELECT coalesce(max(seq), 0) FROM route").fetch_one(conn).await?)
}

/// The highest route number of a consumer.
pub async fn highest(conn: &mut Conn, consumer: ConsumerId) -> Result<Option<i64>, Error> {
    Ok(query_scalar("SELECT max(seq) FROM route WHERE consumer = $1").bind(consumer).fetch_one(conn).await?)
}
