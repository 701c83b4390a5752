//! What a commit writes of the lines that were met with it, and what goes after it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::ingest::batch::{Answer, Line};
use crate::ingest::identity::Question;
use crate::ingest::source::Source;
use crate::store::list_hour::{self, Hour};
use crate::store::listing::{self, Fate, State};
use crate::store::{self, SubscriptionId, Tx};

/// The lines that still wait as they were read; others were withdrawn meanwhile.
pub async fn those_present(tx: &mut Tx, lines: &[Line]) -> Result<HashSet<i64>, store::Error> {
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

/// Lines and what is known of the persons whom they turned out to mean.
pub struct Lines<'a> {
    /// The lines.
    pub lines: &'a [Line],
    /// As which record each person was written who was.
    pub placed: &'a HashMap<PersonId, RecordId>,
    /// What has to be asked before the persons whom it is about are written; their lines wait for that.
    pub open: &'a [Question],
}

/// Writes what became of the lines.
pub async fn record(tx: &mut Tx, source: &Source, lines: &Lines<'_>, now: Timestamp) -> Result<(), store::Error> {
    if lines.lines.is_empty() {
        return Ok(());
    }
    let outcome = lines.judge(source.settings.tries);
    listing::delete(tx, &outcome.met).await?;
    listing::settle(tx, &outcome.fates, now).await?;
    listing::tried(tx, &outcome.again).await?;
    for (subscription, hour) in outcome.hours {
        list_hour::add(tx, subscription, hour, now).await?;
    }
    Ok(())
}

impl Lines<'_> {
    fn judge(&self, tries: u32) -> Outcome {
        let mut outcome = Outcome::default();
        for line in self.lines {
            self.judge_one(line, line.listing.tries + 1 >= tries, &mut outcome);
        }
        outcome
    }

    fn judge_one(&self, Line { listing, answer }: &Line, is_last: bool, outcome: &mut Outcome) {
        let hour = outcome.hours.entry(listing.subscription).or_default();
        let failed = |class: &str| Fate { state: State::Failed, class: Some(class.to_owned()), subject: None };
        let fate = match answer {
            Answer::Found(person) => match self.placed.get(person) {
                Some(record) => {
                    hour.added += 1;
                    if *record == listing.record {
                        return outcome.met.push(listing.id);
                    }
                    Fate { state: State::Listed, class: None, subject: Some(*record) }
                }
                None if self.open.iter().any(|question| question.about() == person) => return,
                None if is_last => failed("NotKept"),
                None => return outcome.again.push(listing.id),
            },
            Answer::Unknown => {
                hour.unknown += 1;
                Fate { state: State::Unknown, class: None, subject: None }
            }
            Answer::Unreadable(class) if is_last => failed(class),
            Answer::Unreadable(_) => return outcome.again.push(listing.id),
        };
        outcome.fates.push((listing.id, fate));
    }
}
