//! Appending with SQLite: one statement per table.

use jiff::Timestamp;

use super::NewEvent;
use crate::domain::pairwise::RecordId;
use crate::store::job::JobId;
use crate::store::rows::{Blobs, Column, batch};
use crate::store::sql::{query, query_as};
use crate::store::{Conn, Error, SourceId};

/// See [`super::append_as`].
pub(super) async fn append(
    conn: &mut Conn,
    events: &[NewEvent],
    replay: Option<JobId>,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    let next = Next::read(&mut *conn).await?;
    insert_events(&mut *conn, events, next, now).await?;
    insert_routes(conn, events, next, replay, now).await
}

/// The numbers that the next event and the next route get. Nobody else takes them: there is one writing transaction at a time.
#[derive(Clone, Copy)]
struct Next {
    event: i64,
    route: i64,
}

impl Next {
    async fn read(conn: &mut Conn) -> Result<Self, Error> {
        let (event, route): (Option<i64>, Option<i64>) = query_as(
            "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'event'),
                    (SELECT seq FROM sqlite_sequence WHERE name = 'route')",
        )
        .fetch_one(conn)
        .await?;
        Ok(Self { event: event.unwrap_or(0) + 1, route: route.unwrap_or(0) + 1 })
    }
}

/// An event as an element of the batch. Blobs are positions, with lengths where those are not always the same.
type EventValue<'a> = (
    usize,
    Option<usize>,
    SourceId,
    &'static str,
    Option<String>,
    Option<usize>,
    Option<usize>,
    Option<&'a str>,
    Option<usize>,
    Option<usize>,
    Option<usize>,
    Option<usize>,
);

fn event_value<'a>(event: &'a NewEvent, blobs: &mut Blobs) -> Result<EventValue<'a>, Error> {
    let detail = event.detail.as_ref().map(|detail| Column("event", "detail").to_json(detail)).transpose()?;
    let audit = event.audit.as_ref();
    let mut put = |blob: Option<&Vec<u8>>| blob.map(|blob| (blobs.put(blob), blob.len())).unzip();
    let (snapshot, snapshot_length) = put(event.snapshot.as_ref());
    let (person, person_length) = put(audit.map(|audit| &audit.person));
    let (number, number_length) = put(audit.and_then(|audit| audit.number.as_ref()));
    Ok((
        blobs.put(&event.id.0),
        event.record.map(|record| blobs.put(&record.0)),
        event.source,
        event.type_.name(),
        detail,
        snapshot,
        snapshot_length,
        audit.map(|audit| audit.period.as_str()),
        person,
        person_length,
        number,
        number_length,
    ))
}

async fn insert_events(conn: &mut Conn, events: &[NewEvent], next: Next, now: Timestamp) -> Result<(), Error> {
    let mut blobs = Blobs::default();
    let values = events.iter().map(|event| event_value(event, &mut blobs)).collect::<Result<Vec<_>, _>>()?;
    query(
        "INSERT INTO event (seq, at, id, record, source, type, detail, snapshot, audit_period, audit_person, audit_number)
         SELECT $1 + key, $2, substr($4, value ->> 0, 16), substr($4, value ->> 1, 16), value ->> 2, value ->> 3,
                value ->> 4, substr($4, value ->> 5, value ->> 6), value ->> 7, substr($4, value ->> 8, value ->> 9),
                substr($4, value ->> 10, value ->> 11)
         FROM json_each($3)",
    )
    .bind(next.event)
    .bind(now.as_millisecond())
    .bind(batch("event", &values)?)
    .bind(blobs.into_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_routes(
    conn: &mut Conn,
    events: &[NewEvent],
    next: Next,
    replay: Option<JobId>,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    let (mut values, mut blobs) = (Vec::new(), Blobs::default());
    for (event, seq) in events.iter().zip(next.event..) {
        let record = event.record.map(|record| blobs.put(&record.0));
        let shard = event.record.map_or(0, RecordId::shard);
        for route in &event.routes {
            let subscriptions = Column("route", "subscriptions").to_json(&route.subscriptions)?;
            values.push((route.consumer, shard, seq, record, route.type_.name(), subscriptions));
        }
    }
    if values.is_empty() {
        return Ok(None);
    }
    query(
        "INSERT INTO route (seq, at, consumer, shard, event, record, type, subscriptions, replay)
         SELECT $1 + key, $2, value ->> 0, value ->> 1, value ->> 2, substr($4, value ->> 3, 16), value ->> 4,
                value ->> 5, $5
         FROM json_each($3)",
    )
    .bind(next.route)
    .bind(now.as_millisecond())
    .bind(batch("route", &values)?)
    .bind(blobs.into_bytes())
    .bind(replay)
    .execute(conn)
    .await?;
    Ok(Some(next.route + values.len() as i64 - 1))
}
