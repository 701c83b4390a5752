//! `persons`: who is on a subscription's list. Numbers come in; lines and references go out.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::requests::Of;
use super::who::{Caller, Right};
use super::wire::{Line, Lines, ListState, Numbers, PersonPage, Tickets};
use super::{Context, Problem};
use crate::audit::{Asker, Entry, Outcome, Resource};
use crate::domain::identifier::CprNumber;
use crate::domain::pairwise::{ConsumerKey, RecordId};
use crate::domain::resource::ResourceKey;
use crate::domain::subject::Origin;
use crate::ingest;
use crate::ingest::lists::{self, Progress, Removal, Standing};
use crate::store::keys::Realm;
use crate::store::subscription::SubscriptionRow;
use crate::store::{source, subscription};

/// Right to change a list, and to read it.
const WHAT: &str = "cprsubscriptions/persons";
/// Most lines, or references, at a time.
pub const MOST: usize = 1_000;

/// A list, and what is needed to speak of those on it.
struct List {
    row: SubscriptionRow,
    realm: Realm,
    names: ConsumerKey,
}

impl Context {
    async fn list(&self, key: &ResourceKey) -> Result<List, Problem> {
        let mut conn = self.store.main.read().await?;
        let row = subscription::find(&mut conn, key).await?.filter(|row| row.ended_at.is_none());
        let row = row.ok_or_else(|| Problem::not_found("CprSubscription", key))?;
        let form = row
            .compiled
            .as_ref()
            .ok_or_else(|| Problem::Impossible(format!("CprSubscription {key} is not valid: see kubectl describe")))?;
        if !form.selector.listed {
            let message = format!("CprSubscription {key} has no list: write select.persons: Managed");
            return Err(Problem::Impossible(message));
        }
        let of = source::find(&mut conn, &form.source).await?.and_then(|row| row.compiled);
        drop(conn);
        let of = of.ok_or_else(|| Problem::not_found("CprSource", &form.source))?;
        let realm = Realm { authority: of.key.namespace, environment: of.environment };
        let names = self.store.keys.consumer_key(row.consumer, self.now()).await?;
        Ok(List { row, realm, names })
    }
}

/// Puts persons on it. Those who are there already are told at once, the others by [`progress`].
pub async fn add(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Json(numbers): Json<Numbers>,
) -> Result<Json<Lines>, Problem> {
    let asker = context.admit(&caller, &Right::update(WHAT, &key)).await?;
    let list = context.list(&key).await?;
    let lines = within(numbers)?;
    let added = lists::add(&context.store, &list.row, &list.realm, Origin::Managed, lines, Some(&asker), context.now());
    let told = added.await?.into_iter().map(|(line, standing)| match standing {
        Standing::Already(record) => Line { person: Some(list.names.reference(record)), ..Line::new(line, "Listed") },
        Standing::Waiting(record) => Line { ticket: Some(hex::encode(record.0)), ..Line::new(line, "Waiting") },
    });
    let told = Lines { lines: told.collect() };
    context.bells.requests.ring();
    Ok(Json(told))
}

/// Takes persons off it.
pub async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Json(numbers): Json<Numbers>,
) -> Result<Json<Lines>, Problem> {
    let asker = context.admit(&caller, &Right::update(WHAT, &key)).await?;
    let list = context.list(&key).await?;
    let lines = within(numbers)?;
    let removed = lists::remove(&context.store, &list.row, &list.realm, lines, Some(&asker), context.now()).await?;
    let told = removed.into_iter().map(|(line, removal)| match removal {
        Removal::Removed(record) => Line { person: Some(list.names.reference(record)), ..Line::new(line, "Removed") },
        Removal::NotListed => Line::new(line, "NotListed"),
    });
    let told = Lines { lines: told.collect() };
    context.bells.requests.ring();
    Ok(Json(told))
}

fn within(numbers: Numbers) -> Result<Vec<(u32, CprNumber)>, Problem> {
    if numbers.lines.len() > MOST {
        return Err(Problem::Invalid(format!("at most {MOST} lines at a time")));
    }
    Ok(numbers.lines.into_iter().map(|line| (line.line, line.number)).collect())
}

/// What became of lines that waited. Not recorded by itself: their adding is.
pub async fn progress(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Json(asked): Json<Tickets>,
) -> Result<Json<ListState>, Problem> {
    context.admit(&caller, &Right::update(WHAT, &key)).await?;
    let list = context.list(&key).await?;
    let records: Vec<RecordId> = asked.tickets.iter().map(|ticket| record_of(ticket)).collect::<Result<_, _>>()?;
    let found: HashMap<RecordId, Progress> = lists::progress(&context.store, &list.row, &records).await?;
    let lines = records.iter().enumerate().map(|(at, record)| told(&list, at as u32, found.get(record)));
    let lines = lines.collect();
    let mut conn = context.store.main.read().await?;
    let load = lists::load(&mut conn, list.row.id, &context.settings.lists, context.now()).await?;
    let register = &context.settings.register;
    let a_second = u64::from(register.requests_per_second) * u64::from(register.batch);
    Ok(Json(ListState {
        lines,
        waiting: load.counts.waiting,
        held_until: load.held_until,
        remaining: Duration::from_secs(load.counts.waiting / a_second.max(1)).as_secs(),
    }))
}

fn told(list: &List, at: u32, progress: Option<&Progress>) -> Line {
    match progress {
        Some(Progress::Listed(record)) => {
            Line { person: Some(list.names.reference(*record)), ..Line::new(at, "Listed") }
        }
        Some(Progress::Waiting) => Line::new(at, "Waiting"),
        Some(Progress::Unknown) => Line::new(at, "Unknown"),
        Some(Progress::Failed(class)) => Line { class: Some(class.clone()), ..Line::new(at, "Failed") },
        Some(Progress::NotListed) | None => Line::new(at, "NotListed"),
    }
}

fn record_of(ticket: &str) -> Result<RecordId, Problem> {
    let bytes = hex::decode(ticket).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(RecordId).ok_or_else(|| Problem::Invalid("a ticket that was not given out here".to_owned()))
}

/// From where on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    after: Option<String>,
}

/// The references of those who are on it.
pub async fn page(
    State(context): State<Context>,
    caller: Caller,
    Of(key): Of,
    Query(from): Query<After>,
) -> Result<Json<PersonPage>, Problem> {
    let asker = context.admit(&caller, &Right::get(WHAT, &key)).await?;
    let list = context.list(&key).await?;
    let after = from.after.as_deref().map(record_of).transpose()?;
    let records = lists::page(&context.store, list.row.id, after, MOST as u32).await?;
    record_listing(&context, &key, &asker, records.len()).await?;
    let next = records.last().filter(|_| records.len() == MOST).map(|last| hex::encode(last.0));
    Ok(Json(PersonPage { persons: records.into_iter().map(|record| list.names.reference(record)).collect(), next }))
}

async fn record_listing(context: &Context, key: &ResourceKey, asker: &Asker, persons: usize) -> Result<(), Problem> {
    let entry = Entry {
        resource: Some(Resource::named("CprSubscription", key.clone())),
        persons: Some(persons as u64),
        ..Entry::command(context.now(), Outcome::Succeeded, "persons.list", asker)
    };
    context.record(entry).await
}

impl From<ingest::Error> for Problem {
    fn from(error: ingest::Error) -> Self {
        match error {
            ingest::Error::Store(error) => Self::Store(error),
            other => Self::Impossible(other.to_string()),
        }
    }
}
