//! Sending what may be sent now: rights and protection are read again, bodies built, signed and sent.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::{JoinError, JoinHandle};

use super::configure::Gate;
use super::{Done, Worker, given};
use crate::delivery::build::{Built, Delivery, Facts, build};
use crate::delivery::outcome::Fault;
use crate::delivery::queue::Turn;
use crate::delivery::read::{self, Basis, Opened};
use crate::delivery::retry::later;
use crate::delivery::send::send;
use crate::delivery::sign::sign;
use crate::delivery::verify::{self, challenge};
use crate::store;
use crate::store::consumer::ConsumerRow;

/// How many events are built from one reading of rights and protection, at most.
const BATCH: usize = 256;
/// How many such readings are under way at a time, at most.
const READINGS: usize = 2;
/// For how long what was read of rights and protection is good enough to send by.
const FRESH: Duration = Duration::from_millis(50);
/// As many events as go in this time are read for at once: what is read goes while it is fresh, also behind most of as many.
const TICK: Duration = Duration::from_millis(25);
/// How long an event waits whose subscriptions are suspended, unless the configuration changes before.
const HELD_FOR: Duration = Duration::from_secs(3600);

/// What events are built from, as it was read.
pub(super) type Read = Result<Result<Basis, store::Error>, JoinError>;

/// Events whose rights and protection are being read.
pub(super) struct Preparing {
    turns: Vec<Turn>,
    reading: JoinHandle<Result<Basis, store::Error>>,
}

/// An event that goes as soon as there is room, with what was read for it and when.
pub(super) struct Prepared {
    turn: Turn,
    basis: Arc<Basis>,
    read_at: Instant,
}

/// How many events went of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    began: Option<Instant>,
    went: usize,
    before: usize,
}

impl Pace {
    fn went(&mut self, now: Instant) {
        match self.began.map(|began| now.saturating_duration_since(began)) {
            Some(since) if since < TICK => {}
            Some(since) if since < 2 * TICK => *self = Self { began: Some(now), went: 0, before: self.went },
            _ => *self = Self { began: Some(now), ..Self::default() },
        }
        self.went += 1;
    }

    /// How many more go in a tick, if it goes on like this.
    fn of_a_tick(&self) -> usize {
        self.went.max(self.before)
    }
}

impl Worker {
    /// Sends a challenge if one is due, begins with the next events, and sends those that are prepared. Whether there were any.
    pub(super) fn dispatch(&mut self) -> bool {
        let now = self.now();
        let challenged = self.send_challenge(now);
        if self.results.size() > 4 * self.enough() {
            return challenged;
        }
        let begun = self.prepare(now);
        self.send_prepared(now) || begun || challenged
    }

    /// Begins to read rights and protection for the next events that may go, while others are sent. Whether it did.
    ///
    /// Where events flow, more are read for than may go at this moment: they follow within what is left of [`FRESH`].
    fn prepare(&mut self, now: Timestamp) -> bool {
        let flowing = self.pace.of_a_tick();
        let ahead = self.prepared.len() + self.preparing.iter().map(|reading| reading.turns.len()).sum::<usize>();
        // Another reading beside one that took as many as it may: else what comes is better gathered.
        let may_begin = self.preparing.len() < READINGS && self.preparing.iter().all(|one| one.turns.len() == BATCH);
        if !may_begin || ahead > flowing * 3 / 4 {
            return false;
        }
        let turns: Vec<Turn> = match self.gate(now) {
            Gate::Open(room) => {
                let count = room.saturating_sub(ahead).max(flowing).min(BATCH);
                (0..count).map_while(|_| self.queues.take()).collect()
            }
            Gate::Withdrawing => (0..BATCH).map_while(|_| self.queues.take()).collect(),
            Gate::Probe if ahead == 0 => self.queues.take_probe(self.last_probe).into_iter().collect(),
            Gate::Probe | Gate::Shut(_) => Vec::new(),
        };
        if turns.is_empty() {
            return false;
        }
        let (shared, id, asked) = (self.shared.clone(), self.id, turns.clone());
        let read = async move { read::basis(&shared.context.store, &shared.shelf, id, &asked).await };
        self.preparing.push_back(Preparing { turns, reading: tokio::spawn(read) });
        true
    }

