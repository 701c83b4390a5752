//! Commit: fetched persons become rows, events and routes. All slow work comes before the transaction, whose order alone
//! decides on which side of a change of subscription an event falls.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::Error;
use super::matching;
use super::selections::Selections;
use super::settle;
use super::weigh::{Scales, Stored, Weighed, previous};
use crate::audit;
use crate::domain::change::{DerivedFrom, Snapshot};
use crate::domain::event_type::{EventType, TypeSet};
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::{EventId, RecordId};
use crate::domain::person::{Person, Related};
use crate::domain::standing::Standing;
use crate::ingest::source::Source;
use crate::runtime::clock::danish_date;
use crate::store::cursor::Cursor;
use crate::store::event::{NewEvent, NewRoute};
use crate::store::keys::{AuditReferences, Ensured, Identity};
use crate::store::person::PersonRow;
use crate::store::told::Told;
use crate::store::unread::Unread;
use crate::store::{self, ConsumerId, SubscriptionId, cursor, event, meta, missed, person, told, unread};

/// Persons of one batch, and what belongs into the same transaction.
#[derive(Default)]
pub struct Batch {
    /// As fetched.
    pub persons: Vec<Person>,
    /// What the record says of how they were fetched.
    pub audit: Vec<audit::Entry>,
    /// The cursor, with the last batch of an import.
    pub cursor: Option<Cursor>,
    /// Event ids seen.
    pub seen: Vec<(u32, i64)>,
    /// Persons that could be read again.
    pub read: Vec<RecordId>,
    /// Persons that could not be read.
    pub unread: Vec<Unread>,
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Committed {
    /// Events appended.
    pub events: u64,
    /// Routes appended.
    pub routes: u64,
    /// Persons written.
    pub stored: u64,
    /// Fetched persons of whom nothing is kept.
    pub uncovered: u64,
    /// Persons who were being removed and have to be taken up again.
    pub again: Vec<PersonId>,
}

/// A person with everything sealed, ready for the transaction.
struct Ready {
    row: PersonRow,
    id: Option<PersonId>,
    events: Vec<NewEvent>,
    told: Vec<(Told, bool)>,
    missed: Vec<(SubscriptionId, RecordId, bool)>,
    /// Keeps the person's key from being deleted before the transaction that relies on it has committed.
    _key: Ensured,
}

/// Commits a batch.
pub async fn commit(source: &Source, batch: Batch, derived_from: DerivedFrom) -> Result<Committed, Error> {
    loop {
        let selections = source.selections().await?;
        let mut ready = prepare(source, &selections, &batch, derived_from).await?;
        let mut tx = source.store.main.begin().await?;
        if meta::selectors(&mut tx).await? != selections.version {
            continue;
        }
        let done = write(source, &mut tx, &batch, &mut ready).await?;
        tx.commit().await?;
        if done.routes > 0 {
            source.bells.routes.ring();
        }
        return Ok(done);
    }
}

/// Everything that may take time: opening, comparing, matching, keys, claims, sealing.
async fn prepare(
    source: &Source,
    selections: &Selections,
    batch: &Batch,
    derived_from: DerivedFrom,
) -> Result<Vec<Ready>, Error> {
    let now = source.clock.now();
    let persons: Vec<&Person> = batch.persons.iter().filter(|person| person.id.is_some()).collect();
    let ids: Vec<PersonId> = persons.iter().filter_map(|person| person.id.clone()).collect();
    let records = source.store.keys.find(&source.realm, &ids).await?;
    let known: Vec<RecordId> = records.iter().copied().flatten().collect();
    let mut stored = open_stored(source, selections, &known).await?;
    let told = told::find(&mut *source.store.main.read().await?, &known).await?;

    let scales = Scales {
        selectors: &selections.now,
        source: &source.key,
        history_days: source.settings.history_days,
        derived_from,
        now,
        today: source.clock.today(),
    };
    let mut weighed = Vec::new();
    for (fetched, record) in persons.into_iter().zip(records) {
        let before = record.and_then(|record| stored.remove(&record));
        let was_stored = before.is_some();
        let said: Vec<(ConsumerId, TypeSet)> = record
            .and_then(|record| told.get(&record))
            .map(|by| by.iter().map(|(consumer, types)| (*consumer, *types)).collect())
            .unwrap_or_default();
        let one = scales.weigh(record, before, fetched.clone(), &said);
        if one.is_ours(was_stored) {
            weighed.push(one);
        }
    }
    seal_all(source, selections, weighed, now).await
}

/// The stored persons, opened, each settled for the present selections.
async fn open_stored(
    source: &Source,
    selections: &Selections,
    records: &[RecordId],
) -> Result<HashMap<RecordId, Stored>, Error> {
    let mut rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    let late: Vec<PersonRow> = rows.values().filter(|row| row.settled < selections.version).cloned().collect();
    if !late.is_empty() {
        settle::settle_rows(source, selections, late).await?;
        rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    }
    let keys = source.store.keys.person_keys(records).await?;
    let mut opened = HashMap::new();
    for (record, row) in rows {
        let Some(key) = keys.get(&record) else { continue };
        let person = row.open(key)?;
        opened.insert(record, Stored { person, as_of: row.as_of, standing: row.standing });
    }
    Ok(opened)
}

/// Keys and claims first, durable; then everything is sealed.
async fn seal_all(
    source: &Source,
    selections: &Selections,
    weighed: Vec<Weighed>,
    now: Timestamp,
) -> Result<Vec<Ready>, Error> {
    let identities: Vec<Identity> = weighed.iter().filter_map(|one| identity(&one.person)).collect();
    let ensured = source.store.keys.ensure_persons(&source.realm, &identities, now).await?;
    let mut claims: BTreeSet<(ConsumerId, RecordId)> = BTreeSet::new();
    for (one, ensured) in weighed.iter().zip(&ensured) {
        let heard = one.outcome.matched.iter().flat_map(|matched| &matched.heard);
        claims.extend(heard.map(|heard| (heard.consumer, ensured.record)));
    }
    source.store.keys.ensure_claims(&claims.into_iter().collect::<Vec<_>>(), now).await?;
    source.store.keys.ensure_period(now).await?;
    let relatives = relatives(source, &weighed).await?;
    weighed
        .into_iter()
        .zip(ensured)
        .map(|(one, ensured)| seal_one(source, selections, one, ensured, &relatives, now))
        .collect()
}

fn identity(person: &Person) -> Option<Identity> {
    let id = person.id.clone()?;
    Some(Identity { id, numbers: person.numbers.iter().map(|row| row.value.0.clone()).collect() })
}

/// Our records of the persons that others' rows name, so that a consumer who knows them can be told by reference.
async fn relatives(source: &Source, weighed: &[Weighed]) -> Result<HashMap<PersonId, RecordId>, Error> {
    let mut ids: HashSet<PersonId> = HashSet::new();
    for one in weighed.iter().filter(|one| !one.outcome.matched.is_empty()) {
        let mut person = one.person.clone();
        person.for_each_related(&mut |related: &mut Related| ids.extend(related.id.clone()));
    }
    let ids: Vec<PersonId> = ids.into_iter().collect();
    let records = source.store.keys.find(&source.realm, &ids).await?;
    Ok(ids.into_iter().zip(records).filter_map(|(id, record)| record.map(|record| (id, record))).collect())
}

fn seal_one(
    source: &Source,
    selections: &Selections,
    one: Weighed,
    ensured: Ensured,
    relatives: &HashMap<PersonId, RecordId>,
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
    let content = one.person.clone().cut_to(one.keep);
    let row = PersonRow {
        record,
        source: source.id,
        next_due: due_day(&one.person, &one.standing, selections, source, now),
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
    Ok(Ready { told: told.collect(), missed: missed.collect(), row, id: one.person.id, events, _key: ensured })
}

/// The earliest coming day on which this person has to be looked at again: a date of theirs, or the end of following.
pub fn due_day(
    person: &Person,
    standing: &Standing,
    selections: &Selections,
    source: &Source,
    now: Timestamp,
) -> Option<jiff::civil::Date> {
    let followed = matching::next_follow_end(&selections.now, &source.key, standing, now).map(danish_date);
    [person.next_due(source.clock.today()), followed].into_iter().flatten().min()
}

fn seal_events(
    source: &Source,
    selections: &Selections,
    one: &Weighed,
    ensured: &Ensured,
    references: Option<AuditReferences>,
    relatives: &HashMap<PersonId, RecordId>,
) -> Result<Vec<NewEvent>, Error> {
    let mut events = Vec::new();
    for matched in &one.outcome.matched {
        let told = matched.heard.iter().flat_map(|heard| &heard.subscriptions);
        let tellable = told
            .filter_map(|id| selections.now.get(*id))
            .fold(GroupSet::EMPTY, |all, e| all.union(e.subscription.granted));
        let mut after = one.person.clone().cut_to(tellable);
        after.for_each_related(&mut |related: &mut Related| {
            related.record = related.id.as_ref().and_then(|id| relatives.get(id).copied());
        });
        let before = one.before.as_ref().and_then(|(before, _)| previous(&matched.change, before, tellable));
        let snapshot = Snapshot {
            change: matched.change.clone(),
            on: source.clock.today(),
            after,
            before_on: before.as_ref().and(one.before.as_ref().map(|(_, on)| *on)),
            before,
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
async fn write(source: &Source, tx: &mut store::Tx, batch: &Batch, ready: &mut [Ready]) -> Result<Committed, Error> {
    let now = source.clock.now();
    let mut done =
        Committed { uncovered: batch.persons.len().saturating_sub(ready.len()) as u64, ..Committed::default() };
    let (mut rows, mut events, mut stated, mut undone, mut missed) = (vec![], vec![], vec![], vec![], vec![]);
    let mut ids: HashMap<RecordId, PersonId> = HashMap::new();
    for one in ready.iter_mut() {
        ids.extend(one.id.take().map(|id| (one.row.record, id)));
        events.append(&mut one.events);
        missed.append(&mut one.missed);
        one.told.drain(..).for_each(|(told, is_new)| if is_new { stated.push(told) } else { undone.push(told) });
        rows.push(one.row.clone());
    }
    let leaving: HashSet<RecordId> = person::write(tx, &rows, now).await?.into_iter().collect();
    done.stored = (rows.len() - leaving.len()) as u64;
    done.again = leaving.iter().filter_map(|record| ids.remove(record)).collect();
    events.retain(|event: &NewEvent| event.record.is_none_or(|record| !leaving.contains(&record)));
    let stays = |record: &RecordId| !leaving.contains(record);
    stated.retain(|told| stays(&told.record));
    undone.retain(|told| stays(&told.record));
    missed.retain(|(_, record, _)| stays(record));

    done.events = events.len() as u64;
    done.routes = events.iter().map(|event| event.routes.len() as u64).sum();
    event::append(tx, &events, now).await?;
    told::write(tx, &stated, &undone, now).await?;
    missed::write(tx, &missed).await?;
    unread::delete(tx, source.id, &batch.read).await?;
    unread::write(tx, source.id, &batch.unread).await?;
    cursor::mark_seen(tx, source.id, &batch.seen).await?;
    if let Some(next) = &batch.cursor {
        cursor::write(tx, source.id, next).await?;
    }
    audit::record(tx, &source.store.keys, &batch.audit).await?;
    Ok(done)
}
