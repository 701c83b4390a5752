//! Flushing: the results of all workers of a process in one transaction, a few times a second.
//!
//! Order within it: lanes first, for they carry the fence; a worker that lost its lanes writes nothing at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::queue::RowChange;
use crate::audit;
use crate::domain::event_type::EventType;
use crate::domain::pairwise::RecordId;
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::store::attempt::{Attempt, AttemptOutcome};
use crate::store::consumer::ConsumerState;
use crate::store::dead_letter::GivenUp;
use crate::store::lane::Lane;
use crate::store::parked::Parked;
use crate::store::route::Route;
use crate::store::{self, ConsumerId, Store, Tx};

/// How often a flush that fails is tried while the process is ending.
const LAST_TRIES: u32 = 3;
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Why a flush failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The audit record could not be written, so nothing is.
    #[error("audit record: {0}")]
    Record(#[from] audit::Error),
}

/// What one worker has to write.
#[derive(Debug, Default)]
pub struct Results {
    /// Lanes to move, under the epoch in which they are held.
    pub lanes: Vec<Lane>,
    /// Attempts, and routes settled without one.
    pub attempts: Vec<Attempt>,
    /// Parked rows, the last change of each person.
    pub rows: HashMap<RecordId, RowChange>,
    /// Events given up.
    pub dead: Vec<Dead>,
    /// Events that were not taken for as long as they are kept.
    pub expired: Option<Expired>,
    /// Entries of the audit record.
    pub records: Vec<audit::Entry>,
    /// Fingerprint of an address that proved itself.
    pub verified: Option<String>,
    /// What status shows, where it changed.
    pub state: Option<ConsumerState>,
    /// Whether somebody waits for it.
    pub urgent: bool,
}

/// An event given up.
#[derive(Debug)]
pub struct Dead {
    /// The event.
    pub route: Arc<Route>,
    /// Attempts made.
    pub attempts: u32,
    /// Class of the last error.
    pub class: String,
}

/// Events that were not taken for as long as they are kept: one visible range.
#[derive(Debug)]
pub struct Expired {
    from: i64,
    to: i64,
    count: u64,
    oldest: jiff::Timestamp,
    persons: HashSet<RecordId>,
}

impl Expired {
    /// A range that is to hold this event.
    pub fn starting(route: &Route) -> Self {
        Self { from: route.seq, to: route.seq, count: 0, oldest: route.at, persons: HashSet::new() }
    }

    /// Puts an event in.
    pub fn add(&mut self, route: &Route) {
        (self.from, self.to) = (self.from.min(route.seq), self.to.max(route.seq));
        self.count += 1;
        self.oldest = self.oldest.min(route.at);
        self.persons.extend(route.record);
    }
}

impl Results {
    /// Whether there is nothing but lanes.
    pub fn is_empty(&self) -> bool {
        self.size() == 0 && self.verified.is_none() && self.state.is_none()
    }

    /// How many rows it will be.
    pub fn size(&self) -> usize {
        self.attempts.len() + self.rows.len() + self.dead.len()
    }
}

/// How a worker's results fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// They are durable.
    Written,
    /// Another holds the lanes: nothing was written, nothing may be sent.
    Fenced,
}

/// Results on their way to the flusher.
pub struct Handover {
    consumer: ConsumerId,
    results: Results,
    done: oneshot::Sender<Flushed>,
}

/// What workers say to the flusher.
enum Message {
    Results(Box<Handover>),
    Hurry,
}

/// Where workers hand their results over.
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::UnboundedSender<Message>);

impl Inbox {
    /// Hands results over. The answer comes when they are durable; never, if the flusher ended before.
    pub fn hand_over(&self, consumer: ConsumerId, results: Results) -> oneshot::Receiver<Flushed> {
        let (done, receiver) = oneshot::channel();
        // A flusher that is gone drops the sender, which the receiver sees.
        let _ = self.0.send(Message::Results(Box::new(Handover { consumer, results, done })));
        receiver
    }

    /// Says that there is no need to wait for more: enough has come together behind what was handed over.
    pub fn hurry(&self) {
        // As above.
        let _ = self.0.send(Message::Hurry);
    }
}

/// The task that writes.
pub struct Flusher {
    inbox: mpsc::UnboundedReceiver<Message>,
    store: Store,
    clock: Clock,
    bells: Bells,
    interval: Duration,
    enough: usize,
}

impl Flusher {
    /// A flusher that waits `interval` for more, unless there are `enough` results or somebody waits.
    pub fn new(store: Store, clock: Clock, bells: Bells, interval: Duration, enough: u32) -> (Inbox, Self) {
        let (sender, inbox) = mpsc::unbounded_channel();
        (Inbox(sender), Self { inbox, store, clock, bells, interval, enough: enough.max(1) as usize })
    }

