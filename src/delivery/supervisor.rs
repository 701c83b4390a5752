//! Workers for each consumer of the process, whatever the configuration says now, and one flusher for all.
//!
//! Where several processes are there for a consumer they share its lanes out ([`super::sharing`]). A worker keeps the
//! lanes that it began with; what the process takes later gets a worker of its own, and what it gives back ends one.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::book::{Book, Shelf};
use super::chance::Chance;
use super::circuit::Limits;
use super::credentials::{AccessBook, SigningBook};
use super::flush::{Flusher, Inbox};
use super::metrics::Metrics;
use super::sharing::{self, Plan};
use super::worker::Worker;
use crate::domain::resource::ResourceKey;
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::runtime::probes::Pulse;
use crate::settings::delivery::DeliverySettings;
use crate::settings::network::NetworkSettings;
use crate::store::consumer::ConsumerRow;
use crate::store::lane::Lane;
use crate::store::presence::Presence;
use crate::store::{self, ConsumerId, Store, lane};

/// The longest wait between two looks at the configuration and for routes that nobody rang for.
const POLL: Duration = Duration::from_secs(1);
/// The same where other processes are there, whose lanes may have become free.
const SHARED_POLL: Duration = Duration::from_millis(500);
/// Rings within this time wake a worker once; and so much longer for each worker that was woken.
const GATHER: Duration = Duration::from_millis(5);
const GATHER_EACH: Duration = Duration::from_micros(200);
/// Changes of the configuration within this time wake all workers once.
const GATHER_CHANGES: Duration = Duration::from_millis(100);

/// What delivery works with.
#[derive(Clone)]
pub struct Context {
    /// Both databases.
    pub store: Store,
    /// The present time.
    pub clock: Clock,
    /// Signing secrets of the consumers.
    pub signing: SigningBook,
    /// What lets us in at the consumers.
    pub access: AccessBook,
    /// Bells of the process.
    pub bells: Bells,
    /// How deliveries are sent.
    pub settings: DeliverySettings,
    /// Which private addresses may be reached.
    pub network: NetworkSettings,
    /// How long undelivered events are kept; at half of it status warns.
    pub undelivered: Duration,
    /// What is measured.
    pub metrics: Metrics,
    /// Where jitter comes from.
    pub chance: Chance,
    /// This process among those that share the database.
    pub presence: Presence,
    /// The consumers that it delivers to; none: all.
    pub only: Option<Vec<ResourceKey>>,
}

impl Context {
    fn is_for(&self, consumer: &ResourceKey) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(consumer))
    }
}

/// What all workers of a process share.
pub(super) struct Shared {
    pub(super) context: Context,
    pub(super) shelf: Shelf,
    pub(super) inbox: Inbox,
}

impl Shared {
    fn new(context: Context) -> (Arc<Self>, Flusher) {
        let settings = &context.settings;
        let (inbox, flusher) = Flusher::new(
            context.store.clone(),
            context.clock.clone(),
            context.bells.clone(),
            settings.flush_interval,
            settings.flush_results,
        );
        (Arc::new(Self { context, shelf: Shelf::default(), inbox }), flusher)
    }

    pub(super) fn circuit_limits(&self) -> Limits {
        let settings = &self.context.settings;
        Limits {
            window: settings.circuit_window as usize,
            persons: settings.circuit_persons as usize,
            wait: settings.circuit_wait,
        }
    }

    pub(super) async fn book(&self) -> Result<Arc<Book>, store::Error> {
        let mut conn = self.context.store.main.read().await?;
        self.shelf.fresh(&mut conn).await
    }

    /// The consumers of this process.
    fn mine<'a>(&self, book: &'a Book) -> impl Iterator<Item = &'a Arc<ConsumerRow>> {
        book.consumers.values().filter(|row| self.context.is_for(&row.key))
    }

    async fn take_all(&self, consumer: ConsumerId) -> Result<Vec<Lane>, store::Error> {
        let mut tx = self.context.store.main.begin().await?;
        let lanes = lane::take(&mut tx, consumer, self.context.presence.name()).await?;
        tx.commit().await?;
        Ok(lanes)
    }

    /// Some that no living process holds, beside those that this one does.
    async fn take_free(&self, consumer: ConsumerId, hold: &[i64], most: u8) -> Result<Vec<Lane>, store::Error> {
        let mut tx = self.context.store.main.begin_apart_for(&[consumer]).await?;
        let lanes = lane::take_free(&mut tx, consumer, self.context.presence.name(), hold, most).await?;
        tx.commit().await?;
        Ok(lanes)
    }
}

/// A worker that runs.
struct Group {
    bell: Arc<Notify>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    shards: Vec<i64>,
}

/// The workers that run, by consumer.
type Running = HashMap<ConsumerId, Vec<Group>>;

