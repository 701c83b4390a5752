//! `deliveries`: what became of a consumer's deliveries. Never a body.

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::Deserialize;

use super::requests::Of;
use super::who::{Caller, Right};
use super::wire::{Delivery, Page};
use super::{Context, Problem};
use crate::audit::{Entry, Outcome, Resource};
use crate::store::delivery_log;

/// Most deliveries in one answer.
const MOST: u32 = 1_000;

/// Which deliveries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Of this person.
    person: Option<String>,
    /// Committed at this time or later.
    since: Option<Timestamp>,
    /// After this one; as the answer before told.
    #[serde(default)]
    after: i64,
    /// Most of them.
    limit: Option<u32>,
}

/// One page of them.
pub async fn list(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Query(which): Query<Which>,
) -> Result<Json<Page<Delivery>>, Problem> {
    let asker = context.admit(&caller, &Right::get("consumersystems/deliveries", &key)).await?;
    let row = context.consumer(&key).await?;
    let record = context.person(row.id, which.person.as_deref()).await?;
    let limit = which.limit.unwrap_or(MOST).clamp(1, MOST);
    let mut conn = context.store.main.read().await?;
    let found = delivery_log::page(&mut conn, row.id, record, which.since, which.after, limit).await?;
    drop(conn);
    let names = context.store.keys.consumer_key(row.id, context.now()).await?;
    let entry = Entry {
        consumer: Some(key.clone()),
        resource: Some(Resource::named("ConsumerSystem", key)),
        ..Entry::command(context.now(), Outcome::Succeeded, "deliveries", &asker)
    };
    context.record(entry).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|last| last.seq);
    let shown = found.iter().map(|one| Delivery {
        time: one.at,
        id: names.replay_id(one.event, one.type_, one.replay.map(|replay| replay.number)),
        type_: one.type_.name().to_owned(),
        person: one.record.map(|record| names.reference(record)),
        replayed: one.replay.is_some(),
        attempts: one.attempts,
        status: one.status,
        class: one.class.clone(),
        standing: format!("{:?}", one.standing),
    });
    Ok(Json(Page { items: shown.collect(), next }))
}
