//! Fetching persons from the register: in batches, by PersonID or else by number, with those set apart who cannot be read.

use std::collections::HashSet;

use super::Error;
use super::source::Source;
use crate::audit::{self, Outcome};
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::store::keys::AuditReferences;
use crate::store::{self, person};
use crate::upstream::datafordeler::{Client, Error as RegisterError, Lookup, Persons};

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

impl Fetched {
    /// Adds what another request brought.
    pub fn join(&mut self, other: Fetched) {
        let known: HashSet<Option<PersonId>> = self.persons.iter().map(|person| person.id.clone()).collect();
        self.persons.extend(other.persons.into_iter().filter(|person| !known.contains(&person.id)));
        self.unknown.extend(other.unknown);
        self.unreadable.extend(other.unreadable);
        self.audit.extend(other.audit);
        self.oddities += other.oddities;
    }
}

/// Fetches everybody who has or had one of these numbers.
pub async fn by_numbers(
    source: &Source,
    client: &Client,
    numbers: &[CprNumber],
    groups: GroupSet,
) -> Result<Fetched, Error> {
    let answer = client.persons_by_number(numbers, groups).await?;
    let ids = answer.found.iter().filter_map(|person| person.id.clone()).collect();
    let mut fetched = Fetched::default();
    sort(source, &mut fetched, &[], Asked { ids, answer }, groups).await?;
    Ok(fetched)
}

/// Fetches at most a hundred persons. An error says that nobody could be read.
pub async fn fetch(source: &Source, client: &Client, ids: &[PersonId], groups: GroupSet) -> Result<Fetched, Error> {
    let mut fetched = Fetched::default();
    let mut waiting = requests(client, ids);
    let mut answered = false;
    while let Some(batch) = waiting.pop() {
        match ask(source, client, &batch, groups).await {
            Ok(asked) => {
                answered = true;
                sort(source, &mut fetched, &batch, asked, groups).await?;
            }
            Err(Error::Register(error)) if concerns_persons(&error) && batch.len() > 1 => {
                let (one, other) = batch.split_at(batch.len() / 2);
                waiting.extend([other.to_vec(), one.to_vec()]);
            }
            Err(Error::Register(error)) if concerns_persons(&error) => {
                fetched.unreadable.extend(batch);
                if !answered && fetched.unreadable.len() > FEW {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(fetched)
}

/// The persons by request, the first last: all together, or each alone where the service takes no list.
fn requests(client: &Client, ids: &[PersonId]) -> Vec<Vec<PersonId>> {
    let understanding = client.understanding();
    let lookup = understanding.and_then(|known| known.lookup_by_id.or(known.lookup_by_number));
    let size = if lookup == Some(Lookup::Single) { 1 } else { ids.len().max(1) };
    ids.chunks(size).rev().map(<[PersonId]>::to_vec).collect()
}

/// When more persons than this cannot be read and nobody could, it is the register's fault rather than theirs.
const FEW: usize = 5;

/// Whether an error may lie in one of the persons asked for rather than in the register.
fn concerns_persons(error: &RegisterError) -> bool {
    matches!(error, RegisterError::QueryRefused { .. } | RegisterError::NotUnderstood { .. })
}

/// An answer, and who was asked for.
struct Asked {
    ids: Vec<PersonId>,
    answer: Persons,
}

async fn ask(source: &Source, client: &Client, ids: &[PersonId], groups: GroupSet) -> Result<Asked, Error> {
    match client.persons_by_id(ids, groups).await {
        Err(RegisterError::NoLookupById) => {
            let (ids, numbers): (Vec<_>, Vec<_>) = stored_numbers(source, ids).await?.into_iter().unzip();
            let answer = match numbers.is_empty() {
                true => Persons::default(),
                false => client.persons_by_number(&numbers, groups).await?,
            };
            Ok(Asked { ids, answer })
        }
        answer => Ok(Asked { ids: ids.to_vec(), answer: answer? }),
    }
}

/// The numbers under which we know these persons; nothing of those who are not stored.
async fn stored_numbers(source: &Source, ids: &[PersonId]) -> Result<Vec<(PersonId, CprNumber)>, store::Error> {
    let found = source.store.keys.find(&source.realm, ids).await?;
    let records: Vec<RecordId> = found.iter().copied().flatten().collect();
    let rows = person::find(&mut *source.store.main.read().await?, source.id, &records).await?;
    let keys = source.store.keys.person_keys(&records).await?;
    let today = source.clock.today();
    let mut numbers = Vec::new();
    for (id, record) in ids.iter().zip(found) {
        let known = record.and_then(|record| rows.get(&record).zip(keys.get(&record)));
        if let Some((row, key)) = known {
            numbers.extend(row.open(key)?.number(today).map(|number| (id.clone(), number.clone())));
        }
    }
    Ok(numbers)
}

async fn sort(
    source: &Source,
    fetched: &mut Fetched,
    wanted: &[PersonId],
    asked: Asked,
    groups: GroupSet,
) -> Result<(), store::Error> {
    let now = source.clock.now();
    let Asked { ids, answer } = asked;
    source.store.keys.ensure_period(now).await?;
    let subjects = ids.iter().map(|id| source.store.keys.audit_references(id, None, now));
    let subjects = subjects.collect::<Result<Vec<AuditReferences>, _>>()?;
    if !subjects.is_empty() {
        fetched.audit.push(audit::Entry::fetch(now, Outcome::Succeeded, source.key.clone(), groups, subjects));
    }
    fetched.oddities += u64::from(answer.dropped_rows + answer.unknown_fields + answer.unknown_values);
    let found: HashSet<&PersonId> = answer.found.iter().filter_map(|person| person.id.as_ref()).collect();
    let absent = wanted.iter().filter(|id| !found.contains(id)).cloned();
    match answer.not_understood {
        0 => fetched.unknown.extend(absent),
        _ => fetched.unreadable.extend(absent),
    }
    fetched.persons.extend(answer.found);
    Ok(())
}
