//! The clock's work: persons of whom a date has come, or of whom more may be kept now, fetched and weighed again.

use std::collections::{HashMap, HashSet};

use super::Error;
use super::batch::Batch;
use super::commit;
use super::fetch::{self, Fetched};
use super::inquiry;
use super::matching;
use super::settle;
use super::source::Source;
use crate::domain::change::DerivedFrom;
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::store::doubt::{self, Kind};
use crate::store::person::PersonRow;
use crate::store::{self, person};
use crate::upstream::datafordeler::Client;

/// Weighs the next persons that are due, at most a batch. How many need not be looked at again for now.
///
/// Without a client, what is stored is weighed for today where a date has come, and a fetch is asked for. An error of the
/// register leaves all as it was.
pub async fn run_once(source: &Source, client: Option<&Client>) -> Result<usize, Error> {
    let today = source.clock.today();
    let mut rows = person::due(&mut *source.store.main.read().await?, source.id, today, source.settings.batch).await?;
    if client.is_none() {
        rows.retain(|row| is_dated(row, source));
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let selections = source.selections().await?;
    settle::settle_rows(source, &selections, rows.clone()).await?;
    let held = open(source, &rows).await?;
    let Some(client) = client else {
        commit_stored(source, &held).await?;
        ask_again(source, &held).await?;
        return Ok(held.len());
    };
    let wanted = matching::groups_wanted(&selections.now, &source.key, source.clock.now());
    let ids: Vec<PersonId> = held.keys().cloned().collect();
    let fetched = fetch::fetch(source, client, &ids, wanted).await?;
    commit_fetched(source, client, fetched, wanted, held).await
}

/// Whether a date of theirs has come.
fn is_dated(row: &PersonRow, source: &Source) -> bool {
    row.next_due.is_some_and(|due| due <= source.clock.today())
}

/// A stored person who is due.
struct Due {
    record: RecordId,
    person: Person,
    dated: bool,
}

type Held = HashMap<PersonId, Due>;

async fn open(source: &Source, rows: &[PersonRow]) -> Result<Held, store::Error> {
    let records: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
    let keys = source.store.keys.person_keys(&records).await?;
    let mut held = HashMap::new();
    for row in rows {
        let Some(key) = keys.get(&row.record) else { continue };
        let person = row.open(key)?;
        if let Some(id) = person.id.clone() {
            held.insert(id, Due { record: row.record, person, dated: is_dated(row, source) });
        }
    }
    Ok(held)
}

/// Who could not be read, or is unknown by now, is weighed from what is stored. The unreadable are asked for again soon, the
/// unknown tomorrow.
async fn commit_fetched(
    source: &Source,
    client: &Client,
    mut fetched: Fetched,
    wanted: GroupSet,
    held: Held,
) -> Result<usize, Error> {
    let mut found: HashSet<PersonId> = fetched.persons.iter().filter_map(|person| person.id.clone()).collect();
    let is_dated = |person: &Person| person.id.as_ref().and_then(|id| held.get(id)).is_some_and(|due| due.dated);
    let (dated, asked): (Vec<_>, Vec<_>) = fetched.persons.into_iter().partition(is_dated);
    let batch = Batch { persons: asked, audit: fetched.audit, ..Batch::default() };
    let done = inquiry::commit(source, client, batch, wanted, DerivedFrom::Comparison).await?;
    fetched.unreadable.extend(done.unreadable);
    let batch = Batch { persons: dated, ..Batch::default() };
    let done = inquiry::commit(source, client, batch, wanted, DerivedFrom::Clock).await?;
    fetched.unreadable.extend(done.unreadable);
    found.retain(|id| !fetched.unreadable.contains(id));

    let done = held.len() - fetched.unreadable.iter().filter(|id| held.contains_key(id)).count();
    let (unread, unknown): (Held, Held) =
        held.into_iter().filter(|(id, _)| !found.contains(id)).partition(|(id, _)| fetched.unreadable.contains(id));
    commit_stored(source, &unknown).await?;
    postpone(source, &unknown).await?;
    commit_stored(source, &unread).await?;
    ask_again(source, &unread).await?;
    Ok(done)
}

async fn commit_stored(source: &Source, held: &Held) -> Result<(), Error> {
    let persons: Vec<Person> = held.values().filter(|due| due.dated).map(|due| due.person.clone()).collect();
    if !persons.is_empty() {
        commit::commit(source, Batch { persons, ..Batch::default() }, DerivedFrom::Clock).await?;
    }
    Ok(())
}

async fn ask_again(source: &Source, held: &Held) -> Result<(), store::Error> {
    let mut tx = source.begin().await?;
    person::ask_refetch(&mut tx, source.id, &records(held)).await?;
    tx.commit().await
}

async fn postpone(source: &Source, held: &Held) -> Result<(), store::Error> {
    let mut tx = source.begin().await?;
    person::postpone(&mut tx, source.id, &records(held), source.clock.today()).await?;
    doubt::write(&mut tx, source.id, Kind::Vanished, &records(held), source.clock.now()).await?;
    tx.commit().await
}

fn records(held: &Held) -> Vec<RecordId> {
    held.values().map(|due| due.record).collect()
}
