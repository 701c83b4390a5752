//! Commit: fetched persons become rows, events and routes. All slow work comes before the transaction, whose order alone
//! decides on which side of a change of subscription an event falls.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::Error;
use super::announce;
use super::batch::{Batch, Committed};
use super::identity::Question;
use super::known;
use super::lists;
use super::relatives::Relatives;
use super::selections::Selections;
use super::weigh::{Scales, Weighed, due_day, previous};
use crate::audit;
use crate::domain::change::{DerivedFrom, Snapshot};
use crate::domain::event_type::EventType;
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::{EventId, RecordId};
use crate::domain::subject::{Origin, Subjects};
use crate::ingest::source::Source;
use crate::runtime::cores;
use crate::store::doubt::{self, Kind};
use crate::store::event::{NewEvent, NewRoute};
use crate::store::keys::{AuditReferences, Ensured};
use crate::store::person::PersonRow;
use crate::store::subject::SubjectRow;
use crate::store::told::Told;
use crate::store::{self, ConsumerId, SubscriptionId, cursor, event, meta, missed, person, subject, told, unread};

/// A person with everything sealed, ready for the transaction.
struct Ready {
    row: PersonRow,
    id: Option<PersonId>,
    events: Vec<NewEvent>,
    told: Vec<(Told, bool)>,
    missed: Vec<(SubscriptionId, RecordId, bool)>,
    joined: Vec<RecordId>,
    adopted: bool,
    doubtful: bool,
    /// Which subscriptions had the person by name when this was prepared.
    subjects: Subjects,
    named: Vec<SubjectRow>,
    unnamed: Vec<SubjectRow>,
    /// Keeps the person's key from being deleted before the transaction that relies on it has committed.
    _key: Ensured,
}

/// What a batch comes to.
struct Prepared {
    ready: Vec<Ready>,
    open: Vec<Question>,
    older: Vec<PersonId>,
}

/// Commits a batch.
pub async fn commit(source: &Source, mut batch: Batch, derived_from: DerivedFrom) -> Result<Committed, Error> {
    loop {
        let selections = source.selections().await?;
        // What a subscription missed is told before anything new, and whom it knew when it began; one that begins or goes on
        // from here on moves the version.
        while announce::begun(source).await? + announce::resumed(source).await? > 0 {}
        let Prepared { mut ready, open, older } = prepare(source, &selections, &batch, derived_from).await?;
        let vanished = vanished(source, &batch.gone, &ready).await?;
        let mut tx = source.begin_beside().await?;
        if meta::selectors(&mut tx).await? != selections.version || !is_present(source, &mut tx, &ready).await? {
            continue;
        }
        let present = lists::record::those_present(&mut tx, &batch.lines).await?;
        if present.len() != batch.lines.len() {
            batch.lines.retain(|line| present.contains(&line.listing.id));
            continue;
        }
        if !source.store.keys.are_there(&records(&ready)).await? {
            continue;
        }
        let unread: Vec<RecordId> = batch.unread.iter().map(|row| row.record).collect();
        if !source.store.keys.are_there(&unread).await? {
            return Err(store::Error::Removed.into());
        }
        let (mut done, events) = write(source, &mut tx, &batch, &mut ready, &open).await?;
        doubt::write(&mut tx, source.id, Kind::Vanished, &vanished, source.clock.now()).await?;
        person::postpone(&mut tx, source.id, &vanished, source.clock.today()).await?;
        // Last, for others who append wait from here on until it is committed.
        event::append(&mut tx, &events, source.clock.now()).await?;
        tx.commit().await?;
        done.uncovered = done.uncovered.saturating_sub((open.len() + older.len()) as u64);
        (done.open, done.unreadable, done.vanished) = (open, older, vanished.len() as u64);
        if done.routes > 0 {
            source.bells.routes.ring();
        }
        return Ok(done);
    }
}

