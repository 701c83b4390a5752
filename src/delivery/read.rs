//! Reading: the next routes of a consumer, those of one person, and what a batch is built from right before it is sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::book::{Book, Shelf};
use super::build::named_records;
use super::queue::{Span, Turn};
use crate::domain::change::Snapshot;
use crate::domain::pairwise::RecordId;
use crate::domain::resource::Sector;
use crate::domain::subject::Subjects;
use crate::store::route::Route;
use crate::store::seal::PersonKey;
use crate::store::{self, ConsumerId, Store};

/// How many routes of one person are read at a time.
const OF_ONE_PERSON: u32 = 64;

/// What a batch is built from.
pub struct Basis {
    /// The present configuration.
    pub book: Arc<Book>,
    protected: HashMap<RecordId, bool>,
    subjects: HashMap<RecordId, Subjects>,
    nobody: Subjects,
    opened: HashMap<i64, Opened>,
    /// Related persons on whom the consumer has a claim.
    pub claimed: HashSet<RecordId>,
}

/// What became of an event's sealed snapshot.
pub enum Opened {
    /// Open.
    Snapshot(Box<Snapshot>),
    /// There is no key any more, or none for this consumer, or no person.
    Nothing,
    /// There is a key, but it does not open it.
    Unreadable,
}

impl Basis {
    /// Whether name and address of the event's person are protected now. Who is not stored counts as protected.
    pub fn is_protected(&self, route: &Route) -> bool {
        route.record.and_then(|record| self.protected.get(&record)).copied().unwrap_or(true)
    }

    /// Which subscriptions have the event's person by name now; told of private consumers only, for to others it makes no
    /// difference.
    pub fn subjects(&self, route: &Route) -> &Subjects {
        route.record.and_then(|record| self.subjects.get(&record)).unwrap_or(&self.nobody)
    }

    /// The event's snapshot.
    pub fn opened(&self, route: &Route) -> &Opened {
        self.opened.get(&route.seq).unwrap_or(&Opened::Nothing)
    }
}

/// A consumer's next routes in these shards after `position`.
pub async fn routes(
    store: &Store,
    consumer: ConsumerId,
    shards: &[i64],
    position: i64,
    limit: u32,
) -> Result<Vec<Route>, store::Error> {
    let mut conn = store.main.read_for(&[consumer]).await?;
    store::route::read_shards(&mut conn, consumer, shards, position, limit).await
}

/// The routes of one person who waits.
pub async fn of_person(store: &Store, consumer: ConsumerId, span: Span) -> Result<Vec<Route>, store::Error> {
    if span.from > span.to {
        return Ok(Vec::new());
    }
    let mut conn = store.main.read_for(&[consumer]).await?;
    store::route::read_person(&mut conn, consumer, span.record, span.from, span.to, OF_ONE_PERSON).await
}

/// Reads rights, protection and keys for these events as they are now, and opens their snapshots.
pub async fn basis(store: &Store, shelf: &Shelf, consumer: ConsumerId, turns: &[Turn]) -> Result<Basis, store::Error> {
    let records: Vec<RecordId> = turns.iter().filter_map(|turn| turn.route.record).collect();
    let rights = async {
        let mut conn = store.main.read_for(&[consumer]).await?;
        let (protected, version) = store::person::protected(&mut conn, &records).await?;
        let book = shelf.at_least(version, &mut conn).await?;
        let form = book.consumers.get(&consumer).and_then(|row| row.compiled.as_ref());
        let subjects = match form.is_some_and(|form| form.sector == Sector::Private) {
            true => store::subject::find(&mut conn, None, &records).await?,
            false => HashMap::new(),
        };
        Ok((book, protected, subjects))
    };
    let keys = async {
        match records.is_empty() {
            true => Ok(HashMap::new()),
            false => store.keys.person_keys_for(consumer, &records).await,
        }
    };
    let ((book, protected, subjects), keys) = tokio::try_join!(rights, keys)?;
    let opened: HashMap<i64, Opened> = turns.iter().map(|turn| (turn.route.seq, open(&turn.route, &keys))).collect();
    let claimed = claimed(store, consumer, &opened).await?;
    Ok(Basis { book, protected, subjects, nobody: Subjects::default(), opened, claimed })
}

fn open(route: &Route, keys: &HashMap<RecordId, PersonKey>) -> Opened {
    let key = route.record.and_then(|record| keys.get(&record));
    let (Some(key), Some(sealed)) = (key, &route.snapshot) else { return Opened::Nothing };
    match store::event::open(key, route.event, sealed) {
        Ok(snapshot) => Opened::Snapshot(Box::new(snapshot)),
        Err(error) => {
            tracing::error!(seq = route.seq, %error, "the snapshot of an event cannot be opened");
            Opened::Unreadable
        }
    }
}

async fn claimed(
    store: &Store,
    consumer: ConsumerId,
    opened: &HashMap<i64, Opened>,
) -> Result<HashSet<RecordId>, store::Error> {
    let mut related = Vec::new();
    for one in opened.values() {
        if let Opened::Snapshot(snapshot) = one {
            related.extend(named_records(snapshot));
        }
    }
    if related.is_empty() {
        return Ok(HashSet::new());
    }
    store.keys.claimed(consumer, &related).await
}
