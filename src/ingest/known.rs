//! Whom we know: fetched persons beside the stored ones, and a record for each, also where two PersonIDs turn out to be one
//! person.

use std::collections::HashMap;

use super::Error;
use super::selections::Selections;
use super::settle;
use super::source::Source;
use super::weigh::{Scales, Stored, Ties, Weighed};
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::domain::status::Presence;
use crate::domain::subject::Subjects;
use crate::store::keys::{Ensured, Identity};
use crate::store::person::PersonRow;
use crate::store::{SubscriptionId, person, subject, told};

/// What is stored of a person, and who hears of them.
#[derive(Default)]
struct Before {
    stored: Option<Stored>,
    ties: Ties,
}

/// The subscriptions that put fetched persons on their lists now.
pub type Lists = HashMap<PersonId, Vec<SubscriptionId>>;

/// Weighs fetched persons against what is stored; those of whom nothing is to be stored are left out.
pub async fn weigh(
    source: &Source,
    selections: &Selections,
    scales: &Scales<'_>,
    fetched: &[Person],
    lists: &Lists,
) -> Result<Vec<Weighed>, Error> {
    let (persons, ids): (Vec<&Person>, Vec<PersonId>) =
        fetched.iter().filter_map(|person| Some((person, person.id.clone()?))).unzip();
    let records = source.store.keys.find(&source.realm, &ids).await?;
    let known: Vec<RecordId> = records.iter().copied().flatten().collect();
    let mut before = before(source, selections, &known).await?;
    let mut weighed = Vec::new();
    for (fetched, record) in persons.into_iter().zip(records) {
        let before = record.and_then(|record| before.remove(&record)).unwrap_or_default();
        let was_stored = before.stored.is_some();
        if before.stored.as_ref().is_some_and(|stored| has_given_way(fetched, stored)) {
            continue;
        }
        let lists = fetched.id.as_ref().and_then(|id| lists.get(id)).cloned().unwrap_or_default();
        let one = scales.weigh(record, before.stored, fetched.clone(), Ties { lists, ..before.ties });
        if one.is_ours(was_stored) {
            weighed.push(one);
        }
    }
    Ok(weighed)
}

/// Whether a fetched person is a closed double whose record has become that of the survivor.
fn has_given_way(fetched: &Person, stored: &Stored) -> bool {
    fetched.id != stored.person.id && fetched.status.presence() == Presence::Void
}

/// Gives each person their record and key, durable in the key store. Who is new by PersonID and known by a number goes on
/// as the person whom we know by it, and is weighed again so; of several with one record the valid one stays.
pub async fn ensure(
    source: &Source,
    selections: &Selections,
    scales: &Scales<'_>,
    weighed: Vec<Weighed>,
) -> Result<Vec<(Weighed, Ensured)>, Error> {
    let identities: Vec<Identity> = weighed.iter().filter_map(|one| identity(&one.person)).collect();
    let ensured = source.store.keys.ensure_persons(&source.realm, &identities, scales.now).await?;
    let adopted: Vec<RecordId> = weighed
        .iter()
        .zip(&ensured)
        .filter(|(one, _)| one.record.is_none())
        .map(|(_, ensured)| ensured.record)
        .collect();
    let mut before = before(source, selections, &adopted).await?;
    let mut kept: Vec<(Weighed, Ensured)> = Vec::new();
    for (one, ensured) in weighed.into_iter().zip(ensured) {
        let adopts = if one.record.is_none() { before.remove(&ensured.record) } else { None };
        let one = match adopts {
            Some(Before { stored: Some(stored), ties }) => {
                let ties = Ties { lists: one.ties.lists, ..ties };
                scales.weigh(Some(ensured.record), Some(stored), one.person, ties)
            }
            _ => one,
        };
        match kept.iter_mut().find(|(_, other)| other.record == ensured.record) {
            Some((other, _)) if is_void(other) => *other = one,
            Some(_) => {}
            None => kept.push((one, ensured)),
        }
    }
    Ok(kept)
}

fn is_void(one: &Weighed) -> bool {
    one.person.status.presence() == Presence::Void
}

fn identity(person: &Person) -> Option<Identity> {
    let id = person.id.clone()?;
    Some(Identity { id, numbers: person.numbers.iter().map(|row| row.value.0.clone()).collect() })
}

/// The stored persons, opened, each settled for the present selections.
async fn before(
    source: &Source,
    selections: &Selections,
    records: &[RecordId],
) -> Result<HashMap<RecordId, Before>, Error> {
    let mut rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
    let mut subjects = subject::find(&mut *source.store.main.read().await?, Some(source.id), records).await?;
    let nobody = Subjects::default();
    let is_late =
        |row: &&PersonRow| !settle::is_settled(source, selections, row, subjects.get(&row.record).unwrap_or(&nobody));
    let late: Vec<PersonRow> = rows.values().filter(is_late).cloned().collect();
    if !late.is_empty() {
        settle::settle_rows(source, selections, late).await?;
        rows = person::find(&mut *source.store.main.read().await?, source.id, records).await?;
        subjects = subject::find(&mut *source.store.main.read().await?, Some(source.id), records).await?;
    }
    let keys = source.store.keys.person_keys(records).await?;
    let told = told::find(&mut *source.store.main.read().await?, records).await?;
    let mut found: HashMap<RecordId, Before> = HashMap::new();
    for (record, by) in told {
        found.entry(record).or_default().ties.told = by.into_iter().collect();
    }
    for (record, subjects) in subjects {
        found.entry(record).or_default().ties.subjects = subjects;
    }
    for (record, row) in rows {
        let Some(key) = keys.get(&record) else { continue };
        let person = row.open(key)?;
        found.entry(record).or_default().stored = Some(Stored { person, as_of: row.as_of, standing: row.standing });
    }
    Ok(found)
}
