//! `deadletters`: what was given up, and what becomes of it.

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::jobs;
use super::requests::Of;
use super::who::{Caller, Right};
use super::wire::{DeadLetter, Letters, Page, Started};
use super::{Context, Problem};
use crate::audit::{Entry, Outcome, Resource};
use crate::domain::resource::ResourceKey;
use crate::ingest::jobs::{Job, Letters as Chosen};
use crate::store::dead_letter;

/// Most dead letters in one answer.
const MOST: u32 = 1_000;

/// From where on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// After this one; as the answer before told.
    #[serde(default)]
    after: i64,
}

/// One page of them.
pub async fn list(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Query(from): Query<After>,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let asker = context.admit(&caller, &Right::get("consumersystems/deadletters", &key)).await?;
    let row = context.consumer(&key).await?;
    let found = dead_letter::list(&mut *context.store.main.read().await?, row.id, from.after, MOST).await?;
    let names = context.store.keys.consumer_key(row.id, context.now()).await?;
    let entry = Entry {
        consumer: Some(key.clone()),
        resource: Some(Resource::named("ConsumerSystem", key)),
        ..Entry::command(context.now(), Outcome::Succeeded, "deadletters.list", &asker)
    };
    context.record(entry).await?;
    let next = found.last().filter(|_| found.len() == MOST as usize).map(|last| last.seq);
    let shown = found.iter().map(|letter| {
        let about = letter.given_up.as_ref();
        DeadLetter {
            letter: letter.id,
            given_up_at: letter.given_up_at,
            time: letter.at,
            count: letter.count,
            id: about.map(|about| names.replay_id(about.event, about.type_, about.replay.map(|replay| replay.number))),
            type_: about.map(|about| about.type_.name().to_owned()),
            person: about.and_then(|about| about.record).map(|record| names.reference(record)),
            attempts: letter.attempts,
            class: letter.class.clone(),
        }
    });
    Ok(Json(Page { items: shown.collect(), next }))
}

/// Has them sent once more.
pub async fn retry(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Json(letters): Json<Letters>,
) -> Result<Json<Started>, Problem> {
    let dry_run = letters.dry_run;
    decide(context, caller, key, Job::RetryDeadLetters(chosen(letters)?), dry_run).await
}

/// Has them deleted.
pub async fn drop(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Json(letters): Json<Letters>,
) -> Result<Json<Started>, Problem> {
    let dry_run = letters.dry_run;
    decide(context, caller, key, Job::DropDeadLetters(chosen(letters)?), dry_run).await
}

fn chosen(letters: Letters) -> Result<Chosen, Problem> {
    match (letters.all, letters.letters) {
        (true, ids) if ids.is_empty() => Ok(Chosen::All),
        (false, ids) if !ids.is_empty() => Ok(Chosen::These(ids)),
        _ => Err(Problem::Invalid("name dead letters by their numbers, or say --all: one of the two".to_owned())),
    }
}

async fn decide(
    context: Context,
    caller: Caller,
    key: ResourceKey,
    job: Job,
    dry_run: bool,
) -> Result<Json<Started>, Problem> {
    let asker = context.admit(&caller, &Right::update("consumersystems/deadletters", &key)).await?;
    let row = context.consumer(&key).await?;
    jobs::start(&context, &asker, &row, &job, dry_run).await
}