/// Whether the persons are still had by name as they were when the batch was prepared. Only this source's task changes
/// that, so they are; lists are as exact as selections all the same, should another ever do so.
async fn is_present(source: &Source, tx: &mut store::Tx, ready: &[Ready]) -> Result<bool, store::Error> {
    let subjects = subject::find(tx, Some(source.id), &records(ready)).await?;
    let nobody = Subjects::default();
    Ok(ready.iter().all(|one| one.subjects == *subjects.get(&one.row.record).unwrap_or(&nobody)))
}

fn records(ready: &[Ready]) -> Vec<RecordId> {
    ready.iter().map(|one| one.row.record).collect()
}

/// Everything that may take time: opening, comparing, matching, keys, claims, sealing.
async fn prepare(
    source: &Source,
    selections: &Selections,
    batch: &Batch,
    derived_from: DerivedFrom,
) -> Result<Prepared, Error> {
    let now = source.clock.now();
    let scales = Scales {
        selectors: &selections.now,
        source: &source.key,
        history_days: source.settings.history_days,
        derived_from,
        now,
        today: source.clock.today(),
    };
    let weighing = known::weigh(source, selections, &scales, batch).await?;
    let weighed = known::ensure(source, &scales, weighing.weighed).await?;
    let origins = batch.lines.iter().map(|line| (line.listing.subscription, line.listing.origin)).collect();
    let ready = seal_all(source, selections, weighed, &origins, now).await?;
    Ok(Prepared { ready, open: weighing.open, older: weighing.older })
}

/// Whom we hold, and the register does not know any more under the PersonID that they have here.
async fn vanished(source: &Source, gone: &[PersonId], ready: &[Ready]) -> Result<Vec<RecordId>, Error> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let records = source.store.keys.find(&source.realm, gone).await?;
    let known: Vec<RecordId> = records.into_iter().flatten().collect();
    let held = person::find(&mut *source.store.main.read().await?, source.id, &known).await?;
    let goes_on = |record: &RecordId| ready.iter().any(|one| one.row.record == *record);
    Ok(held.into_keys().filter(|record| !goes_on(record)).collect())
}

/// Of which kind the lists are to which persons are put.
type Origins = HashMap<SubscriptionId, Origin>;

/// Claims first, durable like the keys before them; then everything is sealed.
async fn seal_all(
    source: &Source,
    selections: &Selections,
    weighed: Vec<(Weighed, Ensured)>,
    origins: &Origins,
    now: Timestamp,
) -> Result<Vec<Ready>, Error> {
    let mut claims: BTreeSet<(ConsumerId, RecordId)> = BTreeSet::new();
    for (one, ensured) in &weighed {
        let heard = one.outcome.matched.iter().flat_map(|matched| &matched.heard);
        claims.extend(heard.map(|heard| (heard.consumer, ensured.record)));
    }
    source.store.keys.ensure_claims(&claims.into_iter().collect::<Vec<_>>(), now).await?;
    source.store.keys.ensure_period(now).await?;
    let told = weighed.iter().filter(|(one, _)| !one.outcome.matched.is_empty());
    let relatives = Relatives::find(source, told.map(|(one, _)| &one.person)).await?;
    let seal = |(one, ensured)| seal_one(source, selections, one, ensured, (&relatives, origins), now);
    cores::map(weighed, seal).into_iter().collect()
}

