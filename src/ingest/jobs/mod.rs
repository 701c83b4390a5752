//! Jobs: what people ask to be sent once more, or dropped.
//!
//! In comes a [`Job`], asked for by somebody who is known; out go new routes, which say that they were asked for, and an
//! entry of the audit record when it is asked for and when it ends. Guaranteed: a job goes on where it stopped, whatever
//! ended the process; each delivery is asked for once; a consumer that does not take what it was sent before is not sent more,
//! so that live events wait behind a bounded number. What the consumer may have is decided when it is sent, as ever.
//!
//! Walk: [`ask`] (or [`count`], which only tells how much it would be) → [`Office::run_once`] → the file of its kind.

mod count;
mod letters;
mod replay;
mod resync;
mod run;

use jiff::Timestamp;

use crate::audit::{self, Asker, Entry, Outcome};
use crate::domain::pairwise::RecordId;
use crate::domain::resource::ResourceKey;
use crate::runtime::bell::Bells;
use crate::store::consumer::ConsumerRow;
use crate::store::job::{self, JobId, JobRow, Kind, NewJob, Parameters};
use crate::store::{self, Store, dead_letter, route};

pub use count::{Counted, count};
pub use run::{Office, Progress};

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// What was sent in a time, once more, in the same order and with the same sequences.
    Replay {
        /// Committed at this time or later.
        from: Timestamp,
        /// Committed before this time; the present where there is none.
        to: Option<Timestamp>,
        /// Of this person only.
        person: Option<RecordId>,
    },
    /// A snapshot of each person whom the consumer's subscriptions cover now.
    Resync,
    /// Dead letters, sent once more.
    RetryDeadLetters(Letters),
    /// Dead letters, deleted.
    DropDeadLetters(Letters),
}

impl Job {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Job::Replay { .. } => Kind::Replay,
            Job::Resync => Kind::Resync,
            Job::RetryDeadLetters(_) => Kind::RetryDeadLetters,
            Job::DropDeadLetters(_) => Kind::DropDeadLetters,
        }
    }
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq)]
pub enum Letters {
    /// All that the consumer has now.
    All,
    /// Those with these ids.
    These(Vec<i64>),
}

/// Why a job was not taken on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The audit record.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// The consumer is gone.
    #[error("consumer {0} has ended: create it again first")]
    Ended(ResourceKey),
    /// Nothing may be told to the consumer.
    #[error("consumer {0} has no subscription that is live and not suspended: nothing may be told to it")]
    NoSubscription(ResourceKey),
    /// The time has no length.
    #[error("the time ends before it begins, or begins in the future: give an earlier beginning or a later end")]
    Span,
    /// Nothing of the time is kept any more.
    #[error("nothing that was told before {to} is kept any more; the oldest is of {}", or_none(*.earliest))]
    NotHeld {
        /// The end of the time.
        to: Timestamp,
        /// When the oldest was committed that is kept; none where there is nothing.
        earliest: Option<Timestamp>,
    },
    /// The consumer does not know the person.
    #[error("the consumer knows nobody by this reference: look it up in what it was sent")]
    NobodyKnown,
    /// Some of the dead letters are not there.
    #[error("the consumer has no dead letters with the ids {0:?}: list them again")]
    NoLetters(Vec<i64>),
    /// The same is being done.
    #[error("job {0} does the same and has not ended: wait for it")]
    AlreadyOpen(JobId),
}

fn or_none(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never: there is none".to_owned(), |at| at.to_string())
}

/// Takes a job on. It is carried out by ingest, beginning within a second.
pub async fn ask(
    store: &Store,
    bells: &Bells,
    consumer: &ConsumerRow,
    what: &Job,
    asker: &Asker,
    now: Timestamp,
) -> Result<JobId, Error> {
    validate(store, consumer, what, now).await?;
    let counted = count(store, consumer, what, now).await?;
    let (parameters, record) = parameters(store, consumer, what).await?;
    let parts = if *what == Job::Resync { count::sources(store, consumer, now).await? } else { Vec::new() };
    let job = NewJob {
        consumer: consumer.id,
        kind: what.kind(),
        parameters,
        record,
        asker: (asker.name.clone(), asker.basis.clone()),
        total: counted.deliveries,
        parts,
    };
    let criteria =
        format!("{}, {} deliveries", criteria(job.kind, &job.parameters, record.is_some()), counted.deliveries);
    let entry = entry(consumer, &format!("{}Asked", job.kind.name()), asker, criteria, now);
    let mut tx = store.main.begin().await?;
    let open = job::open(&mut tx).await?;
    if let Some(same) = open.iter().find(|open| open.consumer == consumer.id && open.kind == job.kind) {
        return Err(Error::AlreadyOpen(same.id));
    }
    let id = job::insert(&mut tx, &job, now).await?;
    audit::record(&mut tx, &store.keys, &[Entry { persons: Some(counted.persons), ..entry }]).await?;
    tx.commit().await?;
    bells.requests.ring();
    tracing::info!(consumer = %consumer.key, job = id, kind = job.kind.name(), total = job.total, "a job was asked for");
    Ok(id)
}