    /// Takes in what was read, if it has been. Whether there was anything.
    pub(super) fn take_finished_preparing(&mut self) -> bool {
        let Some(read) = given(preparing(&mut self.preparing)) else { return false };
        self.take_prepared(read);
        true
    }

    pub(super) fn take_prepared(&mut self, read: Read) {
        let Some(Preparing { turns, .. }) = self.preparing.pop_front() else { return };
        let read: Result<Basis, Box<dyn Error>> = match read {
            Ok(read) => read.map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(basis) => {
                let (basis, read_at) = (Arc::new(basis), Instant::now());
                let prepared = turns.into_iter().map(|turn| Prepared { turn, basis: basis.clone(), read_at });
                self.prepared.extend(prepared);
            }
            Err(error) => {
                turns.iter().rev().for_each(|turn| self.queues.give_back(turn.key));
                self.rest(&*error);
            }
        }
    }

    /// Sends what is prepared, as far as it may still go. Whether anything was done.
    pub(super) fn send_prepared(&mut self, now: Timestamp) -> bool {
        if self.prepared.is_empty() {
            return false;
        }
        let room = match self.gate(now) {
            Gate::Open(room) => room,
            Gate::Withdrawing => self.prepared.len(),
            // Whom to try is chosen; those that were prepared while all went are not.
            Gate::Probe if self.prepared.len() > 1 => return self.give_back_prepared(),
            Gate::Probe => 1,
            Gate::Shut(_) => 0,
        };
        for sent in 0..room {
            let Some(next) = self.prepared.front() else { return sent > 0 };
            if self.version != Some(next.basis.book.version) {
                // What may be sent at all, and where to, is judged anew before anything goes out.
                self.configured = None;
                return self.give_back_prepared();
            }
            if next.read_at.elapsed() > FRESH {
                return self.give_back_prepared();
            }
            let Some(next) = self.prepared.pop_front() else { return sent > 0 };
            self.pace.went(Instant::now());
            self.dispatch_one(next.turn, &next.basis, now);
        }
        // Whatever is under way wakes us when there is room again.
        if self.sending == 0 { self.give_back_prepared() } else { room > 0 }
    }

    /// Gives back what is prepared and does not go. Whether there was anything.
    pub(super) fn give_back_prepared(&mut self) -> bool {
        if self.prepared.is_empty() {
            return false;
        }
        self.pace = Pace::default();
        self.prepared.drain(..).rev().for_each(|one| self.queues.give_back(one.turn.key));
        true
    }

    fn dispatch_one(&mut self, turn: Turn, basis: &Basis, now: Timestamp) {
        let consumer = basis.book.consumers.get(&self.id).unwrap_or(&self.row).clone();
        let key = turn.key;
        let snapshot = match basis.opened(&turn.route) {
            Opened::Snapshot(snapshot) => Some(snapshot.as_ref()),
            Opened::Nothing => None,
            Opened::Unreadable if consumer.ended_at.is_none() => return self.park_ours(&turn, "Unreadable", now),
            Opened::Unreadable => None,
        };
        let facts = Facts {
            consumer: &consumer,
            book: &basis.book,
            key: &self.key,
            snapshot,
            protected: basis.is_protected(&turn.route),
            subjects: basis.subjects(&turn.route),
            claimed: &basis.claimed,
            ceiling: self.ceilings.get(&turn.route.seq),
            now,
        };
        match build(turn.clone(), &facts) {
            Built::Delivery(delivery) => {
                if !self.leads_to(&consumer) || !self.send(*delivery, now) {
                    self.queues.give_back(key);
                }
            }
            Built::Withdrawn(withdrawal) => self.withdraw(&turn, withdrawal, now),
            Built::Held => self.hold(&turn, later(now, HELD_FOR), now),
            Built::Unbuildable(what) => {
                tracing::error!(consumer = %self.row.key, seq = turn.route.seq, what, "an event cannot be built");
                self.park_ours(&turn, "Unbuildable", now);
            }
        }
    }

