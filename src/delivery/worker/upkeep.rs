//! Handing results over to the flusher, and what status and metrics show.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Worker;
use super::configure::Gate;
use crate::delivery::flush::Flushed;
use crate::delivery::metrics::Gauges;
use crate::delivery::retry::{between, earlier};
use crate::delivery::state::sending;
use crate::store::consumer::ConsumerState;
use crate::store::{self, dead_letter};

/// How often metrics are set.
const MEASURED_EVERY: Duration = Duration::from_millis(100);
/// How often the oldest event that waits is looked for; that reads all that wait.
const LOOKED_EVERY: Duration = Duration::from_secs(600);
/// Dead letters are counted so often while there are some; in tests at every turn, so that a count too early is seen.
pub(super) const COUNTED_EVERY: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 10_000 });
/// How long it counts that the receiver was given too much.
const PRESSED: Duration = Duration::from_secs(60);
/// A clock that goes back by less is not worth a thought.
const SET_BACK: Duration = Duration::from_secs(1);
/// How often lanes without results move too while there is always something under way.
const ALL_LANES_EVERY: Duration = Duration::from_secs(1);

impl Worker {
    /// Hands results over, if there are any and none are being written. Whether it did.
    pub(super) fn hand_over(&mut self) -> bool {
        let at_rest = self.queues.load().0 == 0 && self.in_flight.is_empty();
        let is_due =
            !self.results.is_empty() || self.taken.is_some() || (at_rest && self.lanes.has_moved(&self.queues));
        let is_pressing = self.results.urgent || self.results.size() >= self.enough();
        if self.flush.is_some() && !self.hurried && is_pressing {
            self.hurried = true;
            self.shared.inbox.hurry();
        }
        if self.flush.is_some() || self.over || !is_due {
            return false;
        }
        self.hurried = false;
        let all = at_rest || self.all_moved.elapsed() >= ALL_LANES_EVERY;
        if all {
            self.all_moved = Instant::now();
        }
        self.results.rows.keys().for_each(|record| self.lanes.touch(record.shard()));
        let taken = self.taken.take().or_else(|| self.taken_soon());
        let rows = self.lanes.rows(&self.queues, taken, all);
        self.lanes.handed_over();
        let mut results = std::mem::take(&mut self.results);
        results.lanes.clone_from(&rows);
        results.urgent |= self.draining;
        self.flush = Some((self.shared.inbox.hand_over(self.id, results), rows));
        true
    }

    /// Results that are written without waiting for more.
    pub(super) fn enough(&self) -> usize {
        self.shared.context.settings.flush_results as usize
    }

    /// Takes in that results were written. Whether they were.
    pub(super) fn take_flushed(&mut self) -> bool {
        let Some((receiver, _)) = &mut self.flush else { return false };
        match receiver.try_recv() {
            Ok(end) => self.note_flushed(Some(end)),
            Err(tokio::sync::oneshot::error::TryRecvError::Empty) => return false,
            Err(tokio::sync::oneshot::error::TryRecvError::Closed) => self.note_flushed(None),
        }
        true
    }

    pub(super) fn note_flushed(&mut self, end: Option<Flushed>) {
        let Some((_, rows)) = self.flush.take() else { return };
        match end {
            Some(Flushed::Written) => {
                self.lanes.written(&rows);
                self.offer_fresh();
            }
            Some(Flushed::Fenced) => {
                tracing::error!(consumer = %self.row.key, "another process took this consumer's lanes: sending stops");
                self.over = true;
            }
            None => self.over = true,
        }
    }

    /// Looks, now and then, how old the oldest event is that waits. Nobody looks while all is well.
    pub(super) async fn look_for_oldest(&mut self, now: Timestamp) -> Result<(), store::Error> {
        let is_well = self.obstacle(now).is_none() && self.queues.parked() == 0;
        if is_well {
            (self.oldest, self.looked_at) = (self.queues.oldest(), None);
        } else if self.looked_at.is_none_or(|at| between(at, now) >= LOOKED_EVERY) {
            self.looked_at = Some(now);
            let mut conn = self.shared.context.store.main.read_for(&[self.id]).await?;
            self.oldest = store::consumer::backlog(&mut conn, self.id).await?.oldest_pending_at;
        }
        Ok(())
    }

