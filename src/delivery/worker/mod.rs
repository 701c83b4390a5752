//! One consumer's worker: a task, a connection pool and limits of its own, so that a slow receiver costs no other.
//!
//! A step does all that can be done without waiting: take in what ended, read, send, hand results over. Between two steps
//! the worker waits for an answer, a flush, a bell, or the instant at which something is due.

mod configure;
mod dispatch;
mod expire;
mod intake;
mod prepare;
mod settle;
mod upkeep;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::configure::Link;
use self::prepare::{Pace, Prepared, Preparing};
use self::upkeep::COUNTED_EVERY;
use super::Shared;
use super::build::Ceiling;
use super::circuit::Circuit;
use super::flush::{Flushed, Results};
use super::lanes::Lanes;
use super::metrics::{Accepted, Gauges};
use super::queue::{Key, Queues};
use super::rate::Rate;
use super::retry::between;
use super::rotation::Signers;
use super::send::Attempt;
use super::state::Backlog;
use super::verify::Verdict;
use super::window::Window;
use crate::domain::pairwise::ConsumerKey;
use crate::runtime::effort::Effort;
use crate::store::attempt::AttemptOutcome;
use crate::store::consumer::{ConsumerRow, ConsumerState};
use crate::store::lane::Lane;
use crate::store::route::Route;
use crate::store::{self, ConsumerId};

/// The longest wait between two looks at the database while anything is to be done, or to be seen in time.
const POLL: Duration = Duration::from_secs(1);
/// The same where nothing waits.
const IDLE: Duration = Duration::from_secs(60);
/// How often more answers are let in before those that came are worked on.
const GATHERED: usize = 4;
/// How long to rest after the store failed.
const REST: Duration = Duration::from_secs(1);

/// A worker.
pub struct Worker {
    shared: Arc<Shared>,
    id: ConsumerId,
    row: Arc<ConsumerRow>,
    key: ConsumerKey,
    link: Option<Link>,
    bell: Arc<Notify>,
    lanes: Lanes,
    queues: Queues,
    known: HashMap<i64, (u32, Option<AttemptOutcome>)>,
    /// Routes that are being read while others are sent.
    reading: Option<JoinHandle<Reading>>,
    /// Routes that were read and wait until it is durable that they may be sent.
    fresh: Vec<Route>,
    caught_up: bool,
    /// Somebody rang since the last reading began.
    rung: bool,
    /// Over how many numbers the last reading went.
    stride: i64,
    /// Up to here it shall be durable that routes may be sent.
    taken: Option<i64>,
    /// Version of the configuration that was adopted last; none before the first.
    version: Option<i64>,
    /// When it was looked whether that is still the present one; none where it has to be looked now.
    configured: Option<Instant>,
    /// The address has to prove itself again, whatever is stored.
    proof_needed: bool,
    /// What metrics show, and since when.
    gauged: Option<(Instant, Gauges)>,
    /// Whether metrics and status say how it stands, and time alone changes nothing of that.
    is_shown: bool,
    counted: Instant,
    /// When the oldest event that waits was committed, and when that was looked for.
    oldest: Option<Timestamp>,
    looked_at: Option<Timestamp>,
    /// Those that are still to be read to find what has expired.
    sweep: Option<Vec<Key>>,
    all_moved: Instant,
    circuit: Circuit,
    window: Window,
    rate: Rate,
    signers: Signers,
    /// The receiver asked not to be disturbed before.
    not_before: Option<Timestamp>,
    /// The generation for which the receiver said that it is gone.
    gone: Option<i64>,
    last_probe: Option<Key>,
    last_class: String,
    accepted: u64,
    counted_as: Accepted,
    ceilings: HashMap<i64, Ceiling>,
    results: Results,
    flush: Option<(oneshot::Receiver<Flushed>, Vec<Lane>)>,
    /// The flusher was told that enough came together behind what it has.
    hurried: bool,
    /// Events whose rights and protection are being read while others are sent, those that were begun with first in front.
    preparing: VecDeque<Preparing>,
    /// Those of which they were.
    prepared: VecDeque<Prepared>,
    /// How many went of late, since some that were prepared had to be given back.
    pace: Pace,
    in_flight: JoinSet<Done>,
    sending: usize,
    ended: Vec<Done>,
    backlog: Backlog,
    effort: Effort,
    /// When the receiver last showed that it was given too much.
    pressed: Option<Instant>,
    dead_letters: bool,
    shown: Option<ConsumerState>,
    rest_until: Option<Timestamp>,
    /// What the clock showed last.
    seen: Timestamp,
    draining: bool,
    over: bool,
}

