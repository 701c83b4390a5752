//! What an answer leads to: the next event of the person, another attempt later, a dead letter, or an open circuit.

use std::time::Instant;

use jiff::Timestamp;
use tokio::task::JoinError;

use super::{Done, Worker};
use crate::delivery::build::Withdrawal;
use crate::delivery::flush::Dead;
use crate::delivery::outcome::{Failure, Fault, Outcome, decide};
use crate::delivery::queue::{Ending, HELD, Key, Turn, Wait};
use crate::delivery::record;
use crate::delivery::retry::{self, between, later};
use crate::delivery::send::Attempt;
use crate::delivery::verify::Verdict;
use crate::store::attempt::{self, AttemptOutcome};
use crate::store::parked::ParkedState;

impl Worker {
    /// Takes in all requests that have ended. Whether there were any.
    pub(super) fn take_ended(&mut self) -> bool {
        while let Some(done) = self.in_flight.try_join_next() {
            self.note(done);
        }
        let ended = std::mem::take(&mut self.ended);
        let any = !ended.is_empty();
        for done in ended {
            match done {
                Done::Attempt(attempt) => self.settle(*attempt),
                Done::Challenge { of, signed_by, verdict } => self.proved(&of, signed_by.as_deref(), &verdict),
            }
        }
        any
    }

