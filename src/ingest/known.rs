//! Whom we know: fetched persons beside the stored ones, and a record for each, also where two PersonIDs turn out to be one
//! person.

use std::collections::{HashMap, HashSet};

use super::Error;
use super::batch::{Answer, Batch};
use super::identity::{self, Knowledge, Own, Place, Question, is_closed, numbers, share_a_number};
use super::selections::Selections;
use super::settle;
use super::source::Source;
use super::weigh::{Joined, Scales, Stored, Ties, Weighed};
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::domain::status::Presence;
use crate::domain::subject::Subjects;
use crate::runtime::cores;
use crate::store::doubt::{self, Kind};
use crate::store::keys::{Ensured, Identity};
use crate::store::person::PersonRow;
use crate::store::{self, SubscriptionId, person, subject, told};

/// What is stored of a person, and who hears of them.
#[derive(Default)]
struct Before {
    stored: Option<Stored>,
    ties: Ties,
}

/// The fetched persons, as far as they have their places.
#[derive(Default)]
pub struct Weighing {
    /// Those of whom something is to be stored; closed entries first, so that what is told of them comes before what is
    /// told of those who survive them.
    pub weighed: Vec<(Weighed, Identified)>,
    /// What has to be asked of the register before others have theirs.
    pub open: Vec<Question>,
    /// Persons of whom the register told what was before: nothing is taken from it.
    pub older: Vec<PersonId>,
}

/// By what a weighed person is known from now on.
pub struct Identified {
    identity: Option<Identity>,
    released: Option<PersonId>,
    freed: Vec<CprNumber>,
}

/// Weighs fetched persons against what is stored; those of whom nothing is to be stored are left out.
pub async fn weigh(
    source: &Source,
    selections: &Selections,
    scales: &Scales<'_>,
    batch: &Batch,
) -> Result<Weighing, Error> {
    let fetched: Vec<Person> = batch.persons.iter().filter(|person| person.id.is_some()).cloned().collect();
    let known = Known::read(source, selections, &fetched).await?;
    let Known { by_id, by_number, vacant, mut before, stored, in_doubt } = known;
    let lists = lists(batch);
    let knowledge = Knowledge {
        fetched: &fetched,
        gone: &batch.gone,
        may_ask: batch.may_ask,
        in_doubt: &in_doubt,
        by_id: &by_id,
        by_number: &by_number,
        stored: &stored,
    };
    let places = identity::places(&knowledge);
    let joins = joins(&knowledge, &places);
    let listed = listed(&joins, &before);
    let mut weighing = Weighing::default();
    for ((person, place), joined) in fetched.iter().zip(&places).zip(joins) {
        let own = match place {
            Place::Own(own) => own,
            Place::GivenWay => continue,
            Place::Open(question) => {
                weighing.open.push(question.clone());
                continue;
            }
        };
        if let Some(id) = &person.id
            && own.record.and_then(|record| stored.get(&record)).is_some_and(|stored| is_older(person, stored))
            && !batch.accepted.contains(id)
        {
            weighing.older.push(id.clone());
            continue;
        }
        let mut own = own.clone();
        own.released.extend(led_to(person, &joined, &by_number));
        let before = own.record.and_then(|record| before.remove(&record)).unwrap_or_default();
        let was_stored = before.stored.is_some();
        let mut lists = person.id.as_ref().and_then(|id| lists.get(id)).cloned().unwrap_or_default();
        // Who was on a list under an entry that turned out to be this person is on it as this person.
        let carried = joined.iter().filter_map(|one| listed.get(&one.record)).flatten();
        lists.extend(carried.filter(|subscription| !before.ties.subjects.get(**subscription).listed));
        let ties = Ties { lists, ..before.ties };
        let one = scales.weigh(own.record, before.stored, person.clone(), ties, joined);
        let one = Weighed { doubtful: own.doubtful, adopted: own.adopted, ..one };
        if one.is_ours(was_stored) {
            let identified = identified(person, &own, &by_number, &vacant);
            weighing.weighed.push((one, identified));
        }
    }
    weighing.weighed.sort_by_key(|(one, _)| !is_void(&one.person));
    Ok(weighing)
}