/// A request that has ended.
enum Done {
    Attempt(Box<Attempt>),
    Challenge { of: String, signed_by: Option<String>, verdict: Verdict },
}

impl Worker {
    /// Begins with lanes of the consumer that were taken, and remembers where they stood.
    pub(super) async fn start(
        shared: Arc<Shared>,
        row: Arc<ConsumerRow>,
        lanes: Vec<Lane>,
    ) -> Result<Self, store::Error> {
        let (id, store) = (row.id, &shared.context.store);
        let now = shared.context.clock.now();
        let key = store.keys.consumer_key(id, now).await?;
        let lanes = Lanes::new(lanes);
        let mut conn = store.main.read_for(&[id]).await?;
        let mut parked = store::parked::all(&mut conn, id).await?;
        parked.retain(|row| lanes.holds(row.record.shard()));
        let known = store::attempt::above(&mut conn, id, lanes.position()).await?;
        let dead_letters = store::dead_letter::count(&mut conn, id).await? > 0;
        let shown = store::consumer::state(&mut conn, id).await?;
        drop(conn);
        let queues = Queues::new(lanes.position(), parked, now);
        let circuit = Circuit::new(shared.circuit_limits());
        Ok(Self {
            counted_as: shared.context.metrics.accepted(&row.key),
            id,
            row,
            key,
            link: None,
            bell: Arc::new(Notify::new()),
            lanes,
            queues,
            known,
            reading: None,
            fresh: Vec::new(),
            caught_up: false,
            rung: false,
            stride: 0,
            taken: None,
            version: None,
            configured: None,
            proof_needed: false,
            gauged: None,
            is_shown: false,
            counted: Instant::now(),
            oldest: None,
            looked_at: None,
            sweep: None,
            all_moved: Instant::now(),
            circuit,
            window: Window::default(),
            rate: Rate::default(),
            signers: Signers::default(),
            not_before: None,
            gone: None,
            last_probe: None,
            last_class: String::new(),
            accepted: 0,
            ceilings: HashMap::new(),
            results: Results::default(),
            flush: None,
            in_flight: JoinSet::new(),
            hurried: false,
            preparing: VecDeque::new(),
            prepared: VecDeque::new(),
            pace: Pace::default(),
            sending: 0,
            ended: Vec::new(),
            backlog: Backlog::default(),
            effort: Effort::begin(),
            pressed: None,
            dead_letters,
            shown,
            rest_until: None,
            seen: now,
            draining: false,
            over: false,
            shared,
        })
    }

    /// What wakes this worker.
    pub(super) fn bell(&self) -> Arc<Notify> {
        self.bell.clone()
    }

