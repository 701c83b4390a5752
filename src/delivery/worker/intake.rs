//! Reading into memory: the next routes, and those of persons whose wait is over.

use jiff::Timestamp;
use tokio::task::JoinError;

use super::configure::Gate;
use super::{Reading, Worker, given};
use crate::delivery::queue::Span;
use crate::delivery::read;
use crate::delivery::retry::later;
use crate::store;
use crate::store::route::Route;

/// Snapshots held in memory for one consumer, in bytes, above which nothing more is read.
const MAX_BYTES: usize = 16 << 20;
/// How many routes are read at a time, at most.
const READ: usize = 512;
/// How many routes are read while nothing can be sent.
const SHUT_READ: usize = 16;
/// By how much further than it reads, at most, a worker says ahead that it may send.
const MOST_AHEAD: i64 = 64;
/// How many waiting persons are read in one step.
const REPLAYS: usize = 64;

impl Worker {
    /// Begins to read the next routes, if there is room: sending goes on meanwhile.
    pub(super) fn begin_to_read(&mut self) {
        let now = self.now();
        let (held, bytes) = self.queues.load();
        let most = match self.gate(now) {
            Gate::Shut(None) if self.obstacle(now).is_some() => SHUT_READ,
            _ => self.shared.context.settings.read_ahead.max(1) as usize,
        };
        let is_under_way = self.reading.is_some() || !self.fresh.is_empty();
        if self.caught_up || is_under_way || held * 2 > most || bytes > MAX_BYTES {
            return;
        }
        let limit = (most - held).min(READ);
        let (store, id, position) = (self.shared.context.store.clone(), self.id, self.queues.position());
        let shards = self.lanes.shards();
        self.rung = false;
        let read = async move { (read::routes(&store, id, &shards, position, limit as u32).await, limit) };
        self.reading = Some(tokio::spawn(read));
    }

    /// Takes in what was read, if it has been. Whether there was anything.
    pub(super) fn take_finished_reading(&mut self) -> bool {
        given(self.reading.as_mut()).is_some_and(|read| self.take_read(read))
    }

    pub(super) fn take_read(&mut self, read: Result<Reading, JoinError>) -> bool {
        self.reading = None;
        match read {
            Ok((Ok(routes), limit)) => {
                let ends = routes.first().zip(routes.last());
                self.stride = ends.map_or(0, |(first, last)| last.seq - first.seq);
                self.caught_up = routes.len() < limit && !self.rung;
                self.fresh = routes;
                return self.offer_fresh();
            }
            Ok((Err(error), _)) => self.rest(&error),
            Err(error) => self.rest(&error),
        }
        false
    }

    /// Offers what was read, if it is durable that it may be sent; else asks for that.
    pub(super) fn offer_fresh(&mut self) -> bool {
        let Some(last) = self.fresh.last().map(|route| route.seq) else { return false };
        if !self.lanes.covers(last) {
            self.taken = Some(last + self.reach());
            self.results.urgent = true;
            return false;
        }
        for route in std::mem::take(&mut self.fresh) {
            self.offer(route);
        }
        true
    }

    /// How far ahead it is to be durable that routes may be sent: numbers are those of all consumers, so a reading may go far. What
    /// is covered and not sent counts as possibly sent after a takeover, so there is a bound.
    fn reach(&self) -> i64 {
        let ahead = i64::from(self.shared.context.settings.read_ahead);
        (2 * self.stride).clamp(ahead, MOST_AHEAD * ahead)
    }

    /// Up to where that is to be written with what is written anyway, so that no reading has to wait for it.
    pub(super) fn taken_soon(&self) -> Option<i64> {
        let (position, reach) = (self.queues.position(), self.reach());
        (!self.caught_up && !self.lanes.covers(position + reach)).then_some(position + 2 * reach)
    }

    fn offer(&mut self, route: Route) {
        let settled = self.known.get(&route.seq).is_some_and(|(_, last)| last.is_some());
        if settled || self.lanes.was_passed(route.shard, route.seq) {
            self.known.remove(&route.seq);
            self.queues.skip(route.seq);
        } else {
            self.queues.offer(route);
        }
    }

    /// Reads the routes of persons whose wait is over. Whether there were any.
    pub(super) async fn replay(&mut self) -> Result<bool, store::Error> {
        let now = self.now();
        let mut worked = false;
        match self.gate(now) {
            Gate::Open(_) | Gate::Withdrawing => {
                for _ in 0..REPLAYS {
                    let Some(due) = self.queues.take_due(now) else { break };
                    worked = true;
                    if let Some(span) = due {
                        self.load(span, now).await?;
                    }
                }
            }
            // A probe of another person than the last is the better one: what is ready comes first.
            Gate::Probe if !self.queues.has_ready() => {
                if let Some(key) = self.queues.probe_candidate() {
                    worked = true;
                    if let Some(span) = self.queues.take_early(key) {
                        self.load(span, now).await?;
                    }
                }
            }
            Gate::Probe | Gate::Shut(_) => {}
        }
        Ok(worked)
    }

    /// Reads the routes of one who waits. The reading of all may still be below what the person's own lane has passed.
    pub(super) async fn load(&mut self, span: Span, now: Timestamp) -> Result<(), store::Error> {
        let span = Span { to: span.to.max(self.lanes.passed(span.record.shard())), ..span };
        match read::of_person(&self.shared.context.store, self.id, span).await {
            Ok(routes) => {
                if let Some(change) = self.queues.loaded(span.record, routes, now) {
                    self.results.rows.insert(span.record, change);
                }
                Ok(())
            }
            Err(error) => {
                self.queues.unread(span.record, later(now, super::REST));
                Err(error)
            }
        }
    }
}