/// The subscriptions that have entries on their lists which turn out to be somebody else.
fn listed(joins: &[Vec<Joined>], before: &HashMap<RecordId, Before>) -> HashMap<RecordId, Vec<SubscriptionId>> {
    let of = |one: &Joined| {
        let subjects = &before.get(&one.record)?.ties.subjects;
        Some((one.record, subjects.subscriptions().filter(|id| subjects.get(*id).listed).collect()))
    };
    joins.iter().flatten().filter_map(of).collect()
}

/// The numbers of a person that led to the entries that turn out to be them.
fn led_to(person: &Person, joined: &[Joined], by_number: &HashMap<CprNumber, RecordId>) -> Vec<CprNumber> {
    let leads = |number: &&CprNumber| {
        by_number.get(*number).is_some_and(|record| joined.iter().any(|one| one.record == *record))
    };
    numbers(person).filter(leads).cloned().collect()
}

/// The subscriptions that put fetched persons on their lists now.
fn lists(batch: &Batch) -> HashMap<PersonId, Vec<SubscriptionId>> {
    let mut lists: HashMap<PersonId, Vec<SubscriptionId>> = HashMap::new();
    for line in &batch.lines {
        if let Answer::Found(person) = &line.answer {
            lists.entry(person.clone()).or_default().push(line.listing.subscription);
        }
    }
    lists
}

/// Gives each person their record and key, durable in the key store.
pub async fn ensure(
    source: &Source,
    scales: &Scales<'_>,
    weighed: Vec<(Weighed, Identified)>,
) -> Result<Vec<(Weighed, Ensured)>, Error> {
    let keys = &source.store.keys;
    let released: Vec<PersonId> = weighed.iter().filter_map(|(_, by)| by.released.clone()).collect();
    let freed: Vec<CprNumber> = weighed.iter().flat_map(|(_, by)| by.freed.clone()).collect();
    keys.release_identifiers(&source.realm, &released, &freed).await?;
    let weighed = weighed.into_iter().map(|(one, mut by)| {
        let goes_elsewhere = |number: &CprNumber| freed.contains(number) && !by.freed.contains(number);
        if let Some(identity) = &mut by.identity {
            identity.numbers.retain(|number| !goes_elsewhere(number));
        }
        (one, by)
    });
    let (weighed, identities): (Vec<Weighed>, Vec<Identity>) =
        weighed.filter_map(|(one, by)| Some((one, by.identity?))).unzip();
    let ensured = keys.ensure_persons(&source.realm, &identities, scales.now).await?;
    let mut taken = HashSet::new();
    Ok(weighed.into_iter().zip(ensured).filter(|(_, ensured)| taken.insert(ensured.record)).collect())
}

/// Whether what was fetched under the same PersonID lacks what the register had learnt last when the person was stored.
fn is_older(fetched: &Person, stored: &Person) -> bool {
    let both = fetched.held.intersection(stored.held);
    let newest = (fetched.newest_registration(both), stored.newest_registration(both));
    fetched.id == stored.id && matches!(newest, (Some(fetched), Some(stored)) if fetched < stored)
}

fn is_void(person: &Person) -> bool {
    person.status.presence() == Presence::Void
}