    /// Works until `stop`, then finishes what is under way and writes it; or until the consumer or its lanes are gone.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            self.draining |= stop.is_cancelled();
            let progress = self.step().await;
            if self.over || (self.draining && self.is_quiet()) {
                break;
            }
            if !progress {
                self.wait(&stop).await;
            }
        }
        self.shared.context.metrics.forget(&self.row.key);
        if !self.shared.context.presence.is_alone() {
            self.release().await;
        }
    }

    /// Gives the lanes back, so that others need not wait until this process counts as dead.
    async fn release(&self) {
        let released = async {
            let mut tx = self.shared.context.store.main.begin_apart_for(&[self.id]).await?;
            store::lane::release(&mut tx, self.id, self.lanes.held()).await?;
            tx.commit().await
        };
        if let Err(error) = released.await {
            tracing::warn!(consumer = %self.row.key, %error, "lanes were not given back: others wait some seconds");
        }
    }

    /// Works until nothing is under way and nothing is due now. Whether there was anything to do.
    pub(super) async fn run_until_idle(&mut self) -> bool {
        let mut worked = false;
        self.hear_bell();
        loop {
            let progress = self.step().await;
            worked |= progress;
            if self.over || (!progress && self.is_quiet()) {
                return worked;
            }
            if !progress {
                self.wait(&CancellationToken::new()).await;
            }
        }
    }

    /// Whether another holds the lanes, or the consumer is gone.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    fn is_quiet(&self) -> bool {
        let is_sent = self.in_flight.is_empty() && self.ended.is_empty();
        let is_prepared = !self.preparing.is_empty() || !self.prepared.is_empty();
        is_sent && !is_prepared && self.flush.is_none() && self.results.is_empty() && self.reading.is_none()
    }

    fn now(&self) -> Timestamp {
        self.shared.context.clock.now()
    }

    /// Whether it did anything.
    async fn step(&mut self) -> bool {
        self.look_at_clock();
        let mut progress = self.take_flushed();
        progress |= self.take_ended();
        progress |= self.take_finished_reading();
        progress |= self.take_finished_preparing();
        if self.over {
            return progress;
        }
        if self.rest_until.is_none_or(|until| until <= self.now()) {
            self.rest_until = None;
            match self.work().await {
                Ok(worked) => progress |= worked,
                Err(error) => self.rest(&error),
            }
        }
        self.show();
        self.hand_over() || progress
    }

    fn rest(&mut self, error: &dyn std::error::Error) {
        tracing::error!(consumer = %self.row.key, %error, "delivery rests, for the store failed");
        self.rest_until = Some(super::retry::later(self.now(), REST));
    }

    async fn work(&mut self) -> Result<bool, store::Error> {
        self.configure().await?;
        self.count_dead_letters().await?;
        self.look_for_oldest(self.now()).await?;
        if self.over || self.draining {
            return Ok(self.give_back_prepared());
        }
        self.begin_to_read();
        let replayed = self.replay().await?;
        let expired = self.expire(self.now()).await?;
        Ok(self.dispatch() || replayed || expired)
    }

    async fn wait(&mut self, stop: &CancellationToken) {
        let pause = self.pause();
        let bell = self.bell.clone();
        tokio::select! {
            Some(done) = self.in_flight.join_next(), if !self.in_flight.is_empty() => {
                self.note(done);
                self.gather().await;
            }
            flushed = flushed(&mut self.flush), if self.flush.is_some() => self.note_flushed(flushed),
            read = gives(prepare::preparing(&mut self.preparing)), if !self.preparing.is_empty() => self.take_prepared(read),
            read = gives(self.reading.as_mut()), if self.reading.is_some() => {
                self.take_read(read);
            }
            () = bell.notified() => self.hear_bell(),
            () = stop.cancelled(), if !self.draining => {}
            () = tokio::time::sleep(pause) => {
                // Only looks that nobody rang for are a poll.
                self.caught_up &= pause < POLL;
            }
        }
    }

    fn hear_bell(&mut self) {
        (self.caught_up, self.rung, self.configured) = (false, true, None);
    }

    /// Lets answers in that come together with one: what is read, built and written for one is done for all of them.
    async fn gather(&mut self) {
        for _ in 0..GATHERED {
            let before = self.ended.len();
            tokio::task::yield_now().await;
            while let Some(done) = self.in_flight.try_join_next() {
                self.note(done);
            }
            if self.ended.len() == before {
                return;
            }
        }
    }

    fn pause(&self) -> Duration {
        let now = self.now();
        let most = self.longest_pause();
        let due = self.next_due(now).map_or(most, |at| between(now, at));
        due.clamp(Duration::from_millis(1), most)
    }

    /// Where nothing waits the supervisor looks for all: it wakes those for whom something came.
    fn longest_pause(&self) -> Duration {
        let is_idle = self.caught_up
            && self.fresh.is_empty()
            && self.queues.load().0 == 0
            && self.queues.parked() == 0
            && self.is_quiet()
            && self.is_shown
            && !self.signers.is_changing();
        match (is_idle, self.dead_letters) {
            (true, false) => IDLE,
            (true, true) => COUNTED_EVERY,
            (false, _) => POLL,
        }
    }
}

/// What a reading found, and how many routes it asked for.
type Reading = (Result<Vec<Route>, store::Error>, usize);

/// What a task gave, if there is one that has ended.
fn given<T>(task: Option<&mut JoinHandle<T>>) -> Option<Result<T, JoinError>> {
    task.filter(|task| task.is_finished())?.now_or_never()
}

/// Waits for what a task gives; for ever, if there is none.
async fn gives<T>(task: Option<&mut JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

async fn flushed(flush: &mut Option<(oneshot::Receiver<Flushed>, Vec<Lane>)>) -> Option<Flushed> {
    match flush {
        Some((receiver, _)) => receiver.await.ok(),
        None => None,
    }
}
