//! What a commit writes of the lines that were met with it, and what goes after it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::ingest::commit::{Answer, Line};
use crate::ingest::source::Source;
use crate::store::list_hour::{self, Hour};
use crate::store::listing::{self, Fate, State};
use crate::store::{self, SubscriptionId, Tx};

/// Whether every line still waits as it was read: none was withdrawn or asked for anew.
pub async fn are_present(tx: &mut Tx, lines: &[Line]) -> Result<HashSet<i64>, store::Error> {
    if lines.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<i64> = lines.iter().map(|line| line.listing.id).collect();
    Ok(listing::present(tx, &ids, State::Waiting).await?.into_iter().collect())
}

/// What became of the lines of a batch.
#[derive(Default)]
struct Outcome {
    met: Vec<i64>,
    again: Vec<i64>,
    fates: Vec<(i64, Fate)>,
    hours: HashMap<SubscriptionId, Hour>,
}

/// Writes what became of the lines: `placed` says as which record each person was written who was.
pub async fn record(
    tx: &mut Tx,
    source: &Source,
    lines: &[Line],
    placed: &HashMap<PersonId, RecordId>,
    now: Timestamp,
) -> Result<(), store::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let outcome = judge(lines, placed, source.settings.tries);
    listing::delete(tx, &outcome.met).await?;
    listing::settle(tx, &outcome.fates, now).await?;
    listing::tried(tx, &outcome.again).await?;
    for (subscription, hour) in outcome.hours {
        list_hour::add(tx, subscription, hour, now).await?;
    }
    Ok(())
}

fn judge(lines: &[Line], placed: &HashMap<PersonId, RecordId>, tries: u32) -> Outcome {
    let mut outcome = Outcome::default();
    for Line { listing, answer } in lines {
        let hour = outcome.hours.entry(listing.subscription).or_default();
        let fate = |state, class: Option<&str>, subject| Fate { state, class: class.map(str::to_owned), subject };
        let is_last = listing.tries + 1 >= tries;
        match answer {
            Answer::Found(person) => match placed.get(person) {
                Some(record) => {
                    hour.added += 1;
                    match *record == listing.record {
                        true => outcome.met.push(listing.id),
                        false => outcome.fates.push((listing.id, fate(State::Listed, None, Some(*record)))),
                    }
                }
                None if is_last => outcome.fates.push((listing.id, fate(State::Failed, Some("NotKept"), None))),
                None => outcome.again.push(listing.id),
            },
            Answer::Unknown => {
                hour.unknown += 1;
                outcome.fates.push((listing.id, fate(State::Unknown, None, None)));
            }
            Answer::Unreadable(class) if is_last => {
                outcome.fates.push((listing.id, fate(State::Failed, Some(class), None)));
            }
            Answer::Unreadable(_) => outcome.again.push(listing.id),
        }
    }
    outcome
}