/// Numbers that lead to another record, and those that nobody is to have, are not theirs. One that leads to a `vacant` record
/// is: a new person goes on with the first such record, and a known one takes the number along.
fn identified(
    person: &Person,
    own: &Own,
    by_number: &HashMap<CprNumber, RecordId>,
    vacant: &HashSet<RecordId>,
) -> Identified {
    let is_vacant = |number: &CprNumber| by_number.get(number).is_some_and(|record| vacant.contains(record));
    let leads_elsewhere = |number: &CprNumber| {
        let elsewhere = by_number.get(number).is_some_and(|record| Some(*record) != own.record);
        (elsewhere && !own.released.contains(number) && !is_vacant(number)) || own.contested.contains(number)
    };
    let taken_up = numbers(person).find(|number| own.record.is_none() && is_vacant(number));
    let moved = numbers(person).filter(|number| is_vacant(number) && Some(*number) != taken_up);
    let theirs = numbers(person).filter(|number| !leads_elsewhere(number)).cloned().collect();
    Identified {
        identity: person.id.clone().map(|id| Identity { id, numbers: theirs }),
        released: person.id.clone().filter(|_| own.parted),
        freed: own.released.iter().chain(moved).cloned().collect(),
    }
}

/// For each fetched person the entries with records of their own that turn out to be them: closed now, with a number that
/// they name, and not so before.
fn joins(known: &Knowledge<'_>, places: &[Place]) -> Vec<Vec<Joined>> {
    let record = |at: usize| match &places[at] {
        Place::Own(own) if !own.adopted => own.record,
        _ => None,
    };
    let mut closed: Vec<(RecordId, Option<&Person>, &Person)> = Vec::new();
    for (at, person) in known.fetched.iter().enumerate() {
        if let Some(record) = record(at).filter(|_| is_closed(&person.status)) {
            closed.push((record, known.stored.get(&record), person));
        }
    }
    for (record, stored) in known.stored.iter().filter(|(_, stored)| is_closed(&stored.status)) {
        if !closed.iter().any(|(known, ..)| known == record) && !known.by_id_fetched(stored) {
            closed.push((*record, Some(stored), stored));
        }
    }
    let of = |(at, person): (usize, &Person)| {
        let own = match &places[at] {
            Place::Own(own) if !is_void(person) => own.record,
            _ => None,
        };
        let Some((own, before)) = own.and_then(|own| Some((own, known.stored.get(&own)?))) else { return Vec::new() };
        let was_joined = |then: &Person| is_closed(&then.status) && share_a_number(then, before);
        let is_joined = |(record, then, now): &&(RecordId, Option<&Person>, &Person)| {
            *record != own && share_a_number(now, person) && !then.is_some_and(was_joined)
        };
        closed
            .iter()
            .filter(is_joined)
            .map(|(record, _, now)| Joined { record: *record, person: (*now).clone() })
            .collect()
    };
    known.fetched.iter().enumerate().map(of).collect()
}

/// What the fetched persons are known by, and what is stored of them and of those to whom their numbers lead.
struct Known {
    by_id: HashMap<PersonId, RecordId>,
    by_number: HashMap<CprNumber, RecordId>,
    /// Records of numbers that are known by nothing else: those of lines that wait.
    vacant: HashSet<RecordId>,
    before: HashMap<RecordId, Before>,
    stored: HashMap<RecordId, Person>,
    in_doubt: HashSet<RecordId>,
}

impl Known {
    async fn read(source: &Source, selections: &Selections, fetched: &[Person]) -> Result<Self, Error> {
        let keys = &source.store.keys;
        let ids: Vec<PersonId> = fetched.iter().filter_map(|person| person.id.clone()).collect();
        let records = keys.find(&source.realm, &ids).await?;
        let by_id: HashMap<PersonId, RecordId> =
            ids.into_iter().zip(records).filter_map(|(id, record)| Some((id, record?))).collect();
        let records: Vec<RecordId> = by_id.values().copied().collect();
        let mut conn = source.store.main.read().await?;
        let in_doubt = doubt::find(&mut conn, source.id, Kind::Apart, &records).await?;
        drop(conn);
        let mut before = before(source, selections, records).await?;
        let doubtful = |person: &&Person| {
            let record = person.id.as_ref().and_then(|id| by_id.get(id));
            record.is_some_and(|record| in_doubt.contains(record))
        };
        let again = fetched.iter().filter(doubtful).flat_map(numbers);
        let news = fetched.iter().flat_map(|person| new_numbers(person, &by_id, &before));
        let news: HashSet<CprNumber> = news.chain(again).cloned().collect();
        let news: Vec<CprNumber> = news.into_iter().collect();
        let by_number = keys.find_numbers(&source.realm, &news).await?;
        let others: HashSet<RecordId> = by_number.values().copied().filter(|r| !before.contains_key(r)).collect();
        before.extend(self::before(source, selections, others.into_iter().collect()).await?);
        let unstored: Vec<RecordId> =
            by_number.values().copied().filter(|r| before.get(r).is_none_or(|known| known.stored.is_none())).collect();
        let vacant = keys.known_by_number_only(&unstored).await?;
        let stored =
            before.iter().filter_map(|(r, before)| Some((*r, before.stored.as_ref()?.person.clone()))).collect();
        Ok(Self { by_id, by_number, vacant, before, stored, in_doubt })
    }
}

