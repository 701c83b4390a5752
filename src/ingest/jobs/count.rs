//! How much a job would be: nothing is written.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::{Job, Letters};
use crate::domain::pairwise::RecordId;
use crate::domain::resource::ResourceKey;
use crate::domain::standing::Standing;
use crate::domain::subject::Subjects;
use crate::ingest::matching::{self, Selectors};
use crate::ingest::selections::Selections;
use crate::ingest::settle::Seen;
use crate::store::consumer::ConsumerRow;
use crate::store::replay::{self, Range};
use crate::store::{
    self, Conn, ConsumerId, SourceId, Store, SubscriptionId, dead_letter, person, route, source, subject, subscription,
};

/// Routes, or persons, that are looked at together.
const PAGE: u32 = 5_000;

/// How much a job would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Deliveries; of dead letters those that they stand for.
    pub deliveries: u64,
    /// Persons.
    pub persons: u64,
    /// When the oldest delivery was committed that could be replayed; none where none is kept.
    pub earliest: Option<Timestamp>,
}

/// Counts what a job would do now.
pub async fn count(store: &Store, consumer: &ConsumerRow, what: &Job, now: Timestamp) -> Result<Counted, store::Error> {
    let counted = match what {
        Job::Replay { from, to, person } => {
            let highest = route::highest(&mut *store.main.read().await?, consumer.id).await?;
            let range = Range {
                consumer: consumer.id,
                record: *person,
                from: *from,
                to: to.unwrap_or(Timestamp::MAX),
                upto: highest.unwrap_or(0),
            };
            let counted = of_range(store, &range).await?;
            Counted { earliest: replay::earliest(&mut *store.main.read().await?, consumer.id).await?, ..counted }
        }
        Job::Resync => covered(store, consumer, now).await?,
        Job::RetryDeadLetters(letters) | Job::DropDeadLetters(letters) => {
            of_letters(store, consumer.id, letters).await?
        }
    };
    Ok(counted)
}

async fn of_range(store: &Store, range: &Range) -> Result<Counted, store::Error> {
    let (mut counted, mut persons, mut after) = (Counted::default(), HashSet::new(), 0);
    loop {
        let page = replay::look(&mut *store.main.read().await?, range, after, PAGE).await?;
        let Some(last) = page.last else { break };
        after = last;
        let records: Vec<RecordId> = page.found.iter().map(|one| one.record).collect();
        let claimed = store.keys.claimed(range.consumer, &records).await?;
        counted.deliveries += records.iter().filter(|record| claimed.contains(record)).count() as u64;
        persons.extend(claimed);
    }
    Ok(Counted { persons: persons.len() as u64, ..counted })
}

async fn of_letters(store: &Store, consumer: ConsumerId, letters: &Letters) -> Result<Counted, store::Error> {
    let mut conn = store.main.read().await?;
    let (deliveries, persons) = match letters {
        Letters::All => {
            (dead_letter::count(&mut conn, consumer).await?, dead_letter::persons(&mut conn, consumer).await?)
        }
        Letters::These(ids) => {
            let found = dead_letter::get(&mut conn, consumer, ids).await?;
            let persons: HashSet<_> = found.iter().filter_map(|letter| letter.given_up.as_ref()?.record).collect();
            (found.iter().map(|letter| letter.count).sum(), persons.len() as u64)
        }
    };
    Ok(Counted { deliveries, persons, earliest: None })
}

async fn covered(store: &Store, consumer: &ConsumerRow, now: Timestamp) -> Result<Counted, store::Error> {
    let selections = Selections::load(&mut *store.main.read().await?).await?;
    let (mut deliveries, mut persons) = (0, HashSet::new());
    for id in sources(store, consumer, now).await? {
        let Some(key) = key(store, id).await? else { continue };
        let mut after = None;
        loop {
            let page = Page::read(&mut *store.main.read().await?, id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last);
            for record in page.covered(&selections.now, &key, consumer.id, now) {
                deliveries += 1;
                persons.insert(record);
            }
        }
    }
    Ok(Counted { deliveries, persons: persons.len() as u64, earliest: None })
}

async fn key(store: &Store, id: SourceId) -> Result<Option<ResourceKey>, store::Error> {
    let rows = source::all(&mut *store.main.read().await?).await?;
    Ok(rows.into_iter().find(|row| row.id == id).map(|row| row.key))
}

/// Persons of a source in the order of their records, with what decides who covers them.
pub(super) struct Page {
    standings: Vec<(RecordId, Standing)>,
    subjects: HashMap<RecordId, Subjects>,
}

impl Page {
    /// Reads at most `limit` persons after a record.
    pub(super) async fn read(
        conn: &mut Conn,
        source: SourceId,
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Self, store::Error> {
        let standings = person::standings(&mut *conn, source, after, limit).await?;
        let records: Vec<RecordId> = standings.iter().map(|(record, _)| *record).collect();
        Ok(Self { standings, subjects: subject::find(conn, Some(source), &records).await? })
    }

    /// The last person of the page; none where it is empty.
    pub(super) fn last(&self) -> Option<RecordId> {
        self.standings.last().map(|(record, _)| *record)
    }

    /// Those whom a subscription of the consumer covers.
    pub(super) fn covered(
        &self,
        selectors: &Selectors,
        source: &ResourceKey,
        consumer: ConsumerId,
        now: Timestamp,
    ) -> Vec<RecordId> {
        let nobody = Subjects::default();
        let is_covered = |(record, standing): &&(RecordId, Standing)| {
            let person = Seen { standing, subjects: self.subjects.get(record).unwrap_or(&nobody) };
            !grounds(selectors, source, consumer, person, now).is_empty()
        };
        self.standings.iter().filter(is_covered).map(|(record, _)| *record).collect()
    }
}

/// A consumer's subscriptions, but for suspended ones, that cover a person.
pub(super) fn grounds(
    selectors: &Selectors,
    source: &ResourceKey,
    consumer: ConsumerId,
    person: Seen<'_>,
    now: Timestamp,
) -> Vec<SubscriptionId> {
    let covering = matching::covering(selectors, source, person.standing, person.subjects, now).into_iter();
    covering.filter(|entry| entry.consumer == consumer && !entry.subscription.suspended).map(|entry| entry.id).collect()
}

/// The sources of which a consumer has subscriptions that are live and not suspended.
pub(super) async fn sources(
    store: &Store,
    consumer: &ConsumerRow,
    now: Timestamp,
) -> Result<Vec<SourceId>, store::Error> {
    let mut conn = store.main.read().await?;
    let live = source::all(&mut conn).await?.into_iter().filter(|row| row.ended_at.is_none()).map(|row| row.id);
    let live: HashSet<SourceId> = live.collect();
    let theirs = subscription::all(&mut conn).await?.into_iter().filter(|row| {
        let form = row.compiled.as_ref().filter(|form| !form.suspended && matching::is_live(form, now));
        row.consumer == consumer.id && row.ended_at.is_none() && form.is_some() && live.contains(&row.source)
    });
    Ok(theirs.map(|row| row.source).collect::<BTreeSet<_>>().into_iter().collect())
}
