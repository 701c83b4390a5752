//! What a consumer that is removed will never be sent, for the record.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::audit::{Entry, EntryType, Outcome, Resource};
use crate::domain::pairwise::RecordId;
use crate::store::consumer::ConsumerRow;
use crate::store::lane::LANES;
use crate::store::parked::ParkedState;
use crate::store::route::Route;
use crate::store::{self, ConsumerId, Store, lane, parked, route};

/// Routes that are looked at together.
const BATCH: u32 = 1_000;

/// The entry about the routes of a consumer that were not delivered; none where all were. It tells of how many persons. A
/// removal that was broken off leaves another entry, about the rest.
pub async fn of(store: &Store, consumer: &ConsumerRow, now: Timestamp) -> Result<Option<Entry>, store::Error> {
    let open = Open::read(store, consumer.id).await?;
    let (mut routes, mut persons, mut after) = (0_u64, HashSet::new(), open.settled);
    loop {
        let read = route::read(&mut *store.main.read().await?, consumer.id, after, BATCH).await?;
        let Some(last) = read.last() else { break };
        after = last.seq;
        for route in read.iter().filter(|route| open.has(route)) {
            routes += 1;
            persons.extend(route.record);
        }
    }
    if routes == 0 {
        return Ok(None);
    }
    tracing::info!(consumer = %consumer.key, routes, persons = persons.len(), "a consumer is removed with what was not delivered");
    Ok(Some(entry(consumer, persons.len() as u64, now)))
}

fn entry(consumer: &ConsumerRow, persons: u64, now: Timestamp) -> Entry {
    Entry {
        consumer: Some(consumer.key.clone()),
        cvr: consumer.compiled.as_ref().map(|form| form.cvr.clone()),
        class: Some("ConsumerDeleted".to_owned()),
        persons: Some(persons),
        resource: Some(Resource {
            uid: Some(consumer.uid.clone()),
            generation: Some(consumer.generation),
            ..Resource::named("ConsumerSystem", consumer.key.clone())
        }),
        ..Entry::new(now, EntryType::EventWithdrawn, Outcome::Succeeded)
    }
}

/// Which routes are not delivered: those above their lane's watermark, and those of a parked person from the first on.
struct Open {
    watermarks: [i64; LANES as usize],
    parked: Vec<(RecordId, i64)>,
    settled: i64,
}

impl Open {
    async fn read(store: &Store, consumer: ConsumerId) -> Result<Self, store::Error> {
        let mut conn = store.main.read().await?;
        let mut watermarks = [0; LANES as usize];
        for lane in lane::read(&mut conn, consumer).await? {
            if let Some(watermark) = watermarks.get_mut(usize::from(lane.shard)) {
                *watermark = lane.watermark;
            }
        }
        let waiting = parked::all(&mut conn, consumer).await?.into_iter();
        let waiting = waiting.filter(|person| person.state != ParkedState::GapOnly);
        let parked: Vec<_> = waiting.map(|person| (person.record, person.first_seq)).collect();
        let first_parked = parked.iter().map(|(_, first)| first - 1);
        let settled = watermarks.into_iter().chain(first_parked).min().unwrap_or(0);
        Ok(Self { watermarks, parked, settled })
    }

    fn has(&self, route: &Route) -> bool {
        let watermark = self.watermarks.get(usize::from(route.shard)).copied().unwrap_or(0);
        route.seq > watermark
            || self.parked.iter().any(|(record, first)| route.record == Some(*record) && route.seq >= *first)
    }
}