/// How a job stands; none where there is no such job, or it ended longer ago than jobs are kept.
pub async fn state(store: &Store, id: JobId) -> Result<Option<JobRow>, store::Error> {
    job::get(&mut *store.main.read().await?, id).await
}

async fn validate(store: &Store, consumer: &ConsumerRow, what: &Job, now: Timestamp) -> Result<(), Error> {
    if consumer.ended_at.is_some() {
        return Err(Error::Ended(consumer.key.clone()));
    }
    let tells = !matches!(what, Job::DropDeadLetters(_));
    if tells && count::sources(store, consumer, now).await?.is_empty() {
        return Err(Error::NoSubscription(consumer.key.clone()));
    }
    match what {
        Job::Replay { from, to, person } => {
            if *from >= to.unwrap_or(now).min(now) {
                return Err(Error::Span);
            }
            let earliest = store::replay::earliest(&mut *store.main.read().await?, consumer.id).await?;
            if earliest.is_none_or(|earliest| to.is_some_and(|to| to <= earliest)) {
                return Err(Error::NotHeld { to: to.unwrap_or(now), earliest });
            }
            match person {
                Some(record) if store.keys.claimed(consumer.id, &[*record]).await?.is_empty() => {
                    Err(Error::NobodyKnown)
                }
                _ => Ok(()),
            }
        }
        Job::RetryDeadLetters(Letters::These(ids)) | Job::DropDeadLetters(Letters::These(ids)) => {
            let found = dead_letter::get(&mut *store.main.read().await?, consumer.id, ids).await?;
            let missing = |id: &&i64| !found.iter().any(|letter| letter.id == **id);
            let missing: Vec<i64> = ids.iter().filter(missing).copied().collect();
            if missing.is_empty() { Ok(()) } else { Err(Error::NoLetters(missing)) }
        }
        Job::Resync | Job::RetryDeadLetters(Letters::All) | Job::DropDeadLetters(Letters::All) => Ok(()),
    }
}

/// As stored: what came later than now is not part of it.
async fn parameters(
    store: &Store,
    consumer: &ConsumerRow,
    what: &Job,
) -> Result<(Parameters, Option<RecordId>), store::Error> {
    let mut conn = store.main.read().await?;
    Ok(match what {
        Job::Replay { from, to, person } => {
            let upto = route::highest(&mut conn, consumer.id).await?.unwrap_or(0);
            (Parameters { from: Some(*from), to: *to, upto, letters: None }, *person)
        }
        Job::Resync => (Parameters::default(), None),
        Job::RetryDeadLetters(letters) | Job::DropDeadLetters(letters) => {
            let upto = dead_letter::highest(&mut conn, consumer.id).await?;
            let letters = match letters {
                Letters::All => None,
                Letters::These(ids) => Some(ids.clone()),
            };
            (Parameters { upto, letters, ..Parameters::default() }, None)
        }
    })
}

/// What is asked for, in words, for the record.
fn criteria(kind: Kind, parameters: &Parameters, of_one: bool) -> String {
    match kind {
        Kind::Replay => {
            let whom = if of_one { "one person" } else { "everyone" };
            let from = parameters.from.map_or_else(String::new, |from| format!("from {from} "));
            let to = parameters.to.map_or_else(|| "on".to_owned(), |to| format!("to {to}"));
            format!("{from}{to}, {whom}")
        }
        Kind::Resync => "everyone who is covered".to_owned(),
        Kind::RetryDeadLetters | Kind::DropDeadLetters => match &parameters.letters {
            Some(ids) => format!("dead letters {ids:?}"),
            None => "all dead letters".to_owned(),
        },
    }
}

/// An entry of the audit record about a job.
fn entry(consumer: &ConsumerRow, what: &str, asker: &Asker, criteria: String, now: Timestamp) -> Entry {
    Entry {
        consumer: Some(consumer.key.clone()),
        cvr: consumer.compiled.as_ref().map(|form| form.cvr.clone()),
        criteria: Some(criteria),
        ..Entry::command(now, Outcome::Succeeded, what, asker)
    }
}
