//! Giving up what a silent consumer did not take for as long as undelivered events are kept.

use std::time::Duration;

use jiff::Timestamp;

use super::Worker;
use crate::delivery::build::Disclosure;
use crate::delivery::flush::Expired;
use crate::delivery::payload::DeliveryId;
use crate::delivery::queue::{Ending, Turn};
use crate::delivery::record;
use crate::delivery::retry::between;
use crate::store;
use crate::store::attempt::{Attempt, AttemptOutcome};

/// How many events are given up in one step.
const BATCH: usize = 64;
/// Class of such an event.
const EXPIRED: &str = "Expired";

impl Worker {
    /// Gives up events that have waited longer than they are kept. Whether there were any.
    pub(super) async fn expire(&mut self, now: Timestamp) -> Result<bool, store::Error> {
        let kept = self.shared.context.undelivered;
        let is_expired = |at: Timestamp| between(at, now) >= kept;
        let is_over = kept != Duration::ZERO && self.oldest.is_some_and(is_expired);
        if !is_over || !self.shared.context.clock.is_believed() {
            return Ok(false);
        }
        let turns: Vec<Turn> = (0..BATCH).map_while(|_| self.queues.take_if(|route| is_expired(route.at))).collect();
        if turns.is_empty() {
            return self.read_one_who_waits(now).await;
        }
        self.sweep = None;
        for turn in turns {
            self.expire_one(&turn, now);
        }
        Ok(true)
    }

    /// What waits is not in memory: it has to be read to be judged. Everyone was read and nothing found: that was all, until
    /// the next look.
    async fn read_one_who_waits(&mut self, now: Timestamp) -> Result<bool, store::Error> {
        let Some(key) = self.sweep.get_or_insert_with(|| self.queues.waiting()).pop() else {
            (self.oldest, self.sweep) = (None, None);
            return Ok(false);
        };
        if let Some(span) = self.queues.take_early(key) {
            self.load(span, now).await?;
        }
        Ok(true)
    }

    fn expire_one(&mut self, turn: &Turn, now: Timestamp) {
        let (route, attempts) = (&turn.route, self.attempts_of(turn));
        self.results.attempts.push(Attempt {
            seq: route.seq,
            number: attempts.max(1),
            at: now,
            outcome: AttemptOutcome::DeadLettered,
            status: None,
            millis: 0,
            class: Some(EXPIRED.to_owned()),
        });
        let id = DeliveryId::of(&self.key, route).id;
        let unknown = attempts == 0 && self.lanes.was_possibly_sent(route.shard, route.seq);
        let why = (now, EXPIRED, unknown);
        self.results.records.push(record::withdrawn(&self.row, route, id, Disclosure::default(), why));
        self.results.expired.get_or_insert_with(|| Expired::starting(route)).add(route);
        self.dead_letters = true;
        self.shared.context.metrics.gave_up(&self.row.key);
        self.finish(turn, Ending::GivenUp, now);
    }
}