/// Whether an entry that was closed is in use again: its numbers may lead to somebody else meanwhile.
fn is_revived(person: &Person, stored: &Person) -> bool {
    is_closed(&stored.status) && !is_void(person)
}

/// The numbers of a person that what is stored under their PersonID does not have.
fn new_numbers<'a>(
    person: &'a Person,
    by_id: &HashMap<PersonId, RecordId>,
    before: &HashMap<RecordId, Before>,
) -> Vec<&'a CprNumber> {
    let record = person.id.as_ref().and_then(|id| by_id.get(id));
    let stored = record.and_then(|record| before.get(record)).and_then(|before| before.stored.as_ref());
    let same = |stored: &&Stored| stored.person.id == person.id && !is_revived(person, &stored.person);
    let stored = stored.filter(same);
    let known: HashSet<&CprNumber> = stored.iter().flat_map(|stored| numbers(&stored.person)).collect();
    numbers(person).filter(|number| !known.contains(number)).collect()
}

/// The stored persons, opened, each settled for the present selections.
async fn before(
    source: &Source,
    selections: &Selections,
    records: Vec<RecordId>,
) -> Result<HashMap<RecordId, Before>, Error> {
    if records.is_empty() {
        return Ok(HashMap::new());
    }
    let (mut rows, mut subjects) = rows_and_subjects(source, &records).await?;
    let nobody = Subjects::default();
    let is_late =
        |row: &&PersonRow| !settle::is_settled(source, selections, row, subjects.get(&row.record).unwrap_or(&nobody));
    let late: Vec<PersonRow> = rows.values().filter(is_late).cloned().collect();
    if !late.is_empty() {
        settle::settle_rows(source, selections, late).await?;
        (rows, subjects) = rows_and_subjects(source, &records).await?;
    }
    let told = async { told::find(&mut *source.store.main.read().await?, &records).await };
    let (keys, told) = tokio::try_join!(source.store.keys.person_keys(&records), told)?;
    let mut found: HashMap<RecordId, Before> = HashMap::new();
    for (record, by) in told {
        found.entry(record).or_default().ties.told = by.into_iter().collect();
    }
    for (record, subjects) in subjects {
        found.entry(record).or_default().ties.subjects = subjects;
    }
    let opened = cores::map(rows.into_iter().collect(), |(record, row)| match keys.get(&record) {
        Some(key) => row.open(key).map(|person| Some((record, person, row))),
        None => Ok(None),
    });
    for opened in opened {
        let Some((record, person, row)) = opened? else { continue };
        found.entry(record).or_default().stored = Some(Stored { person, as_of: row.as_of, standing: row.standing });
    }
    Ok(found)
}

async fn rows_and_subjects(
    source: &Source,
    records: &[RecordId],
) -> Result<(HashMap<RecordId, PersonRow>, HashMap<RecordId, Subjects>), store::Error> {
    let rows = async { person::find(&mut *source.store.main.read().await?, source.id, records).await };
    let subjects = async { subject::find(&mut *source.store.main.read().await?, Some(source.id), records).await };
    tokio::try_join!(rows, subjects)
}