fn seal_one(
    source: &Source,
    selections: &Selections,
    one: Weighed,
    ensured: Ensured,
    (relatives, origins): (&Relatives, &Origins),
    now: Timestamp,
) -> Result<Ready, Error> {
    let today = source.clock.today();
    let record = ensured.record;
    let number = one.person.number(today);
    let references = match &one.person.id {
        Some(id) => Some(source.store.keys.audit_references(id, number, now)?),
        None => None,
    };
    let events = seal_events(source, selections, &one, &ensured, references, relatives)?;
    let joined = one.joined.iter().map(|other| other.record).collect();
    let (adopted, doubtful) = (one.adopted, one.doubtful);
    let content = one.person.clone().cut_to(one.keep);
    let (named, unnamed) = renamed(record, &one.ties.subjects, &one.outcome.subjects, origins);
    let row = PersonRow {
        record,
        source: source.id,
        next_due: due_day(&one.person, today, &one.standing, &one.outcome.subjects, &selections.now, &source.key, now),
        standing: one.standing,
        as_of: today,
        held: content.held,
        settled: selections.version,
        uncovered_since: (!one.covered).then_some(now),
        leaving: false,
        refetch: false,
        content: person::seal(&ensured.key, source.id, &content)?,
        updated_at: now,
    };
    let told = one.outcome.matched.iter().flat_map(|matched| &matched.heard).filter_map(|heard| {
        let states = matches!(heard.type_, EventType::Died | EventType::Disappeared | EventType::Emigrated);
        let stated = Told { consumer: heard.consumer, record, type_: heard.type_ };
        match heard.type_.undoes() {
            Some(statement) => Some((Told { type_: statement, ..stated }, false)),
            None => states.then_some((stated, true)),
        }
    });
    let missed = one.outcome.missed.iter().map(|missed| (missed.subscription, record, missed.covered_before));
    let (told, missed) = (told.collect(), missed.collect());
    let (subjects, id) = (one.ties.subjects, one.person.id);
    Ok(Ready { told, missed, joined, adopted, doubtful, row, id, events, subjects, named, unnamed, _key: ensured })
}

/// What is to be written and deleted, so that subscriptions have a person by name as they do after what happened.
fn renamed(
    record: RecordId,
    before: &Subjects,
    after: &Subjects,
    origins: &Origins,
) -> (Vec<SubjectRow>, Vec<SubjectRow>) {
    let (mut named, mut unnamed) = (Vec::new(), Vec::new());
    let all: BTreeSet<SubscriptionId> = after.subscriptions().chain(before.subscriptions()).collect();
    for subscription in all {
        let (was, is) = (before.get(subscription), after.get(subscription));
        let row = |origin| SubjectRow { subscription, record, origin };
        if is.listed && (!was.listed || origins.contains_key(&subscription)) {
            named.push(row(origins.get(&subscription).copied().unwrap_or(Origin::Managed)));
        }
        if was.moved_at != is.moved_at {
            was.moved_at.inspect(|_| unnamed.push(row(Origin::Moved)));
            is.moved_at.inspect(|_| named.push(row(Origin::Moved)));
        }
    }
    (named, unnamed)
}

fn seal_events(
    source: &Source,
    selections: &Selections,
    one: &Weighed,
    ensured: &Ensured,
    references: Option<AuditReferences>,
    relatives: &Relatives,
) -> Result<Vec<NewEvent>, Error> {
    let mut events = Vec::new();
    for matched in &one.outcome.matched {
        let told = matched.heard.iter().flat_map(|heard| &heard.subscriptions);
        let tellable = told
            .filter_map(|id| selections.now.get(*id))
            .fold(GroupSet::EMPTY, |all, e| all.union(e.subscription.granted));
        let mut after = one.person.clone().cut_to(tellable);
        relatives.name_in(&mut after);
        let earlier = one.before(&matched.change);
        let before = earlier.and_then(|(before, _)| previous(&matched.change, before, tellable));
        let snapshot = Snapshot {
            change: matched.change.clone(),
            on: source.clock.today(),
            after,
            before_on: before.as_ref().and(earlier.and_then(|(_, on)| on)),
            before,
            places: one.places.clone(),
        };
        let id = EventId::random();
        events.push(NewEvent {
            id,
            record: Some(ensured.record),
            source: source.id,
            type_: matched.change.type_,
            snapshot: Some(event::seal(&ensured.key, id, &snapshot)?),
            detail: None,
            audit: references.clone(),
            routes: matched
                .heard
                .iter()
                .map(|heard| NewRoute {
                    consumer: heard.consumer,
                    type_: heard.type_,
                    subscriptions: heard.subscriptions.clone(),
                })
                .collect(),
        });
    }
    Ok(events)
}

