//! Events that no register tells: a snapshot that delivery asks for, what a suspended subscription missed, a
//! subscription's end.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::matching;
use super::relatives::Relatives;
use super::selections::Selections;
use super::settle::{Opened, about, claims, routes, settle_rows};
use super::source::Source;
use crate::domain::change::{Change, DerivedFrom, ScopeReason};
use crate::domain::event_type::EventType;
use crate::domain::pairwise::{EventId, RecordId};
use crate::domain::subject::Subjects;
use crate::store::event::{Detail, NewEvent, NewRoute};
use crate::store::person::PersonRow;
use crate::store::subscription::{EndReason, SubscriptionRow};
use crate::store::{self, Conn, announcing, event, meta, missed, person, request, subject};

/// Persons in one transaction.
const BATCH: u32 = 200;

/// Meets the next requests for snapshots. How many.
pub async fn snapshots(source: &Source) -> Result<usize, store::Error> {
    let requests = request::read(&mut *source.store.main.read().await?, source.id, BATCH).await?;
    if requests.is_empty() {
        return Ok(0);
    }
    let selections = source.selections().await?;
    let now = source.clock.now();
    let records: Vec<RecordId> = requests.iter().map(|request| request.record).collect();
    let known = known(source, &records).await?;
    let relatives = Relatives::find(source, known.values().map(|known| &known.person)).await?;
    source.store.keys.ensure_period(now).await?;
    let mut events = Vec::new();
    for asked in &requests {
        let Some(known) = known.get(&asked.record) else { continue };
        let covering = matching::covering(&selections.now, &source.key, &known.row.standing, &known.subjects, now);
        let theirs = covering.iter().filter(|covering| covering.consumer == asked.consumer).map(|covering| covering.id);
        let routes = routes(&selections, EventType::Snapshot, theirs);
        if !routes.is_empty() {
            let change = Change::new(EventType::Snapshot, DerivedFrom::Notice);
            events.push(about(source, &selections, known, &relatives, change, routes)?);
        }
    }
    source.store.keys.ensure_claims(&claims(&events), now).await?;
    let met: Vec<i64> = requests.iter().map(|request| request.id).collect();
    let mut tx = source.begin().await?;
    if meta::selectors(&mut tx).await? != selections.version {
        return Ok(met.len());
    }
    event::append(&mut tx, &events, now).await?;
    request::delete(&mut tx, &met).await?;
    tx.commit().await?;
    source.bells.routes.ring();
    Ok(met.len())
}

/// The stored persons with these records who are not being removed, opened.
async fn known(source: &Source, records: &[RecordId]) -> Result<HashMap<RecordId, Opened>, store::Error> {
    let rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    let rows = rows.into_values().filter(|row| !row.leaving).collect();
    Ok(Opened::open(source, rows).await?.into_iter().map(|known| (known.row.record, known)).collect())
}

/// Tells a subscription that goes on what it missed: a snapshot, or that somebody came or went. How many persons.
pub async fn resumed(source: &Source) -> Result<usize, store::Error> {
    let selections = source.selections().await?;
    let Some(id) = missed::next_resumed(&mut *source.store.main.read().await?, source.id).await? else { return Ok(0) };
    if selections.now.get(id).is_none_or(|entry| entry.subscription.suspended) {
        return Ok(0);
    }
    let now = source.clock.now();
    let waiting = missed::read(&mut *source.store.main.read().await?, id, BATCH).await?;
    let records: Vec<RecordId> = waiting.iter().map(|(record, _)| *record).collect();
    settle_late(source, &selections, &records).await?;
    let known = known(source, &records).await?;
    let relatives = Relatives::find(source, known.values().map(|known| &known.person)).await?;
    source.store.keys.ensure_period(now).await?;
    let mut events = Vec::new();
    for (record, was_covered) in &waiting {
        let Some(known) = known.get(record) else { continue };
        let covering = matching::covering(&selections.now, &source.key, &known.row.standing, &known.subjects, now);
        let is_covered = covering.iter().any(|covering| covering.id == id);
        let (type_, scope) = match (was_covered, is_covered) {
            (true, true) => (EventType::Snapshot, None),
            (false, true) => (EventType::ScopeEntered, Some(ScopeReason::SubscriptionChanged)),
            (true, false) => (EventType::ScopeLeft, Some(ScopeReason::SubscriptionChanged)),
            (false, false) => continue,
        };
        let routes = routes(&selections, type_, std::iter::once(id));
        let change = Change { scope, ..Change::new(type_, DerivedFrom::Notice) };
        events.push(about(source, &selections, known, &relatives, change, routes)?);
    }
    source.store.keys.ensure_claims(&claims(&events), now).await?;
    let mut tx = source.begin().await?;
    if meta::selectors(&mut tx).await? != selections.version {
        return Ok(records.len());
    }
    event::append(&mut tx, &events, now).await?;
    missed::delete(&mut tx, id, &records).await?;
    tx.commit().await?;
    source.bells.routes.ring();
    Ok(records.len())
}