    /// A clock that was set back makes nobody wait longer: what is left of each wait stays. One that jumps forward ends waits,
    /// which costs an attempt at most.
    pub(super) fn look_at_clock(&mut self) {
        let now = self.now();
        let by = between(now, self.seen);
        self.seen = now;
        if by < SET_BACK {
            return;
        }
        tracing::warn!(consumer = %self.row.key, seconds = by.as_secs(), "the clock was set back: waits are kept as they were");
        self.results.rows.extend(self.queues.set_back(by));
        self.circuit.set_back(by);
        self.rate.set_back(by);
        self.signers.set_back(by);
        if let Some(link) = &mut self.link {
            link.endpoint.set_back(by);
        }
        let earlier = |at: Timestamp| earlier(at, by);
        (self.not_before, self.rest_until) = (self.not_before.map(earlier), self.rest_until.map(earlier));
        self.looked_at = None;
    }

    /// Counts dead letters again, for they go by other hands. Those that are not written yet could not be counted.
    pub(super) async fn count_dead_letters(&mut self) -> Result<(), store::Error> {
        let written = self.flush.is_none() && self.results.dead.is_empty() && self.results.expired.is_none();
        if self.dead_letters && written && self.counted.elapsed() >= COUNTED_EVERY {
            self.counted = Instant::now();
            let mut conn = self.shared.context.store.main.read_for(&[self.id]).await?;
            self.dead_letters = dead_letter::count(&mut conn, self.id).await? > 0;
        }
        Ok(())
    }

    /// Shows how it stands, where that changed.
    pub(super) fn show(&mut self) {
        let now = self.now();
        let lag = self.queues.oldest().map_or(Duration::ZERO, |at| between(at, now));
        let is_behind = self.backlog.is_behind(lag, now);
        self.is_shown = !self.backlog.is_turning();
        let gauges = self.gauges(lag);
        match self.gauged {
            Some((_, last)) if last == gauges => {}
            Some((at, _)) if at.elapsed() < MEASURED_EVERY => self.is_shown = false,
            _ => {
                self.shared.context.metrics.set(&self.row.key, &gauges);
                self.gauged = Some((Instant::now(), gauges));
            }
        }
        // One of the consumer's workers speaks for all.
        let is_speaker = self.row.ended_at.is_none() && self.lanes.holds(0);
        let strained = self.is_strained(is_behind);
        let Some(link) = self.link.as_ref().filter(|_| is_speaker) else { return };
        let state = ConsumerState {
            endpoint: Some(link.endpoint.found().clone()),
            sending: Some(sending(self.obstacle(now).as_ref(), is_behind, now)),
            strained,
            dead_letters: self.dead_letters,
            backlog_expiring: self.oldest.is_some_and(|at| between(at, now) >= self.shared.context.undelivered / 2),
        };
        // After a start it takes a moment until secrets are handed over: what was shown before holds until then.
        let (context, key) = (&self.shared.context, &self.row.key);
        let is_waited_for = (self.signers.is_empty() && !context.signing.is_known(key))
            || (link.lacks_access() && !context.access.is_known(key));
        if self.shown.is_some() && is_waited_for {
            return;
        }
        if self.shown.as_ref() != Some(&state) {
            self.shown = Some(state.clone());
            self.results.state = Some(state);
        }
    }

    /// Whether more workers would help.
    fn is_strained(&mut self, is_behind: bool) -> bool {
        let is_hard = self.effort.is_hard();
        let is_pressed = self.pressed.is_some_and(|at| at.elapsed() < PRESSED);
        is_behind && is_hard && !is_pressed && self.circuit.is_closed()
    }

    fn gauges(&self, lag: Duration) -> Gauges {
        Gauges {
            lag,
            waiting: self.queues.load().0,
            parked: self.queues.parked(),
            circuit_open: !self.circuit.is_closed(),
            in_flight: self.sending,
        }
    }

    /// When something is due, as far as that is known.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        if self.rest_until.is_some() || self.draining {
            return self.rest_until;
        }
        let sending = match self.gate(now) {
            Gate::Shut(until) => until,
            Gate::Open(_) | Gate::Withdrawing => self.queues.next_due(),
            Gate::Probe => None,
        };
        let can_ask = self.gone.is_none() && !self.signers.is_empty();
        let link = self.link.as_ref().filter(|link| can_ask && link.sender.is_ok());
        let proof = link.and_then(|link| link.endpoint.next_at(self.signers.is_changing()));
        // A proof that is overdue waits for something else than time.
        [sending, proof.filter(|at| *at > now)].into_iter().flatten().min()
    }
}
