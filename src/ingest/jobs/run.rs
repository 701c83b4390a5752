//! Carrying jobs out: one step of one job at a time, a consumer's jobs one after another.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{criteria, entry, letters, replay, resync};
use crate::audit::{self, Asker, Entry, Outcome};
use crate::ingest::Error;
use crate::ingest::metrics::Metrics;
use crate::ingest::source::Source;
use crate::runtime::bell::Bells;
use crate::store::consumer::ConsumerRow;
use crate::store::job::{self, JobRow, Kind, State};
use crate::store::{self, Store, consumer};

/// Deliveries that a consumer may have before it, above which its jobs pause: live events wait behind no more than these and
/// one step's.
const AHEAD: u32 = 2_000;

/// Who carries jobs out, and with what.
pub struct Office<'a> {
    /// Both databases.
    pub store: &'a Store,
    /// Whom we wake.
    pub bells: &'a Bells,
    /// The time.
    pub now: Timestamp,
    /// The source on whose task this runs; without one only what needs none is done.
    pub source: Option<&'a Source>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There was nothing to do.
    Nothing,
    /// A step was taken.
    Worked,
    /// A job waits for its consumer to take what it has.
    Paused,
}

/// What a step of a job came to.
pub(super) enum Step {
    /// Something was done.
    Taken,
    /// Nothing is left.
    Over,
    /// Nothing is left that could be done here.
    Elsewhere,
}

impl Office<'_> {
    /// Takes a step of the first job that can go on.
    pub async fn run_once(&self, metrics: &Metrics) -> Result<Progress, Error> {
        let open = job::open(&mut *self.store.main.read().await?).await?;
        for kind in Kind::ALL {
            metrics.jobs(kind.name(), open.iter().filter(|job| job.kind == kind).count());
        }
        let (mut seen, mut progress) = (HashSet::new(), Progress::Nothing);
        for job in open.iter().filter(|job| seen.insert(job.consumer)) {
            match self.go_on(job).await? {
                Progress::Worked => return Ok(Progress::Worked),
                Progress::Paused => progress = Progress::Paused,
                Progress::Nothing => {}
            }
        }
        Ok(progress)
    }

    async fn go_on(&self, job: &JobRow) -> Result<Progress, Error> {
        let found = consumer::get(&mut *self.store.main.read().await?, job.consumer).await?;
        let Some(consumer) = found else { return Ok(Progress::Nothing) };
        if consumer.ended_at.is_some() {
            return self.end(job, &consumer, Some("the consumer has ended")).await;
        }
        if job.kind != Kind::DropDeadLetters && self.has_enough(job).await? {
            return Ok(Progress::Paused);
        }
        let step = match job.kind {
            Kind::Replay => replay::step(self, job).await,
            Kind::Resync => resync::step(self, job).await,
            Kind::RetryDeadLetters | Kind::DropDeadLetters => letters::step(self, job).await,
        };
        match step {
            Ok(Step::Taken) => Ok(Progress::Worked),
            Ok(Step::Over) => self.end(job, &consumer, None).await,
            Ok(Step::Elsewhere) => Ok(Progress::Nothing),
            Err(error) if error.is_passing() => Err(error.into()),
            Err(error) => self.end(job, &consumer, Some(&error.to_string())).await,
        }
    }

    async fn has_enough(&self, job: &JobRow) -> Result<bool, store::Error> {
        let mut conn = self.store.main.read().await?;
        Ok(store::replay::undelivered(&mut conn, job.consumer, AHEAD + 1).await? > u64::from(AHEAD))
    }

    /// Ends a job, with its line and its entry; `problem` says why it failed, if it did.
    async fn end(&self, job: &JobRow, consumer: &ConsumerRow, problem: Option<&str>) -> Result<Progress, Error> {
        let state = if problem.is_some() { State::Failed } else { State::Done };
        let mut tx = self.store.main.begin().await?;
        if job::end(&mut tx, job.id, state, problem, self.now).await? {
            // Another source's task may have done more since this one was read.
            let ended = job::get(&mut tx, job.id).await?.unwrap_or_else(|| job.clone());
            audit::record(&mut tx, &self.store.keys, &[self.entry(&ended, consumer)]).await?;
            tx.commit().await?;
            let (kind, JobRow { id, done, skipped, .. }) = (job.kind.name(), ended);
            match problem {
                None => {
                    tracing::info!(consumer = %consumer.key, job = id, kind, done, skipped, "a job was carried out")
                }
                Some(problem) => {
                    tracing::warn!(consumer = %consumer.key, job = id, kind, done, skipped, problem, "a job was given up");
                }
            }
        }
        Ok(Progress::Worked)
    }

    fn entry(&self, job: &JobRow, consumer: &ConsumerRow) -> Entry {
        let asker = Asker { name: job.asker.0.clone(), basis: job.asker.1.clone() };
        let what = criteria(job.kind, &job.parameters, job.record.is_some());
        let criteria = format!("{what}: {} of {}, {} left out", job.done, job.total, job.skipped);
        let outcome = if job.state == State::Done { Outcome::Succeeded } else { Outcome::Failed };
        Entry { outcome, ..entry(consumer, job.kind.name(), &asker, criteria, self.now) }
    }
}
