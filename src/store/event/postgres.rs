//! Appending with PostgreSQL: the lock with the numbers, then one statement per table.

use jiff::Timestamp;

use super::NewEvent;
use crate::domain::pairwise::RecordId;
use crate::store::job::JobId;
use crate::store::rows::Column;
use crate::store::sql::{Arg, query, query_as};
use crate::store::{Conn, Error};

/// See [`super::lock_numbers`].
pub(super) async fn lock_numbers(conn: &mut Conn) -> Result<(), Error> {
    take_numbers(conn, 0, 0).await.map(drop)
}

/// See [`super::append_as`].
pub(super) async fn append(
    conn: &mut Conn,
    events: &[NewEvent],
    replay: Option<JobId>,
    now: Timestamp,
) -> Result<Option<i64>, Error> {
    let routes: usize = events.iter().map(|event| event.routes.len()).sum();
    let (first_event, first_route) = take_numbers(&mut *conn, events.len(), routes).await?;
    insert_events(&mut *conn, events, first_event.unwrap_or(0), now).await?;
    let (Some(event), Some(route)) = (first_event, first_route) else { return Ok(None) };
    insert_routes(conn, events, (event, route), replay, now).await?;
    Ok(Some(route + routes as i64 - 1))
}

/// The first number of so many events, and of so many routes, in the order of commits.
async fn take_numbers(conn: &mut Conn, events: usize, routes: usize) -> Result<(Option<i64>, Option<i64>), Error> {
    let numbers = query_as("SELECT first_event, first_route FROM take_numbers($1, $2)");
    Ok(numbers.bind(events as i64).bind(routes as i64).fetch_one(conn).await?)
}

async fn insert_events(conn: &mut Conn, events: &[NewEvent], first: i64, now: Timestamp) -> Result<(), Error> {
    let detail = |event: &NewEvent| event.detail.as_ref().map(|detail| Column("event", "detail").to_json(detail));
    let details = events.iter().map(|event| detail(event).transpose()).collect::<Result<_, _>>()?;
    let audits = || events.iter().map(|event| event.audit.as_ref());
    query(
        "INSERT INTO event (seq, at, id, record, source, type, detail, snapshot, audit_period, audit_person, audit_number)
         SELECT $1 + n - 1, $2, id, record, source, type, detail, snapshot, period, person, number
         FROM unnest($3::bytea[], $4::bytea[], $5::bigint[], $6::text[], $7::text[], $8::bytea[], $9::text[],
                     $10::bytea[], $11::bytea[])
              WITH ORDINALITY AS e (id, record, source, type, detail, snapshot, period, person, number, n)",
    )
    .bind(first)
    .bind(now.as_millisecond())
    .bind(Arg::Blobs(events.iter().map(|event| Some(event.id.0.to_vec())).collect()))
    .bind(Arg::Blobs(events.iter().map(|event| event.record.map(|record| record.0.to_vec())).collect()))
    .bind(Arg::Ints(events.iter().map(|event| Some(event.source)).collect()))
    .bind(Arg::Texts(events.iter().map(|event| Some(event.type_.name().into())).collect()))
    .bind(Arg::Texts(details))
    .bind(Arg::Blobs(events.iter().map(|event| event.snapshot.clone()).collect()))
    .bind(Arg::Texts(audits().map(|audit| audit.map(|audit| audit.period.clone())).collect()))
    .bind(Arg::Blobs(audits().map(|audit| audit.map(|audit| audit.person.clone())).collect()))
    .bind(Arg::Blobs(audits().map(|audit| audit.and_then(|audit| audit.number.clone())).collect()))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_routes(
    conn: &mut Conn,
    events: &[NewEvent],
    (first_event, first_route): (i64, i64),
    replay: Option<JobId>,
    now: Timestamp,
) -> Result<(), Error> {
    let routes = || {
        let numbered = events.iter().zip(first_event..);
        numbered.flat_map(|(event, seq)| event.routes.iter().map(move |route| (event, seq, route)))
    };
    let subscriptions = routes().map(|(_, _, route)| Column("route", "subscriptions").to_json(&route.subscriptions));
    query(
        "INSERT INTO route (seq, at, replay, consumer, shard, event, record, type, subscriptions)
         SELECT $1 + n - 1, $2, $3, consumer, shard, event, record, type, subscriptions
         FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::text[], $9::text[])
              WITH ORDINALITY AS r (consumer, shard, event, record, type, subscriptions, n)",
    )
    .bind(first_route)
    .bind(now.as_millisecond())
    .bind(replay)
    .bind(Arg::Ints(routes().map(|(_, _, route)| Some(route.consumer)).collect()))
    .bind(Arg::Ints(routes().map(|(event, ..)| Some(event.record.map_or(0, RecordId::shard).into())).collect()))
    .bind(Arg::Ints(routes().map(|(_, seq, _)| Some(seq)).collect()))
    .bind(Arg::Blobs(routes().map(|(event, ..)| event.record.map(|record| record.0.to_vec())).collect()))
    .bind(Arg::Texts(routes().map(|(_, _, route)| Some(route.type_.name().into())).collect()))
    .bind(Arg::Texts(subscriptions.map(|text| text.map(Some)).collect::<Result<_, _>>()?))
    .execute(conn)
    .await?;
    Ok(())
}
