//! Fetching persons from the register: in batches, by PersonID or else by number, with those set apart who cannot be read.

use std::collections::HashSet;

use super::Error;
use super::source::Source;
use crate::audit::{self, Outcome};
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::person::Person;
use crate::store::keys::AuditReferences;
use crate::store::{self, person};
use crate::upstream::datafordeler::{Client, Error as RegisterError, Persons};

/// What was asked for, sorted.
#[derive(Default)]
pub struct Fetched {
    /// Persons as the register tells of them now.
    pub persons: Vec<Person>,
    /// Whom the register does not know.
    pub unknown: Vec<PersonId>,
    /// Who could not be read while others could.
    pub unreadable: Vec<PersonId>,
    /// What the record says of these requests.
    pub audit: Vec<audit::Entry>,
    /// What was not understood, for the metrics.
    pub oddities: u64,
}

/// Fetches at most a hundred persons. An error says that nobody could be read.
pub async fn fetch(source: &Source, client: &Client, ids: &[PersonId], groups: GroupSet) -> Result<Fetched, Error> {
    let mut fetched = Fetched::default();
    let mut waiting = vec![ids.to_vec()];
    let mut first_error = None;
    let mut answered = false;
    while let Some(batch) = waiting.pop() {
        match ask(source, client, &batch, groups).await {
            Ok(answer) => {
                answered = true;
                sort(source, &mut fetched, &batch, answer, groups).await?;
            }
            Err(Error::Register(error)) if concerns_persons(&error) && batch.len() > 1 => {
                first_error.get_or_insert(error);
                let (one, other) = batch.split_at(batch.len() / 2);
                waiting.extend([other.to_vec(), one.to_vec()]);
            }
            Err(Error::Register(error)) if concerns_persons(&error) => {
                first_error.get_or_insert(error);
                fetched.unreadable.extend(batch);
            }
            Err(error) => return Err(error),
        }
    }
    match first_error {
        Some(error) if !answered && ids.len() > FEW => Err(error.into()),
        _ => Ok(fetched),
    }
}

/// With more persons than this, a failure of all of them speaks for the register's fault rather than theirs.
const FEW: usize = 5;

/// Whether an error may lie in one of the persons asked for rather than in the register.
fn concerns_persons(error: &RegisterError) -> bool {
    matches!(error, RegisterError::QueryRefused { .. } | RegisterError::NotUnderstood { .. })
}

async fn ask(source: &Source, client: &Client, ids: &[PersonId], groups: GroupSet) -> Result<Persons, Error> {
    match client.persons_by_id(ids, groups).await {
        Err(RegisterError::NoLookupById) => {
            let numbers = stored_numbers(source, ids).await?;
            Ok(client.persons_by_number(&numbers, groups).await?)
        }
        answer => Ok(answer?),
    }
}

/// The numbers under which we know these persons.
async fn stored_numbers(source: &Source, ids: &[PersonId]) -> Result<Vec<CprNumber>, store::Error> {
    let records = source.store.keys.find(&source.realm, ids).await?.into_iter().flatten().collect::<Vec<_>>();
    let rows = person::find(&mut *source.store.main.read().await?, source.id, &records).await?;
    let keys = source.store.keys.person_keys(&records).await?;
    let today = source.clock.today();
    let mut numbers = Vec::new();
    for (record, row) in rows {
        if let Some(key) = keys.get(&record) {
            numbers.extend(row.open(key)?.number(today).cloned());
        }
    }
    Ok(numbers)
}

async fn sort(
    source: &Source,
    fetched: &mut Fetched,
    asked: &[PersonId],
    answer: Persons,
    groups: GroupSet,
) -> Result<(), store::Error> {
    let now = source.clock.now();
    source.store.keys.ensure_period(now).await?;
    let subjects = asked.iter().map(|id| source.store.keys.audit_references(id, None, now));
    let subjects = subjects.collect::<Result<Vec<AuditReferences>, _>>()?;
    fetched.audit.push(audit::Entry::fetch(now, Outcome::Succeeded, source.key.clone(), groups, subjects));
    fetched.oddities += u64::from(answer.dropped_rows + answer.unknown_fields + answer.unknown_values);
    let found: HashSet<&PersonId> = answer.found.iter().filter_map(|person| person.id.as_ref()).collect();
    let absent = asked.iter().filter(|id| !found.contains(id)).cloned();
    match answer.not_understood {
        0 => fetched.unknown.extend(absent),
        _ => fetched.unreadable.extend(absent),
    }
    fetched.persons.extend(answer.found);
    Ok(())
}