    /// Whether what is sent now goes where it was judged to go: the configuration may have changed since it was taken in.
    fn leads_to(&self, consumer: &ConsumerRow) -> bool {
        let wanted = consumer.compiled.as_ref().map(|compiled| &compiled.delivery.url);
        self.link.as_ref().map(|link| &link.url) == wanted
    }

    fn send(&mut self, delivery: Delivery, now: Timestamp) -> bool {
        let Some(link) = &self.link else { return false };
        let Ok(sender) = link.sender.clone() else { return false };
        let secrets = self.signers.secrets();
        let Some(request) = sign(&link.url, &delivery.id, delivery.body.clone(), &secrets, now) else { return false };
        if !self.circuit.is_closed() {
            self.circuit.probe();
            self.last_probe = Some(delivery.turn.key);
        }
        let rate = self.rate_per_second();
        self.rate.draw(rate, 1, now);
        let (number, timeout) = (self.attempts_of(&delivery.turn) + 1, link.timeout);
        self.sending += 1;
        self.in_flight
            .spawn(async move { Done::Attempt(Box::new(send(sender, delivery, number, request, timeout, now).await)) });
        true
    }

    /// Attempts that were made of an event.
    pub(super) fn attempts_of(&self, turn: &Turn) -> u32 {
        let before = self.known.get(&turn.route.seq).map_or(0, |(count, _)| *count);
        turn.own_wait().map_or(0, |wait| wait.attempts).max(before)
    }

    fn send_challenge(&mut self, now: Timestamp) -> bool {
        let is_suspended = self.row.compiled.as_ref().is_none_or(|compiled| compiled.suspended);
        if is_suspended || self.row.ended_at.is_some() || self.gone.is_some() {
            return false;
        }
        let changing = self.signers.is_changing();
        let Some(link) = self.link.as_mut().filter(|link| link.endpoint.wants(changing, now)) else { return false };
        let Ok(sender) = link.sender.clone() else { return false };
        // Where the address is proved, what is asked is whether the receiver knows the new secrets: they sign alone.
        let proves_secrets = changing && link.endpoint.is_verified();
        let secrets = if proves_secrets { self.signers.present() } else { self.signers.secrets() };
        let challenge = challenge(&self.row.key, now);
        let Some(request) = sign(&link.url, &challenge.id, challenge.body, &secrets, now) else { return false };
        link.endpoint.asked();
        let (timeout, by) = (link.timeout, link.verification);
        let of = link.endpoint.fingerprint.clone();
        let signed_by = proves_secrets.then(|| self.signers.fingerprint().to_owned());
        self.in_flight.spawn(async move {
            let answer = sender.post(request, timeout).await.map(|answer| (answer.status, answer.body));
            Done::Challenge { of, signed_by, verdict: verify::judge(answer, &challenge.text, by) }
        });
        true
    }

    fn park_ours(&mut self, turn: &Turn, class: &str, now: Timestamp) {
        self.circuit.failed(turn.key, false, Fault::Ours, false, now);
        self.park_free(turn, class, now);
    }
}

/// The reading that was begun first of those under way.
pub(super) fn preparing(of: &mut VecDeque<Preparing>) -> Option<&mut JoinHandle<Result<Basis, store::Error>>> {
    of.front_mut().map(|preparing| &mut preparing.reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_read_for_as_went_in_a_tick_and_few_after_a_pause() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        assert_eq!(pace.of_a_tick(), 0);
        (0..100).for_each(|n| pace.went(begun + n * TICK / 50));
        assert_eq!(pace.of_a_tick(), 50);
        (0..1000).for_each(|_| pace.went(begun + 2 * TICK));
        assert_eq!(pace.of_a_tick(), 1000);
        pace.went(begun + 9 * TICK);
        assert_eq!(pace.of_a_tick(), 1);
    }
}