/// Delivers until `stop`; then what is under way is finished and written.
pub async fn run(context: Context, stop: CancellationToken, pulse: Pulse) {
    let (shared, flusher) = Shared::new(context);
    let flusher = tokio::spawn(flusher.run(stop.clone()));
    let bells = shared.context.bells.clone();
    let (mut running, mut served) = (Running::new(), HashSet::new());
    let poll = if shared.context.presence.is_alone() { POLL } else { SHARED_POLL };
    let (mut newest, mut change) = (None, Change::default());
    while !stop.is_cancelled() {
        pulse.beat();
        match keep_running(&shared, &mut running, &mut served, &stop).await {
            Ok(version) => change.note_version(version),
            Err(error) => tracing::error!(%error, "the consumers cannot be read"),
        }
        tokio::select! {
            () = stop.cancelled() => break,
            _ = bells.routes.wait(change.pause(poll)) => {}
            rang = bells.delivery.wait(change.pause(poll)) => change.waits |= rang,
        }
        let woken = wake(&shared, &running, change.is_due(), &mut newest).await;
        tokio::time::sleep(GATHER + GATHER_EACH * woken).await;
    }
    drop(shared);
    for group in running.into_values().flatten() {
        if let Err(error) = group.task.await {
            tracing::error!(%error, "a worker ended badly");
        }
    }
    if let Err(error) = flusher.await {
        tracing::error!(%error, "the flusher ended badly");
    }
}

/// A change of the configuration that all workers are to be woken for. Each wakes all, so many at once are told together;
/// what may be sent does not wait for that, for each batch is built by the configuration as it is then.
#[derive(Debug, Default)]
struct Change {
    waits: bool,
    version: Option<i64>,
    told: Option<Instant>,
}

impl Change {
    fn note_version(&mut self, version: i64) {
        self.waits |= self.version.replace(version) != Some(version);
    }

    /// How long to wait for a ring.
    fn pause(&self, poll: Duration) -> Duration {
        if self.waits { self.rest().max(Duration::from_millis(1)) } else { poll }
    }

    fn rest(&self) -> Duration {
        self.told.map_or(Duration::ZERO, |at| GATHER_CHANGES.saturating_sub(at.elapsed()))
    }

    /// Whether all are to be told now; after that they have been.
    fn is_due(&mut self) -> bool {
        let is_due = self.waits && self.rest().is_zero();
        if is_due {
            (self.waits, self.told) = (false, Some(Instant::now()));
        }
        is_due
    }
}

/// Wakes those for whom routes came after `newest`, or everyone where that is not known. How many.
async fn wake(shared: &Shared, running: &Running, is_for_all: bool, newest: &mut Option<i64>) -> u32 {
    let found = routed(shared, running, newest.unwrap_or(i64::MAX)).await;
    let before = std::mem::replace(newest, found.as_ref().ok().map(|(_, highest)| *highest));
    let concerned: Vec<&Arc<Notify>> = match found {
        Ok((consumers, _)) if before.is_some() && !is_for_all => {
            consumers.iter().filter_map(|id| running.get(id)).flatten().map(|group| &group.bell).collect()
        }
        _ => running.values().flatten().map(|group| &group.bell).collect(),
    };
    concerned.iter().for_each(|bell| bell.notify_one());
    concerned.len() as u32
}

async fn routed(shared: &Shared, running: &Running, after: i64) -> Result<(Vec<ConsumerId>, i64), store::Error> {
    let served: Vec<ConsumerId> = running.keys().copied().collect();
    let mut conn = shared.context.store.main.read_for(&served).await?;
    store::route::consumers_after(&mut conn, after).await
}

/// Starts workers that are missing, and ends those whose lanes others are to have. The configuration's version.
async fn keep_running(
    shared: &Arc<Shared>,
    running: &mut Running,
    served: &mut HashSet<ConsumerId>,
    stop: &CancellationToken,
) -> Result<i64, store::Error> {
    let book = shared.book().await?;
    for groups in running.values_mut() {
        groups.retain(|group| !group.task.is_finished());
    }
    running.retain(|_, groups| !groups.is_empty());
    if !shared.context.presence.is_alone() {
        share(shared, &book, running, served, stop).await?;
        return Ok(book.version);
    }
    for row in shared.mine(&book).filter(|row| !running.contains_key(&row.id)).collect::<Vec<_>>() {
        match shared.take_all(row.id).await {
            Ok(lanes) => start(shared, row, lanes, running, stop).await,
            Err(error) => tracing::error!(consumer = %row.key, %error, "lanes cannot be taken"),
        }
    }
    Ok(book.version)
}