    /// Writes until no worker is left; after `stop` it does not try for ever.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(batch) = self.collect().await {
            self.write(batch, &stop).await;
        }
    }

    async fn collect(&mut self) -> Option<Vec<Handover>> {
        let first = loop {
            // Whoever hurried is served already.
            if let Message::Results(first) = self.inbox.recv().await? {
                break *first;
            }
        };
        let (mut size, mut urgent) = (first.results.size(), first.results.urgent);
        let mut batch = vec![first];
        let end = tokio::time::Instant::now() + self.interval;
        while size < self.enough {
            let next = if urgent {
                self.inbox.try_recv().ok()
            } else {
                tokio::time::timeout_at(end, self.inbox.recv()).await.ok().flatten()
            };
            let Some(next) = next else { break };
            let Message::Results(next) = next else {
                urgent = true;
                continue;
            };
            size += next.results.size();
            urgent |= next.results.urgent;
            batch.push(*next);
        }
        Some(batch)
    }

    /// All in one transaction; if that fails, each worker's in one of its own, so that one cannot stop the others.
    async fn write(&self, batch: Vec<Handover>, stop: &CancellationToken) {
        let mut groups = vec![batch];
        let (mut tries, mut wait) = (0, Duration::from_millis(50));
        while !groups.is_empty() {
            let mut failed = Vec::new();
            for group in groups {
                match self.transaction(&group).await {
                    Ok(ends) => answer(group, &ends),
                    Err(error) => {
                        tracing::error!(%error, workers = group.len(), "results of deliveries could not be written");
                        failed.extend(group.into_iter().map(|one| vec![one]));
                    }
                }
            }
            groups = failed;
            tries += u32::from(stop.is_cancelled());
            if groups.is_empty() || tries >= LAST_TRIES {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Whose lanes are not theirs any more is left out; the transaction begins anew without them.
    async fn transaction(&self, group: &[Handover]) -> Result<Vec<Flushed>, Error> {
        self.store.keys.ensure_period(self.clock.now()).await?;
        let mut ends = vec![Flushed::Written; group.len()];
        while let Some(fenced) = self.try_transaction(group, &ends).await? {
            ends[fenced] = Flushed::Fenced;
        }
        Ok(ends)
    }

    /// The first whose lanes are another's; then nothing was written.
    async fn try_transaction(&self, group: &[Handover], ends: &[Flushed]) -> Result<Option<usize>, Error> {
        let (began, now) = (Instant::now(), self.clock.now());
        let consumers: Vec<ConsumerId> = group.iter().map(|one| one.consumer).collect();
        let mut tx = self.store.main.begin_beside_for(&consumers).await?;
        let (mut shown, mut records) = (false, Vec::new());
        for (place, one) in group.iter().enumerate().filter(|(place, _)| ends[*place] == Flushed::Written) {
            if !store::lane::advance(&mut tx, one.consumer, &one.results.lanes).await? {
                return Ok(Some(place));
            }
            shown |= write_one(&mut tx, one, now).await?;
            records.extend(&one.results.records);
        }
        audit::record(&mut tx, &self.store.keys, records).await?;
        tx.commit().await?;
        if shown {
            self.bells.status.ring();
        }
        say(group, began.elapsed());
        Ok(None)
    }
}

/// One line for all that one transaction settled.
fn say(group: &[Handover], took: Duration) {
    let all = || group.iter().map(|one| &one.results);
    if all().all(|results| results.attempts.is_empty()) {
        return;
    }
    let ended = |as_: AttemptOutcome| all().flat_map(|r| &r.attempts).filter(|attempt| attempt.outcome == as_).count();
    tracing::info!(
        consumers = group.len(),
        delivered = ended(AttemptOutcome::Delivered),
        failed = ended(AttemptOutcome::Failed),
        withdrawn = ended(AttemptOutcome::Withdrawn),
        given_up = ended(AttemptOutcome::DeadLettered),
        millis = took.as_millis() as u64,
        "deliveries recorded"
    );
}

fn answer(group: Vec<Handover>, ends: &[Flushed]) {
    for (one, end) in group.into_iter().zip(ends) {
        // A worker that is gone needs no answer.
        let _ = one.done.send(*end);
    }
}

/// Whether status has something new to show.
async fn write_one(tx: &mut Tx, one: &Handover, now: jiff::Timestamp) -> Result<bool, store::Error> {
    let (consumer, results) = (one.consumer, &one.results);
    if !results.attempts.is_empty() {
        store::attempt::insert(tx, consumer, &results.attempts).await?;
    }
    let (written, deleted) = split(&results.rows);
    if !written.is_empty() {
        store::parked::write(tx, consumer, &written).await?;
    }
    if !deleted.is_empty() {
        store::parked::delete(tx, consumer, &deleted).await?;
    }
    if !results.dead.is_empty() {
        let letters: Vec<GivenUp<'_>> = results.dead.iter().map(given_up).collect();
        store::dead_letter::insert(tx, &letters, now).await?;
        // A snapshot that is refused as well is not followed by another without end.
        let events = results.dead.iter().filter(|dead| dead.route.type_ != EventType::Snapshot);
        let of: Vec<RecordId> = events.filter_map(|dead| dead.route.record).collect();
        store::request::ask(tx, consumer, &of, now).await?;
    }
    if let Some(range) = &results.expired {
        let (span, oldest) = ((range.from, range.to), range.oldest);
        store::dead_letter::insert_range(tx, consumer, span, range.count, oldest, now).await?;
        let of: Vec<RecordId> = range.persons.iter().copied().collect();
        store::request::ask(tx, consumer, &of, now).await?;
    }
    if let Some(fingerprint) = &results.verified {
        store::consumer::write_verified(tx, consumer, fingerprint, now).await?;
    }
    match &results.state {
        Some(state) => store::consumer::write_state(tx, consumer, state).await,
        None => Ok(false),
    }
}

fn split(rows: &HashMap<RecordId, RowChange>) -> (Vec<Parked>, Vec<RecordId>) {
    let (mut written, mut deleted) = (Vec::new(), Vec::new());
    for change in rows.values() {
        match change {
            RowChange::Write(row) => written.push(row.clone()),
            RowChange::Delete(record) => deleted.push(*record),
        }
    }
    (written, deleted)
}

fn given_up(dead: &Dead) -> GivenUp<'_> {
    GivenUp { route: &dead.route, attempts: dead.attempts, class: &dead.class }
}
