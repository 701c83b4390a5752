//! Sending what is prepared: signed, as far as it may still go, and what else is to be done about it.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::configure::Gate;
use super::prepare::{Made, Prepared};
use super::{Done, Worker};
use crate::delivery::build::{Built, Delivery};
use crate::delivery::outcome::Fault;
use crate::delivery::queue::Turn;
use crate::delivery::retry::later;
use crate::delivery::send::send;
use crate::delivery::sign::sign;
use crate::delivery::verify::{self, challenge};
use crate::store::consumer::ConsumerRow;

/// How long an event waits whose subscriptions are suspended, unless the configuration changes before.
const HELD_FOR: Duration = Duration::from_secs(3600);

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
            if self.version != Some(next.of.version) {
                // What may be sent at all, and where to, is judged anew before anything goes out.
                self.configured = None;
                return self.give_back_prepared();
            }
            if next.is_stale() {
                return self.give_back_prepared();
            }
            let Some(next) = self.prepared.pop_front() else { return sent > 0 };
            self.pace.went(Instant::now());
            self.dispatch_one(next, now);
        }
        // Whatever is under way wakes us when there is room again.
        if self.sending == 0 { self.give_back_prepared() } else { room > 0 }
    }

    fn dispatch_one(&mut self, next: Prepared, now: Timestamp) {
        let Prepared { turn, made, of, .. } = next;
        match made {
            Made::Built(Built::Delivery(delivery)) => {
                if !self.leads_to(&of.consumer) || !self.send(*delivery, now) {
                    self.queues.give_back(turn.key);
                }
            }
            Made::Built(Built::Withdrawn(withdrawal)) => self.withdraw(&turn, withdrawal, now),
            Made::Built(Built::Held) => self.hold(&turn, later(now, HELD_FOR), now),
            Made::Built(Built::Unbuildable(what)) => {
                tracing::error!(consumer = %self.row.key, seq = turn.route.seq, what, "an event cannot be built");
                self.park_ours(&turn, "Unbuildable", now);
            }
            Made::Unreadable => self.park_ours(&turn, "Unreadable", now),
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
