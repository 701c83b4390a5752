//! Inquiry: fetched persons committed, after the register was asked for those without whom it cannot be told who is who.

use super::Error;
use super::batch::{Answer, Batch, Committed};
use super::commit;
use super::fetch::{self, Fetched};
use super::identity::Question;
use super::source::Source;
use crate::domain::change::DerivedFrom;
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::PersonId;
use crate::upstream::datafordeler::{Client, Error as RegisterError};

/// Commits a batch. Who could not be placed, because somebody else could not be read, is among the unreadable. An error of
/// the register leaves out only the persons who were to be asked about.
pub async fn commit(
    source: &Source,
    client: &Client,
    batch: Batch,
    groups: GroupSet,
    derived_from: DerivedFrom,
) -> Result<Committed, Error> {
    let (accepted, lines) = (batch.accepted.clone(), batch.lines.clone());
    let mut done = commit::commit(source, Batch { may_ask: true, ..batch }, derived_from).await?;
    let open = std::mem::take(&mut done.open);
    for questions in open.chunks(QUESTIONS) {
        let answered = ask(source, client, questions, groups).await?;
        let is_asked = |id: &PersonId| questions.iter().any(|question| question.about() == id);
        let lines = lines.iter().filter(|line| matches!(&line.answer, Answer::Found(id) if is_asked(id)));
        let batch = Batch {
            lines: lines.cloned().collect(),
            persons: answered.persons,
            gone: answered.unknown,
            audit: answered.audit,
            accepted: accepted.clone(),
            ..Batch::default()
        };
        done.add(commit::commit(source, batch, derived_from).await?);
        done.unreadable.extend(answered.unreadable);
    }
    Ok(done)
}

/// Questions that are asked together: each is about two persons, of whom at most a hundred are asked for at once.
const QUESTIONS: usize = 50;

/// Fetches those whom the questions are about, and with them those who have the answer.
async fn ask(source: &Source, client: &Client, questions: &[Question], groups: GroupSet) -> Result<Fetched, Error> {
    let (mut ids, mut numbers) = (Vec::new(), Vec::new());
    for question in questions {
        match question {
            Question::Other(about, other) => ids.extend([about.clone(), other.clone()]),
            Question::Survivor(about, number) => {
                ids.push(about.clone());
                numbers.push(number.clone());
            }
        }
    }
    let mut fetched = fetch::fetch(source, client, &ids, groups).await?;
    if !numbers.is_empty() {
        match fetch::by_numbers(source, client, &numbers, groups).await {
            Ok(found) => fetched.join(found),
            // The survivor's own notice tells it then.
            Err(Error::Register(RegisterError::NoLookupByNumber | RegisterError::NotUnderstood { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    leave_open(&mut fetched, questions);
    Ok(fetched)
}

/// Who depends on somebody unreadable counts as unreadable.
fn leave_open(fetched: &mut Fetched, questions: &[Question]) {
    let unreadable: Vec<PersonId> = fetched.unreadable.clone();
    for question in questions {
        if let Question::Other(about, other) = question
            && unreadable.contains(other)
        {
            fetched.persons.retain(|person| person.id.as_ref() != Some(about));
            fetched.unreadable.push(about.clone());
        }
    }
    fetched.unreadable.retain(|id| questions.iter().any(|question| question.about() == id));
}