/// Persons that are looked at together when a subscription begins.
const LOOK: u32 = 1_000;

/// How long a subscription that begins waits for content that it is granted and that nobody held before.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// Notes the next persons known when a subscription began that asks for a snapshot of each, so that they are told like
/// persons whom it missed. How many were looked at.
pub async fn begun(source: &Source) -> Result<usize, store::Error> {
    let mut conn = source.store.main.read().await?;
    let Some((id, after)) = announcing::next(&mut conn, source.id).await? else { return Ok(0) };
    let page = person::after(&mut conn, source.id, after, LOOK).await?;
    let records: Vec<RecordId> = page.iter().map(|row| row.record).collect();
    let subjects = subject::find(&mut conn, Some(source.id), &records).await?;
    drop(conn);
    let selections = source.selections().await?;
    let now = source.clock.now();
    let waits = |row: &PersonRow| row.refetch && now < row.updated_at + PATIENCE;
    if page.iter().any(|row| row.settled < selections.version || waits(row)) {
        return Ok(0);
    }
    let nobody = Subjects::default();
    let is_covered = |row: &&PersonRow| {
        let subjects = subjects.get(&row.record).unwrap_or(&nobody);
        let covering = matching::covering(&selections.now, &source.key, &row.standing, subjects, now);
        covering.iter().any(|entry| entry.id == id)
    };
    let noted: Vec<_> = page.iter().filter(is_covered).map(|row| (id, row.record, true)).collect();
    let mut tx = source.begin().await?;
    if meta::selectors(&mut tx).await? != selections.version {
        return Ok(1);
    }
    missed::write(&mut tx, &noted).await?;
    announcing::advance(&mut tx, id, records.last().copied()).await?;
    tx.commit().await?;
    Ok(page.len().max(1))
}

/// Settles those of the records that are not, so that no other subscription's shift is lost and none is told twice.
async fn settle_late(source: &Source, selections: &Selections, records: &[RecordId]) -> Result<(), store::Error> {
    let rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    let late: Vec<_> = rows.into_values().filter(|row| row.settled < selections.version).collect();
    if !late.is_empty() {
        settle_rows(source, selections, late).await?;
    }
    Ok(())
}

/// Appends `subscription.ended` for a subscription that ends now, in the caller's transaction.
pub async fn ended(
    conn: &mut Conn,
    subscription: &SubscriptionRow,
    reason: EndReason,
    now: Timestamp,
) -> Result<(), store::Error> {
    let purpose = subscription.compiled.as_ref().map(|form| form.purpose.clone()).unwrap_or_default();
    let route = NewRoute {
        consumer: subscription.consumer,
        type_: EventType::SubscriptionEnded,
        subscriptions: vec![subscription.id],
    };
    let event = NewEvent {
        id: EventId::random(),
        record: None,
        source: subscription.source,
        type_: EventType::SubscriptionEnded,
        snapshot: None,
        detail: Some(Detail::SubscriptionEnded { subscription: subscription.key.name.clone(), purpose, reason }),
        audit: None,
        routes: vec![route],
    };
    event::append(conn, &[event], now).await.map(|_| ())
}
