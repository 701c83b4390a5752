//! Sending what may be sent now: rights and protection are read again, bodies built, signed and sent.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::task::JoinError;

use super::configure::Gate;
use super::{Done, Worker};
use crate::delivery::build::{Built, Delivery, Facts, build};
use crate::delivery::outcome::Fault;
use crate::delivery::queue::Turn;
use crate::delivery::read::{self, Basis, Opened};
use crate::delivery::retry::later;
use crate::delivery::send::{post, send};
use crate::delivery::sign::sign;
use crate::delivery::verify::{self, challenge};
use crate::store;
use crate::store::consumer::ConsumerRow;

/// How many events are built from one reading of rights and protection.
const BATCH: usize = 64;
/// How long an event waits whose subscriptions are suspended, unless the configuration changes before.
const HELD_FOR: Duration = Duration::from_secs(3600);

/// Events that are to be sent, and what they are built from.
pub(super) type Prepared = (Vec<Turn>, Result<Result<Basis, store::Error>, JoinError>);

impl Worker {
    /// Sends a challenge if one is due, and begins with the next events as far as they may go. Whether there was any.
    pub(super) fn dispatch(&mut self) -> bool {
        let now = self.now();
        let challenged = self.send_challenge(now);
        if self.results.size() > 4 * self.enough() {
            return challenged;
        }
        self.prepare(now) || challenged
    }

    /// Begins to read rights and protection for the next events that may go, while others are sent. Whether it did.
    fn prepare(&mut self, now: Timestamp) -> bool {
        if !self.preparing.is_empty() {
            return false;
        }
        let turns: Vec<Turn> = match self.gate(now) {
            Gate::Open(room) => (0..room.min(BATCH)).map_while(|_| self.queues.take()).collect(),
            Gate::Withdrawing => (0..BATCH).map_while(|_| self.queues.take()).collect(),
            Gate::Probe => self.queues.take_other_than(self.last_probe).into_iter().collect(),
            Gate::Shut(_) => Vec::new(),
        };
        if turns.is_empty() {
            return false;
        }
        self.opening += turns.len();
        let (shared, id) = (self.shared.clone(), self.id);
        self.preparing.push_back(
            async move {
                let asked = turns.clone();
                let reading = async move { read::basis(&shared.context.store, &shared.shelf, id, &asked).await };
                (turns, tokio::spawn(reading).await)
            }
            .boxed(),
        );
        true
    }

    /// Sends what was read of, as far as it may still go. Whether anything was.
    pub(super) fn take_prepared(&mut self) -> bool {
        let mut any = false;
        while let Some(Some(prepared)) = self.preparing.next().now_or_never() {
            self.send_prepared(prepared);
            any = true;
        }
        any
    }

    pub(super) fn send_prepared(&mut self, (turns, read): Prepared) {
        self.opening -= turns.len();
        let now = self.now();
        let basis = match read {
            Ok(Ok(basis)) => basis,
            Ok(Err(error)) => {
                self.give_back(&turns);
                return self.rest(&error);
            }
            Err(error) => {
                self.give_back(&turns);
                return self.rest(&error);
            }
        };
        if self.version != Some(basis.book.version) {
            // What may be sent at all, and where to, is judged anew before anything goes out.
            self.give_back(&turns);
            self.configured = None;
            return;
        }
        let room = match self.gate(now) {
            _ if self.over || self.draining => 0,
            Gate::Open(room) => room,
            Gate::Withdrawing => turns.len(),
            Gate::Probe => 1,
            Gate::Shut(_) => 0,
        };
        let (go, stay) = turns.split_at(room.min(turns.len()));
        self.give_back(stay);
        for turn in go {
            self.dispatch_one(turn.clone(), &basis, now);
        }
    }

    fn give_back(&mut self, turns: &[Turn]) {
        turns.iter().rev().for_each(|turn| self.queues.give_back(turn.key));
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
        let Some(client) = link.client.clone() else { return false };
        let secrets = self.signers.secrets();
        let Some(request) = sign(&link.url, &delivery.id, delivery.body.clone(), &secrets, now) else { return false };
        if !self.circuit.is_closed() {
            self.circuit.probe();
            self.last_probe = Some(delivery.turn.key);
        }
        let rate = self.row.compiled.as_ref().and_then(|compiled| compiled.delivery.rate_per_second);
        self.rate.draw(rate, 1, now);
        let (number, timeout) = (self.attempts_of(&delivery.turn) + 1, link.timeout);
        self.sending += 1;
        self.in_flight
            .spawn(async move { Done::Attempt(Box::new(send(client, delivery, number, request, timeout, now).await)) });
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
        let Some(client) = link.client.clone() else { return false };
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
            let answer = post(&client, request, timeout).await.map(|answer| (answer.status, answer.body));
            Done::Challenge { of, signed_by, verdict: verify::judge(answer, &challenge.text, by) }
        });
        true
    }

    fn park_ours(&mut self, turn: &Turn, class: &str, now: Timestamp) {
        self.circuit.failed(turn.key, false, Fault::Ours, false, now);
        self.park_free(turn, class, now);
    }
}
