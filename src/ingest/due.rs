//! The clock's work: persons of whom a date has come, or of whom more may be kept now, fetched and weighed again.

use std::collections::HashMap;

use super::Error;
use super::commit::{self, Batch};
use super::fetch::{self, Fetched};
use super::matching;
use super::settle;
use super::source::Source;
use crate::domain::change::DerivedFrom;
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::store::person::PersonRow;
use crate::store::{self, person};
use crate::upstream::datafordeler::Client;

/// Weighs the next persons that are due. Where the register cannot be asked, what is stored is weighed for today and the
/// fetch stays asked for. How many were.
pub async fn run_once(source: &Source, client: Option<&Client>) -> Result<usize, Error> {
    let today = source.clock.today();
    let limit = source.settings.batch;
    let mut rows = person::due(&mut *source.store.main.read().await?, source.id, today, limit).await?;
    if client.is_none() {
        rows.retain(|row| row.next_due.is_some_and(|due| due <= today));
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let selections = source.selections().await?;
    settle::settle_rows(source, &selections, rows.clone()).await?;
    let held = open(source, &rows).await?;
    let fetched = match client {
        Some(client) => {
            let wanted = matching::groups_wanted(&selections.now, &source.key, source.clock.now());
            let ids: Vec<PersonId> = held.keys().cloned().collect();
            match fetch::fetch(source, client, &ids, wanted).await {
                Ok(fetched) => Some(fetched),
                Err(Error::Register(error)) if error.is_outage() => None,
                Err(error) => return Err(error),
            }
        }
        None => None,
    };
    let count = rows.len();
    match fetched {
        Some(fetched) => commit_fetched(source, fetched, held).await?,
        None => commit_stored(source, held).await?,
    }
    Ok(count)
}

type Held = HashMap<PersonId, (RecordId, Person)>;

async fn open(source: &Source, rows: &[PersonRow]) -> Result<Held, store::Error> {
    let records: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
    let keys = source.store.keys.person_keys(&records).await?;
    let mut held = HashMap::new();
    for row in rows {
        if let Some(key) = keys.get(&row.record) {
            let person = row.open(key)?;
            if let Some(id) = person.id.clone() {
                held.insert(id, (row.record, person));
            }
        }
    }
    Ok(held)
}

/// Who could not be read, or is unknown by now, is weighed from what is stored; the fetch of the unreadable stays asked for.
async fn commit_fetched(source: &Source, fetched: Fetched, mut held: Held) -> Result<(), Error> {
    for person in &fetched.persons {
        if let Some(id) = &person.id {
            held.remove(id);
        }
    }
    held.retain(|id, _| !fetched.unknown.contains(id) || fetched.unreadable.contains(id));
    let gone: Vec<RecordId> = records_of(source, &fetched.unknown).await?;
    let batch = Batch { persons: fetched.persons, audit: fetched.audit, ..Batch::default() };
    commit::commit(source, batch, DerivedFrom::Clock).await?;
    let mut tx = source.store.main.begin().await?;
    person::postpone(&mut tx, source.id, &gone, source.clock.today()).await?;
    tx.commit().await?;
    commit_stored(source, held).await
}

async fn commit_stored(source: &Source, held: Held) -> Result<(), Error> {
    let records: Vec<RecordId> = held.values().map(|(record, _)| *record).collect();
    let persons = held.into_values().map(|(_, person)| person).collect();
    commit::commit(source, Batch { persons, ..Batch::default() }, DerivedFrom::Clock).await?;
    let mut tx = source.store.main.begin().await?;
    person::ask_refetch(&mut tx, source.id, &records).await?;
    Ok(tx.commit().await?)
}

async fn records_of(source: &Source, ids: &[PersonId]) -> Result<Vec<RecordId>, store::Error> {
    Ok(source.store.keys.find(&source.realm, ids).await?.into_iter().flatten().collect())
}