    pub(super) fn note(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(done) => self.ended.push(done),
            Err(error) => tracing::error!(consumer = %self.row.key, %error, "a request ended without a result"),
        }
    }

    fn settle(&mut self, attempt: Attempt) {
        self.sending -= 1;
        let now = self.now();
        let outcome = decide(&attempt.reply, now);
        let class = class(&outcome);
        match &class {
            Some(class) => self.shared.context.metrics.attempted(&self.row.key, class, attempt.took),
            None => self.counted_as.count(attempt.took),
        }
        if attempt.left() {
            let delivery = &attempt.delivery;
            let this = (delivery.id.clone(), attempt.number);
            let (given, at) = (delivery.disclosure.clone(), attempt.began_at);
            let entry = record::left(&self.row, &delivery.turn.route, this, given, at, class.clone());
            self.results.records.push(entry);
        }
        self.say(&attempt, class.as_deref());
        match outcome {
            Outcome::Accepted => self.accept(&attempt, now),
            Outcome::Gone => self.go(attempt, now),
            Outcome::Failed(failure) => self.fail(attempt, &failure, now),
        }
    }

    /// One line for an attempt. Accepted ones are told in sum when they are recorded.
    fn say(&self, attempt: &Attempt, class: Option<&str>) {
        let (consumer, route) = (&self.row.key, &attempt.delivery.turn.route);
        let status = attempt.reply.as_ref().ok().map(|reply| reply.status.as_u16());
        let (number, millis) = (attempt.number, attempt.took.as_millis() as u64);
        match class {
            Some(class) => {
                tracing::info!(%consumer, seq = route.seq, number, class, status, millis, "a delivery was not accepted");
            }
            None => tracing::debug!(%consumer, seq = route.seq, number, status, millis, "a delivery was accepted"),
        }
    }

    fn accept(&mut self, attempt: &Attempt, now: Timestamp) {
        let turn = &attempt.delivery.turn;
        let limit = self.max_in_flight();
        self.window.answered(attempt.took, limit);
        self.accepted += 1;
        if turn.route.replay.is_some() {
            self.shared.context.metrics.replayed(&self.row.key);
        }
        if self.circuit.accepted(turn.key, attempt.number == 1, now) {
            tracing::info!(consumer = %self.row.key, "the consumer takes events again");
            self.queues.release(false, now);
        }
        self.attempted(attempt, AttemptOutcome::Delivered, None);
        self.finish(turn, Ending::Delivered, now);
    }

    /// The receiver is gone: nothing more is sent until its spec changes.
    fn go(&mut self, attempt: Attempt, now: Timestamp) {
        self.say_gone(now);
        self.attempted(&attempt, AttemptOutcome::Failed, Some("Gone".into()));
        self.circuit.probe_given_back(now);
        let turn = attempt.delivery.turn;
        let wait = self.wait_of(&turn, attempt.number, ParkedState::Outage, "Gone", now, now);
        self.park(&turn, wait);
    }

    fn say_gone(&mut self, now: Timestamp) {
        tracing::warn!(consumer = %self.row.key, "the consumer answered 410: sending stops until its spec changes");
        self.gone = Some(self.row.generation);
        let context = &self.shared.context;
        if let Some(link) = &mut self.link {
            link.endpoint.answered(&Verdict::Gone, context.settings.verify_interval, now, &context.chance);
        }
    }

    fn fail(&mut self, attempt: Attempt, failure: &Failure, now: Timestamp) {
        if failure.pressure {
            self.window.pressed(attempt.began, Instant::now());
            self.pressed = Some(Instant::now());
        }
        self.not_before = self.not_before.max(failure.wish);
        if self.circuit.is_closed() {
            self.last_class.clone_from(&failure.class);
        }
        let turn = attempt.delivery.turn.clone();
        let own_fault = self.is_own_fault(&turn, failure);
        let (first, wishes) = (attempt.number == 1, failure.wish.is_some());
        // What is held against the person is not held against the consumer as well.
        let fault = if own_fault { Fault::Person } else { failure.fault };
        let opened = self.circuit.failed(turn.key, first, fault, wishes, now);
        let counts = own_fault && self.circuit.is_closed();
        let since = since(&attempt, now);
        if counts && self.is_spent(since, now) {
            return self.give_up(attempt, failure, now);
        }
        let state = if counts { ParkedState::Retrying } else { ParkedState::Outage };
        let wait = self.wait_after(&attempt, failure, state, (since, now));
        self.attempted(&attempt, AttemptOutcome::Failed, Some(failure.class.clone()));
        self.ceilings.insert(turn.route.seq, attempt.delivery.ceiling);
        self.park(&turn, wait);
        self.excuse(opened, now);
    }

    /// What speaks for the consumer speaks for the person once others were accepted since they failed last.
    fn is_own_fault(&self, turn: &Turn, failure: &Failure) -> bool {
        match failure.fault {
            Fault::Person => true,
            Fault::Consumer => {
                failure.may_be_the_persons() && turn.own_wait().is_some_and(|wait| self.accepted > wait.accepted_before)
            }
            Fault::Ours => false,
        }
    }

    fn is_spent(&self, since: Timestamp, now: Timestamp) -> bool {
        let Some(compiled) = &self.row.compiled else { return false };
        between(since, now) >= compiled.delivery.retry.give_up_after
    }

    fn give_up(&mut self, attempt: Attempt, failure: &Failure, now: Timestamp) {
        self.attempted(&attempt, AttemptOutcome::DeadLettered, Some(failure.class.clone()));
        let turn = attempt.delivery.turn;
        tracing::warn!(consumer = %self.row.key, seq = turn.route.seq, class = failure.class, "an event was given up");
        self.shared.context.metrics.gave_up(&self.row.key);
        self.dead_letters = true;
        let (route, attempts, class) = (turn.route.clone(), attempt.number, failure.class.clone());
        self.results.dead.push(Dead { route, attempts, class });
        self.finish(&turn, Ending::GivenUp, now);
    }

    fn excuse(&mut self, opened: Option<Vec<Key>>, now: Timestamp) {
        let too_many = self.queues.parked() > self.shared.context.settings.max_parked as usize;
        let excused = match opened {
            Some(keys) => keys,
            None if too_many && self.circuit.trip(now).is_some() => self.queues.retrying(),
            None => return,
        };
        tracing::warn!(consumer = %self.row.key, class = self.last_class, "the consumer does not take events");
        for (record, change) in self.queues.excuse(&excused) {
            self.results.rows.insert(record, change);
        }
    }

    fn wait_after(
        &self,
        attempt: &Attempt,
        failure: &Failure,
        state: ParkedState,
        (since, now): (Timestamp, Timestamp),
    ) -> Wait {
        let turn = &attempt.delivery.turn;
        let next_at = match &self.row.compiled {
            Some(compiled) => {
                let policy = &compiled.delivery.retry;
                let tries = turn.own_wait().map_or(0, |wait| wait.tries) + 1;
                let next = retry::next(policy, tries, failure.wish, now, &self.shared.context.chance);
                // The last attempt falls on the end of the budget, not long after it.
                let end = later(since, policy.give_up_after).max(later(now, policy.initial));
                let may_shorten = state == ParkedState::Retrying && failure.wish.is_none();
                if may_shorten { next.min(end) } else { next }
            }
            None => now,
        };
        let mut wait = self.wait_of(turn, attempt.number, state, &failure.class, next_at, now);
        wait.since = since;
        wait
    }

    fn wait_of(
        &self,
        turn: &Turn,
        attempts: u32,
        state: ParkedState,
        class: &str,
        next_at: Timestamp,
        now: Timestamp,
    ) -> Wait {
        Wait {
            first_seq: turn.route.seq,
            attempts,
            tries: turn.own_wait().map_or(0, |wait| wait.tries) + 1,
            since: turn.own_wait().map_or(now, |wait| wait.since_with_waits(now)),
            failed_at: now,
            next_at,
            state,
            class: class.to_owned(),
            held: class == HELD,
            accepted_before: self.accepted,
            skipped: false,
        }
    }

    /// Lets an event wait whose subscriptions are suspended.
    pub(super) fn hold(&mut self, turn: &Turn, until: Timestamp, now: Timestamp) {
        let wait = self.wait_of(turn, self.attempts_of(turn), ParkedState::Outage, HELD, until, now);
        self.park(turn, wait);
    }

    /// Lets an event wait for a fault that is ours.
    pub(super) fn park_free(&mut self, turn: &Turn, class: &str, now: Timestamp) {
        let Some(compiled) = self.row.compiled.clone() else { return self.queues.give_back(turn.key) };
        let mut wait = self.wait_of(turn, self.attempts_of(turn), ParkedState::Outage, class, now, now);
        wait.next_at = retry::next(&compiled.delivery.retry, wait.tries, None, now, &self.shared.context.chance);
        self.park(turn, wait);
    }

    fn park(&mut self, turn: &Turn, wait: Wait) {
        self.lanes.touch(turn.route.shard);
        if let (Some(change), Some(record)) = (self.queues.park(turn.key, wait), turn.route.record) {
            self.results.rows.insert(record, change);
        }
    }

    /// Settles an event that may not be sent any more.
    pub(super) fn withdraw(&mut self, turn: &Turn, withdrawal: Withdrawal, now: Timestamp) {
        let (route, attempts) = (&turn.route, self.attempts_of(turn));
        let unknown = attempts == 0 && self.lanes.was_possibly_sent(route.shard, route.seq);
        self.results.attempts.push(attempt::Attempt {
            seq: route.seq,
            number: attempts + 1,
            at: now,
            outcome: AttemptOutcome::Withdrawn,
            status: None,
            millis: 0,
            class: Some(withdrawal.class.to_owned()),
        });
        let why = (now, withdrawal.class, unknown);
        let entry = record::withdrawn(&self.row, route, withdrawal.id, withdrawal.disclosure, why);
        self.results.records.push(entry);
        tracing::info!(consumer = %self.row.key, seq = route.seq, class = withdrawal.class, "an event was withdrawn");
        self.finish(turn, Ending::Withdrawn, now);
    }

    pub(super) fn finish(&mut self, turn: &Turn, ending: Ending, now: Timestamp) {
        let route = &turn.route;
        self.lanes.touch(route.shard);
        self.ceilings.remove(&route.seq);
        self.known.remove(&route.seq);
        if let (Some(change), Some(record)) = (self.queues.finish(turn.key, ending, now), route.record) {
            self.results.rows.insert(record, change);
        }
    }

    fn attempted(&mut self, attempt: &Attempt, outcome: AttemptOutcome, class: Option<String>) {
        self.results.attempts.push(attempt::Attempt {
            seq: attempt.delivery.turn.route.seq,
            number: attempt.number,
            at: attempt.began_at,
            outcome,
            status: attempt.reply.as_ref().ok().map(|reply| reply.status.as_u16()),
            millis: u32::try_from(attempt.took.as_millis()).unwrap_or(u32::MAX),
            class,
        });
    }

    fn proved(&mut self, of: &str, signed_by: Option<&str>, verdict: &Verdict) {
        let now = self.now();
        let context = &self.shared.context;
        let Some(link) = self.link.as_mut().filter(|link| link.endpoint.fingerprint == of) else { return };
        tracing::info!(consumer = %self.row.key, ?verdict, "a challenge was answered");
        if link.endpoint.answered(verdict, context.settings.verify_interval, now, &context.chance) {
            self.results.verified = Some(of.to_owned());
            self.proof_needed = false;
        }
        match verdict {
            Verdict::Proved => signed_by.into_iter().for_each(|present| self.signers.accepted(present)),
            Verdict::Gone => self.say_gone(now),
            Verdict::NotProved(..) => {}
        }
    }
}

fn class(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Accepted => None,
        Outcome::Gone => Some("Gone".into()),
        Outcome::Failed(failure) => Some(failure.class.clone()),
    }
}

/// Since when the budget of what was attempted runs. By how much the clock jumped meanwhile is no part of it.
fn since(attempt: &Attempt, now: Timestamp) -> Timestamp {
    let jumped = between(attempt.began_at, now).saturating_sub(attempt.began.elapsed());
    let own = attempt.delivery.turn.own_wait();
    own.map_or(now, |wait| later(wait.since_with_waits(attempt.began_at), jumped))
}
