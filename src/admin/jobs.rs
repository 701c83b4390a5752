//! `replay`, `resync` and what became of them: work that ingest carries out, asked for here.

use axum::Json;
use axum::extract::{Path, State};

use super::requests::Of;
use super::who::{Caller, Right};
use super::wire::{JobState, Replay, Resync, Started};
use super::{Context, Problem};
use crate::audit::{Asker, Entry, Outcome, Resource};
use crate::domain::resource::ResourceKey;
use crate::ingest::jobs::{self, Error, Job};
use crate::store::consumer::ConsumerRow;
use crate::store::job::JobId;

/// Has what was sent in a time sent once more.
pub async fn replay(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Json(asked): Json<Replay>,
) -> Result<Json<Started>, Problem> {
    let asker = context.admit(&caller, &Right::update("consumersystems/replay", &key)).await?;
    let row = context.consumer(&key).await?;
    let person = context.person(row.id, asked.person.as_deref()).await?;
    start(&context, &asker, &row, &Job::Replay { from: asked.from, to: asked.to, person }, asked.dry_run).await
}

/// Has a snapshot sent of everyone whom the consumer may hear of.
pub async fn resync(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Json(asked): Json<Resync>,
) -> Result<Json<Started>, Problem> {
    let asker = context.admit(&caller, &Right::update("consumersystems/resync", &key)).await?;
    let row = context.consumer(&key).await?;
    start(&context, &asker, &row, &Job::Resync, asked.dry_run).await
}

/// How a job stands.
pub async fn state(
    State(context): State<Context>,
    caller: Caller,
    Path((namespace, name, id)): Path<(String, String, JobId)>,
) -> Result<Json<JobState>, Problem> {
    let key = ResourceKey::new(namespace, name);
    context.admit(&caller, &Right::get("consumersystems/jobs", &key)).await?;
    let row = context.consumer(&key).await?;
    let job = jobs::state(&context.store, id).await?.filter(|job| job.consumer == row.id);
    let job = job.ok_or_else(|| Problem::NotFound(format!("ConsumerSystem {key} has no job {id}")))?;
    Ok(Json(JobState {
        job: id,
        kind: job.kind.name().to_owned(),
        state: format!("{:?}", job.state),
        total: job.total,
        done: job.done,
        skipped: job.skipped,
        problem: job.problem,
    }))
}

/// Takes a job on, or only counts what it would be.
pub(super) async fn start(
    context: &Context,
    asker: &Asker,
    row: &ConsumerRow,
    job: &Job,
    dry_run: bool,
) -> Result<Json<Started>, Problem> {
    let now = context.now();
    let counted = jobs::count(&context.store, row, job, now).await?;
    let id = match dry_run {
        true => {
            let entry = Entry {
                consumer: Some(row.key.clone()),
                resource: Some(Resource::named("ConsumerSystem", row.key.clone())),
                ..Entry::command(now, Outcome::Succeeded, &format!("{}Counted", job.kind().name()), asker)
            };
            context.record(entry).await?;
            None
        }
        false => Some(jobs::ask(&context.store, &context.bells, row, job, asker, now).await?),
    };
    let jobs::Counted { deliveries, persons, earliest } = counted;
    Ok(Json(Started { job: id, deliveries, persons, earliest }))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => Self::Store(error),
            Error::Audit(error) => Self::Record(error),
            Error::NobodyKnown | Error::NoLetters(_) | Error::NotHeld { .. } => Self::NotFound(error.to_string()),
            Error::Span => Self::Invalid(error.to_string()),
            Error::Ended(_) | Error::NoSubscription(_) | Error::AlreadyOpen(_) => Self::Impossible(error.to_string()),
        }
    }
}