/// Takes this process's part of each consumer's lanes, as far as they are free, and gives back what is more than that.
async fn share(
    shared: &Arc<Shared>,
    book: &Book,
    running: &mut Running,
    served: &mut HashSet<ConsumerId>,
    stop: &CancellationToken,
) -> Result<(), store::Error> {
    let (store, presence) = (&shared.context.store, &shared.context.presence);
    for one in sharing::look(store, presence.name(), shared.mine(book), served).await? {
        let Some(row) = book.consumers.get(&one.consumer) else { continue };
        let groups = running.get(&one.consumer).map_or(&[][..], Vec::as_slice);
        let is_ending = groups.iter().any(|group| group.stop.is_cancelled());
        let hold: Vec<i64> = groups.iter().flat_map(|group| group.shards.clone()).collect();
        let held = hold.len();
        let most = row.compiled.as_ref().map_or(1, |form| form.delivery.max_in_flight);
        match sharing::plan(held, one, most) {
            Plan::Take(lanes) if presence.is_certain() => {
                let lanes = shared.take_free(one.consumer, &hold, lanes).await?;
                start(shared, row, lanes, running, stop).await;
            }
            Plan::GiveBack if !is_ending => {
                tracing::info!(consumer = %row.key, held, by = one.by, "lanes are given back, for others are there");
                groups.iter().last().inspect(|group| group.stop.cancel());
            }
            _ => {}
        }
    }
    Ok(())
}

async fn start(
    shared: &Arc<Shared>,
    row: &Arc<ConsumerRow>,
    lanes: Vec<Lane>,
    running: &mut Running,
    stop: &CancellationToken,
) {
    if lanes.is_empty() {
        return;
    }
    let shards = lanes.iter().map(|lane| lane.shard.into()).collect();
    match Worker::start(shared.clone(), row.clone(), lanes).await {
        Ok(worker) => {
            let (bell, stop) = (worker.bell(), stop.child_token());
            let task = tokio::spawn(worker.run(stop.clone()));
            running.entry(row.id).or_default().push(Group { bell, stop, task, shards });
        }
        Err(error) => tracing::error!(consumer = %row.key, %error, "a worker cannot start"),
    }
}

/// Delivery in steps, for whoever turns the clock by hand.
pub struct Engine {
    shared: Arc<Shared>,
    workers: HashMap<ConsumerId, Worker>,
    flusher: JoinHandle<()>,
}

impl Engine {
    /// An engine that has done nothing yet.
    pub fn start(context: Context) -> Self {
        let (shared, flusher) = Shared::new(context);
        let flusher = tokio::spawn(flusher.run(CancellationToken::new()));
        Self { shared, workers: HashMap::new(), flusher }
    }

    /// Delivers until nothing is under way and nothing is due now. Whether there was anything to do.
    pub async fn run_once(&mut self) -> Result<bool, store::Error> {
        let book = self.shared.book().await?;
        for (id, row) in &book.consumers {
            if let Entry::Vacant(place) = self.workers.entry(*id) {
                let lanes = self.shared.take_all(*id).await?;
                place.insert(Worker::start(self.shared.clone(), row.clone(), lanes).await?);
            }
        }
        let worked = join_all(self.workers.values_mut().map(Worker::run_until_idle)).await;
        self.workers.retain(|_, worker| !worker.is_over());
        Ok(worked.into_iter().any(|worked| worked))
    }

    /// Ends without finishing anything, as a crash would.
    pub fn crash(self) {
        self.flusher.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::receiver::Receiver;
    use crate::delivery::tests::world::World;
    use crate::domain::event_type::EventType;

    #[tokio::test]
    async fn a_ring_wakes_those_for_whom_something_came() {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        let (one, subscription) = world.consumer("one", &receiver, |_| {}).await;
        let (two, _) = world.consumer("two", &receiver, |_| {}).await;
        let person = world.person(1, &[one, two]).await;
        let shared = Shared::new(world.context.clone()).0;
        let idle = || Group {
            bell: Arc::new(Notify::new()),
            stop: CancellationToken::new(),
            task: tokio::spawn(std::future::pending()),
            shards: (0..16).collect(),
        };
        let running = Running::from([(one, vec![idle()]), (two, vec![idle()])]);
        let mut newest = None;
        assert_eq!(wake(&shared, &running, false, &mut newest).await, 2, "what came before is not known");
        assert_eq!(wake(&shared, &running, false, &mut newest).await, 0);
        world.happen(person, EventType::Died, &[(one, &[subscription])]).await;
        assert_eq!(wake(&shared, &running, false, &mut newest).await, 1);
        assert!(futures::FutureExt::now_or_never(running[&one][0].bell.notified()).is_some());
        assert_eq!(wake(&shared, &running, false, &mut newest).await, 0);
        assert_eq!(wake(&shared, &running, true, &mut newest).await, 2);
    }
}
