//! Asking the register for numbers: each is found, unknown, or cannot be read while others can.

use std::collections::HashMap;

use crate::audit::{Entry, Outcome};
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::CprNumber;
use crate::domain::person::Person;
use crate::domain::status::Presence;
use crate::ingest::Error;
use crate::ingest::batch::Answer;
use crate::ingest::source::Source;
use crate::upstream::datafordeler::{Client, Error as RegisterError, Persons};

/// What the register said of numbers.
#[derive(Default)]
pub struct Fetched {
    /// The persons.
    pub persons: Vec<Person>,
    /// The answer for each number, by its position among those asked for.
    pub answers: HashMap<usize, Answer>,
    /// What the record says of these requests.
    pub audit: Vec<Entry>,
    /// What was not understood, for the metrics.
    pub oddities: u64,
}

/// Asks for at most a batch of numbers. An error says that the register could not be asked.
pub async fn fetch(
    source: &Source,
    client: &Client,
    numbers: &[CprNumber],
    groups: GroupSet,
) -> Result<Fetched, Error> {
    let mut fetched = Fetched::default();
    let mut waiting = vec![(0..numbers.len()).collect::<Vec<usize>>()];
    while let Some(batch) = waiting.pop().filter(|batch| !batch.is_empty()) {
        let asked: Vec<CprNumber> = batch.iter().map(|at| numbers[*at].clone()).collect();
        match client.persons_by_number(&asked, groups).await {
            Ok(answer) => sort(source, &mut fetched, batch.iter().copied().zip(asked).collect(), answer, groups)?,
            Err(error) if is_of_numbers(&error) && batch.len() > 1 => {
                let (one, other) = batch.split_at(batch.len() / 2);
                waiting.extend([other.to_vec(), one.to_vec()]);
            }
            Err(error) if is_of_numbers(&error) => {
                fetched.answers.extend(batch.iter().map(|at| (*at, Answer::Unreadable(class(&error)))));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(fetched)
}

/// Whether an error may lie in one of the numbers asked for rather than in the register.
fn is_of_numbers(error: &RegisterError) -> bool {
    matches!(error, RegisterError::QueryRefused { .. } | RegisterError::NotUnderstood { .. })
}

fn class(error: &RegisterError) -> &'static str {
    match error {
        RegisterError::QueryRefused { .. } => "QueryRefused",
        _ => "NotUnderstood",
    }
}

fn sort(
    source: &Source,
    fetched: &mut Fetched,
    asked: Vec<(usize, CprNumber)>,
    answer: Persons,
    groups: GroupSet,
) -> Result<(), Error> {
    let now = source.clock.now();
    let (mut subjects, count) = (Vec::new(), asked.len() as u64);
    for (at, number) in asked {
        let said = match best(&answer.found, &number) {
            Some(Person { id: Some(id), .. }) => {
                subjects.push(source.store.keys.audit_references(id, Some(&number), now)?);
                Answer::Found(id.clone())
            }
            Some(_) => Answer::Unreadable("NoPersonId"),
            None if answer.not_understood > 0 => Answer::Unreadable("NotUnderstood"),
            None => Answer::Unknown,
        };
        fetched.answers.insert(at, said);
    }
    let entry = Entry::fetch(now, Outcome::Succeeded, source.key.clone(), groups, subjects);
    fetched.audit.push(Entry { persons: Some(count), ..entry });
    fetched.oddities += u64::from(answer.dropped_rows + answer.unknown_fields + answer.unknown_values);
    let wanted: Vec<_> = fetched.answers.values().cloned().collect();
    let is_wanted = |person: &Person| person.id.clone().is_some_and(|id| wanted.contains(&Answer::Found(id)));
    let new = answer.found.into_iter().filter(is_wanted);
    fetched.persons.extend(new);
    let mut seen = std::collections::HashSet::new();
    fetched.persons.retain(|person| seen.insert(person.id.clone()));
    Ok(())
}

/// The person of a number: of several the one who is not a closed double.
fn best<'a>(found: &'a [Person], number: &CprNumber) -> Option<&'a Person> {
    let of_number = || found.iter().filter(|person| person.numbers.iter().any(|row| row.value.0 == *number));
    of_number().find(|person| person.status.presence() != Presence::Void).or_else(|| of_number().next())
}
