//! Meeting the lines that wait to be put on a list: a few batches of one subscription at a time, each in its turn.

use std::collections::HashMap;
use std::time::Instant;

use super::fetch;
use crate::domain::change::DerivedFrom;
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::CprNumber;
use crate::domain::pairwise::RecordId;
use crate::domain::resource::ResourceKey;
use crate::ingest::Error;
use crate::ingest::batch::{Answer, Batch, Line};
use crate::ingest::inquiry;
use crate::ingest::matching;
use crate::ingest::metrics::Metrics;
use crate::ingest::source::Source;
use crate::settings::lists::ListSettings;
use crate::store::list_hour::Hour;
use crate::store::listing::{self, Listing, State};
use crate::store::seal::PersonKey;
use crate::store::{self, SubscriptionId, list_hour, removal};
use crate::upstream::datafordeler::Client;

/// Batches that a subscription may meet in one turn.
const BATCHES: u32 = 4;

/// Whose turn it is.
#[derive(Debug, Default)]
pub struct Meeting {
    last: SubscriptionId,
}

impl Meeting {
    /// Meets the next lines, if a subscription has some that wait and room for them: while one batch is committed the next is
    /// asked for. How many lines came to an end.
    pub async fn run_once(&mut self, source: &Source, client: &Client, metrics: &Metrics) -> Result<usize, Error> {
        let Some((subscription, lines)) = self.next(source).await? else { return Ok(0) };
        self.last = subscription;
        let (mut lines, size) = (lines.into_iter(), batch_size(source, client));
        let mut take = || lines.by_ref().take(size).collect::<Vec<Listing>>();
        let (mut over, mut asked) = (0, ask(source, client, take()).await?);
        loop {
            let next = take();
            if next.is_empty() {
                return Ok(over + meet(source, client, metrics, subscription, asked).await?);
            }
            let (met, following) =
                tokio::join!(meet(source, client, metrics, subscription, asked), ask(source, client, next));
            (over, asked) = (over + met?, following?);
        }
    }

    /// The subscription after the last one that has lines, and as many of them as its limits and a batch allow.
    async fn next(&self, source: &Source) -> Result<Option<(SubscriptionId, Vec<Listing>)>, store::Error> {
        let mut conn = source.store.main.read().await?;
        let mut waiting = listing::subscriptions(&mut conn, source.id, State::Waiting).await?;
        waiting.sort_by_key(|id| (*id <= self.last, *id));
        for id in waiting {
            let hour = list_hour::read(&mut conn, id, source.clock.now()).await?;
            let room = room(&source.lists, hour).min(source.settings.batch.saturating_mul(BATCHES));
            if room > 0 {
                return Ok(Some((id, listing::next(&mut conn, source.id, id, State::Waiting, room).await?)));
            }
        }
        Ok(None)
    }
}

/// Lines of one batch: as many full requests as its transaction has room for.
fn batch_size(source: &Source, client: &Client) -> usize {
    let (batch, request) = (source.settings.batch as usize, client.batch_size());
    if batch < request { batch.max(1) } else { batch - batch % request }
}

/// What the register said of lines, and what of each person it was asked for.
struct Asked {
    batch: Batch,
    groups: GroupSet,
    began: Instant,
}

/// Commits what the register said. How many lines that brought to an end.
async fn meet(
    source: &Source,
    client: &Client,
    metrics: &Metrics,
    subscription: SubscriptionId,
    Asked { batch, groups, began }: Asked,
) -> Result<usize, Error> {
    let over: Vec<RecordId> = batch.lines.iter().map(|line| line.listing.record).collect();
    let count = |wanted: fn(&Answer) -> bool| batch.lines.iter().filter(|line| wanted(&line.answer)).count();
    let found = count(|answer| matches!(answer, Answer::Found(_)));
    let unknown = count(|answer| *answer == Answer::Unknown);
    let done = inquiry::commit(source, client, batch, groups, DerivedFrom::Comparison).await?;
    if !done.again.is_empty() {
        removal::run_once(&source.store).await?;
    }
    removal::forget_unused(&source.store, &over).await?;
    let Some(key) = name(source, subscription).await? else { return Ok(over.len()) };
    metrics.list_additions(&key, found);
    let (lines, millis) = (over.len(), began.elapsed().as_millis() as u64);
    let unreadable = lines - found - unknown;
    tracing::info!(subscription = %key, lines, found, unknown, unreadable, events = done.events, millis, "numbers of a list met");
    Ok(lines)
}

/// How many numbers may still be asked for in an hour of which this has been used.
pub fn room(settings: &ListSettings, hour: Hour) -> u32 {
    let left = |most: u32, used: u64| u64::from(most).saturating_sub(used);
    let left = left(settings.additions_per_hour, hour.added).min(left(settings.unknown_per_hour, hour.unknown));
    u32::try_from(left).unwrap_or(u32::MAX)
}

/// What log lines call a subscription.
async fn name(source: &Source, subscription: SubscriptionId) -> Result<Option<ResourceKey>, store::Error> {
    let selections = source.selections().await?;
    Ok(selections.now.get(subscription).map(|entry| entry.subscription.key.clone()))
}

/// Asks the register for the lines' numbers. Who is on the list already by another line is asked for like the others.
async fn ask(source: &Source, client: &Client, lines: Vec<Listing>) -> Result<Asked, Error> {
    let began = Instant::now();
    let selections = source.selections().await?;
    let now = source.clock.now();
    let groups = matching::groups_wanted(&selections.now, &source.key, now);
    let records: Vec<RecordId> = lines.iter().map(|line| line.record).collect();
    let keys = source.store.keys.person_keys(&records).await?;
    source.store.keys.ensure_period(now).await?;
    let opened: Vec<Option<CprNumber>> =
        lines.iter().map(|line| open(line, &keys)).collect::<Result<_, store::Error>>()?;
    let numbers: Vec<CprNumber> = opened.iter().flatten().cloned().collect();
    let mut fetched = fetch::fetch(source, client, &numbers, groups).await?;
    let mut position = 0..;
    let mut answer = |number: &Option<CprNumber>| match number {
        Some(_) => position.next().and_then(|at: usize| fetched.answers.remove(&at)),
        None => None,
    };
    let answers: Vec<_> = opened.iter().map(&mut answer).collect();
    let lines = lines.into_iter().zip(answers);
    let lines = lines.map(|(listing, answer)| Line { listing, answer: answer.unwrap_or(Answer::Unreadable("Erased")) });
    let batch = Batch { persons: fetched.persons, audit: fetched.audit, lines: lines.collect(), ..Batch::default() };
    Ok(Asked { batch, groups, began })
}

fn open(line: &Listing, keys: &HashMap<RecordId, PersonKey>) -> Result<Option<CprNumber>, store::Error> {
    keys.get(&line.record).map_or(Ok(None), |key| line.open(key))
}