/// The transaction: short, for everything is ready.
async fn write(
    source: &Source,
    tx: &mut store::Tx,
    batch: &Batch,
    ready: &mut [Ready],
    open: &[Question],
) -> Result<(Committed, Vec<NewEvent>), Error> {
    let now = source.clock.now();
    let mut done =
        Committed { uncovered: batch.persons.len().saturating_sub(ready.len()) as u64, ..Committed::default() };
    let (mut rows, mut events, mut stated, mut undone, mut missed) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut named, mut unnamed) = (vec![], vec![]);
    let mut ids: HashMap<RecordId, PersonId> = HashMap::new();
    let joined = ready.iter().flat_map(|one| one.joined.iter().map(|closed| (*closed, one.row.record)));
    done.joined = joined.collect();
    done.merged = (done.joined.len() + ready.iter().filter(|one| one.adopted).count()) as u64;
    for one in ready.iter_mut() {
        named.append(&mut one.named);
        unnamed.append(&mut one.unnamed);
        ids.extend(one.id.take().map(|id| (one.row.record, id)));
        events.append(&mut one.events);
        missed.append(&mut one.missed);
        one.told.drain(..).for_each(|(told, is_new)| if is_new { stated.push(told) } else { undone.push(told) });
        rows.push(one.row.clone());
    }
    // A following that ends while this is written has still to be seen by the next who looks.
    let weighed_at = rows.iter().map(|row| row.updated_at).min().unwrap_or(now);
    let leaving: HashSet<RecordId> = person::write(tx, &rows, weighed_at).await?.into_iter().collect();
    done.stored = (rows.len() - leaving.len()) as u64;
    done.again = leaving.iter().filter_map(|record| ids.remove(record)).collect();
    let placed: HashMap<PersonId, RecordId> = ids.into_iter().map(|(record, id)| (id, record)).collect();
    events.retain(|event: &NewEvent| event.record.is_none_or(|record| !leaving.contains(&record)));
    let stays = |record: &RecordId| !leaving.contains(record);
    stated.retain(|told| stays(&told.record));
    undone.retain(|told| stays(&told.record));
    missed.retain(|(_, record, _)| stays(record));
    named.retain(|row| stays(&row.record));
    unnamed.retain(|row| stays(&row.record));

    done.events = events.len() as u64;
    done.routes = events.iter().map(|event| event.routes.len() as u64).sum();
    told::write(tx, &stated, &undone, now).await?;
    missed::write(tx, &missed).await?;
    subject::delete(tx, &unnamed).await?;
    subject::write(tx, source.id, &named, weighed_at).await?;
    let joined: Vec<_> = done.joined.iter().copied().filter(|(_, survivor)| stays(survivor)).collect();
    subject::carry_over(tx, &joined).await?;
    let lines = lists::record::Lines { lines: &batch.lines, placed: &placed, open };
    lists::record::record(tx, source, &lines, now).await?;
    let (doubtful, clear): (Vec<&Ready>, Vec<&Ready>) =
        ready.iter().filter(|one| stays(&one.row.record)).partition(|one| one.doubtful);
    let records = |of: &[&Ready]| of.iter().map(|one| one.row.record).collect::<Vec<_>>();
    doubt::clear(tx, source.id, &records(&clear)).await?;
    doubt::clear(tx, source.id, &records(&doubtful)).await?;
    doubt::write(tx, source.id, Kind::Apart, &records(&doubtful), now).await?;
    done.doubtful = doubtful.len() as u64;
    unread::delete(tx, source.id, &batch.read).await?;
    unread::write(tx, source.id, &batch.unread).await?;
    cursor::mark_seen(tx, source.id, &batch.seen).await?;
    if let Some(next) = &batch.cursor {
        cursor::write(tx, source.id, next).await?;
    }
    audit::record(tx, &source.store.keys, &batch.audit).await?;
    Ok((done, events))
}
