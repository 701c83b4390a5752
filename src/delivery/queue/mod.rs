//! One consumer's routes in memory: a queue for each person, at most one event of a person under way. Pure.
//!
//! A failed person waits ([`Wait`]). Their later events are not kept here but read again, by person, when the time has
//! come, until a reading finds nothing and nothing was skipped since it began; only then the person is no longer parked.

mod line;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::line::Line;
pub use self::line::{Ending, HELD, RowChange, Turn, Wait};
use crate::delivery::retry::earlier;
use crate::domain::pairwise::RecordId;
use crate::store::parked::{Parked, ParkedState};
use crate::store::route::Route;

/// What has an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A person's events.
    Person(RecordId),
    /// An event without a person, by its number.
    Loose(i64),
}

impl Key {
    /// Where a route belongs.
    pub fn of(route: &Route) -> Self {
        route.record.map_or(Self::Loose(route.seq), Self::Person)
    }
}

/// Which of a person's routes to read again: both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The person.
    pub record: RecordId,
    /// First number.
    pub from: i64,
    /// Last number.
    pub to: i64,
}

/// All queues of one consumer.
#[derive(Debug, Default)]
pub struct Queues {
    lines: HashMap<Key, Line>,
    ready: VecDeque<Key>,
    due: BTreeSet<(Timestamp, Key)>,
    unsettled: [BTreeMap<i64, Timestamp>; 16],
    position: i64,
    bytes: usize,
    parked: usize,
}

impl Queues {
    /// Queues that go on after `position`, with the persons that were parked.
    pub fn new(position: i64, parked: Vec<Parked>, now: Timestamp) -> Self {
        let mut queues = Self { position, ..Self::default() };
        for row in parked {
            let key = Key::Person(row.record);
            let wait = Wait::restored(&row, now);
            if let Some(wait) = &wait {
                queues.due.insert((wait.next_at, key));
                queues.parked += 1;
            }
            queues.lines.insert(key, Line { wait, gap: row.gap, ..Line::default() });
        }
        queues
    }

    /// The highest number that was offered.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Routes in memory that are not settled, and the bytes of their snapshots.
    pub fn load(&self) -> (usize, usize) {
        (self.unsettled.iter().map(BTreeMap::len).sum(), self.bytes)
    }

    /// Persons that wait for another attempt, but not those that wait because nothing may be sent for them now.
    pub fn parked(&self) -> usize {
        self.parked
    }

    /// Whether there is something to send now, if sending is possible.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the oldest route that is not settled and not parked was committed.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.unsettled.iter().filter_map(|shard| shard.first_key_value()).map(|(_, at)| *at).min()
    }

    /// Every route of the shard up to here is settled or parked.
    pub fn watermark(&self, shard: u8) -> i64 {
        self.unsettled[usize::from(shard)].first_key_value().map_or(self.position, |(seq, _)| seq - 1)
    }

    /// Moves on past a route that was settled before.
    pub fn skip(&mut self, seq: i64) {
        self.position = self.position.max(seq);
    }

    /// Takes a route in, in the order of numbers. A parked person's is left to be read again.
    pub fn offer(&mut self, route: Route) {
        self.skip(route.seq);
        let key = Key::of(&route);
        let line = self.lines.entry(key).or_default();
        if let (Some(wait), Key::Person(_)) = (&mut line.wait, key) {
            wait.skipped = true;
            return;
        }
        self.unsettled[usize::from(route.shard)].insert(route.seq, route.at);
        self.bytes += size(&route);
        line.routes.push_back(Arc::new(route));
        if !line.busy && line.routes.len() == 1 {
            self.ready.push_back(key);
        }
    }

    /// The next event to send, now under way.
    pub fn take(&mut self) -> Option<Turn> {
        let key = self.ready.pop_front()?;
        Some(self.start(key))
    }

    /// The first of those that are ready for which this holds, now under way.
    pub fn take_if(&mut self, holds: impl Fn(&Route) -> bool) -> Option<Turn> {
        let front = |key: &Key| self.lines.get(key).and_then(|line| line.routes.front());
        let place = self.ready.iter().position(|key| front(key).is_some_and(|route| holds(route)))?;
        let key = self.ready.remove(place)?;
        Some(self.start(key))
    }

    /// All that wait and are not being read or sent.
    pub fn waiting(&self) -> Vec<Key> {
        let idle = self.lines.iter().filter(|(_, line)| !line.busy && line.routes.is_empty() && line.wait.is_some());
        idle.map(|(key, _)| *key).collect()
    }

    /// The next event to send as a probe: of somebody who has not failed, else of another than `last`, if there is one.
    pub fn take_probe(&mut self, last: Option<Key>) -> Option<Turn> {
        let has_failed = |key: &Key| self.lines.get(key).is_none_or(|line| line.wait.is_some());
        let (place, _) = self.ready.iter().enumerate().min_by_key(|(_, key)| (Some(**key) == last, has_failed(key)))?;
        let key = self.ready.remove(place)?;
        Some(self.start(key))
    }

    /// Who of those that wait for the consumer is the next to probe with: who was not for longest.
    pub fn probe_candidate(&self) -> Option<Key> {
        let waits = self.lines.iter().filter(|(_, line)| !line.busy);
        waits
            .filter_map(|(key, line)| line.wait.as_ref().map(|wait| (key, wait)))
            .filter(|(_, wait)| !wait.held)
            .min_by_key(|(key, wait)| (wait.tries, wait.next_at, **key))
            .map(|(key, _)| *key)
    }

    fn start(&mut self, key: Key) -> Turn {
        let line = self.lines.get_mut(&key).expect("a ready key has a line");
        line.busy = true;
        let route = line.routes.front().expect("a ready line has a route").clone();
        Turn { key, route, gap: line.gap, wait: line.wait.clone() }
    }

    /// Puts back what could not be sent for a reason of ours; it goes first the next time.
    pub fn give_back(&mut self, key: Key) {
        if let Some(line) = self.lines.get_mut(&key) {
            line.busy = false;
            self.ready.push_front(key);
        }
    }

    /// An event is settled; the next of the same person may go. The change of the parked row, if there is one.
    pub fn finish(&mut self, key: Key, ending: Ending, now: Timestamp) -> Option<RowChange> {
        let line = self.lines.get_mut(&key)?;
        let route = line.routes.pop_front()?;
        line.busy = false;
        let had_gap = line.gap;
        line.gap = match ending {
            Ending::Delivered => false,
            Ending::Withdrawn => line.gap,
            Ending::GivenUp => true,
        };
        let (idle, gap) = (line.routes.is_empty(), line.gap);
        match (&mut line.wait, key) {
            (Some(wait), Key::Person(_)) => {
                self.parked += usize::from(wait.held);
                wait.move_on(route.seq + 1, now);
                if idle {
                    self.due.insert((now, key));
                }
            }
            _ => {
                self.unsettled[usize::from(route.shard)].remove(&route.seq);
                self.bytes -= size(&route);
                if idle && (!gap || matches!(key, Key::Loose(_))) {
                    self.lines.remove(&key);
                }
            }
        }
        if !idle {
            self.ready.push_back(key);
        }
        self.row_after(key, had_gap, gap, route.seq + 1, now)
    }

    fn row_after(&self, key: Key, had_gap: bool, gap: bool, next_seq: i64, now: Timestamp) -> Option<RowChange> {
        let Key::Person(record) = key else { return None };
        match self.lines.get(&key).and_then(|line| line.wait.as_ref()) {
            Some(wait) => Some(RowChange::Write(wait.row(record, gap))),
            None if gap && !had_gap => Some(RowChange::Write(Wait::gap_only(record, next_seq, now))),
            None if had_gap && !gap => Some(RowChange::Delete(record)),
            None => None,
        }
    }

    /// Lets a person wait after a failure; their later events leave memory. The parked row.
    pub fn park(&mut self, key: Key, mut wait: Wait) -> Option<RowChange> {
        let line = self.lines.get_mut(&key)?;
        line.busy = false;
        self.due.insert((wait.next_at, key));
        let Key::Person(record) = key else {
            line.wait = Some(wait);
            return None;
        };
        let known = line.wait.is_some();
        let dropped: Vec<Arc<Route>> = line.routes.drain(..).collect();
        wait.skipped = dropped.len() > 1 || line.wait.as_ref().is_some_and(|before| before.skipped);
        if !known {
            for route in &dropped {
                self.unsettled[usize::from(route.shard)].remove(&route.seq);
                self.bytes -= size(route);
            }
        }
        self.parked += usize::from(!wait.held);
        self.parked -= usize::from(line.wait.as_ref().is_some_and(|before| !before.held));
        let row = wait.row(record, line.gap);
        line.wait = Some(wait);
        Some(RowChange::Write(row))
    }

    /// When the next one that waits is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the next one that is due. An event without a person is ready at once; a person's routes have to be read.
    pub fn take_due(&mut self, now: Timestamp) -> Option<Option<Span>> {
        let (at, key) = *self.due.first()?;
        (at <= now).then(|| {
            self.due.pop_first();
            self.begin(key)
        })
    }

    /// Takes one that waits before it is due, for a probe.
    pub fn take_early(&mut self, key: Key) -> Option<Span> {
        self.due.retain(|(_, waiting)| *waiting != key);
        self.begin(key)
    }

    fn begin(&mut self, key: Key) -> Option<Span> {
        let line = self.lines.get_mut(&key)?;
        let Key::Person(record) = key else {
            self.ready.push_back(key);
            return None;
        };
        let wait = line.wait.as_mut()?;
        line.busy = true;
        wait.skipped = false;
        Some(Span { record, from: wait.first_seq, to: self.position })
    }

    /// Takes in what was read of a waiting person. None left and none skipped: the person is no longer parked.
    pub fn loaded(&mut self, record: RecordId, routes: Vec<Route>, now: Timestamp) -> Option<RowChange> {
        let key = Key::Person(record);
        let line = self.lines.get_mut(&key)?;
        line.busy = false;
        if !routes.is_empty() {
            line.routes = routes.into_iter().map(Arc::new).collect();
            self.ready.push_back(key);
            return None;
        }
        let wait = line.wait.as_ref()?;
        if wait.skipped {
            self.due.insert((now, key));
            return None;
        }
        self.parked -= usize::from(!wait.held);
        let first_seq = wait.first_seq;
        line.wait = None;
        if line.gap {
            return Some(RowChange::Write(Wait::gap_only(record, first_seq, now)));
        }
        self.lines.remove(&key);
        Some(RowChange::Delete(record))
    }

    /// The routes of a waiting person could not be read; tried again at `at`.
    pub fn unread(&mut self, record: RecordId, at: Timestamp) {
        let key = Key::Person(record);
        if let Some(line) = self.lines.get_mut(&key) {
            line.busy = false;
            line.wait.iter_mut().for_each(|wait| wait.skipped = true);
            self.due.insert((at, key));
        }
    }

    /// The clock was set back by so much: nobody waits longer for it, also where another process goes on. The parked rows.
    pub fn set_back(&mut self, by: Duration) -> Vec<(RecordId, RowChange)> {
        self.lines.values_mut().filter_map(|line| line.wait.as_mut()).for_each(|wait| wait.set_back(by));
        self.due = std::mem::take(&mut self.due).into_iter().map(|(at, key)| (earlier(at, by), key)).collect();
        let waits = self.lines.iter().filter_map(|(key, line)| match key {
            Key::Person(record) => Some((*record, line.wait.as_ref()?, line.gap)),
            Key::Loose(_) => None,
        });
        waits.map(|(record, wait, gap)| (record, RowChange::Write(wait.row(record, gap)))).collect()
    }

    /// The outage is over, or what held them is: they are due now, with their budget whole.
    pub fn release(&mut self, held: bool, now: Timestamp) {
        for (key, line) in &mut self.lines {
            let Some(wait) = line.wait.as_mut().filter(|w| w.state == ParkedState::Outage && w.held == held) else {
                continue;
            };
            if self.due.remove(&(wait.next_at, *key)) {
                wait.next_at = now;
                wait.tries = 0;
                self.due.insert((now, *key));
            }
        }
    }

    /// What these failed of is the consumer's outage after all: they wait for its end at no cost. The parked rows.
    pub fn excuse(&mut self, keys: &[Key]) -> Vec<(RecordId, RowChange)> {
        let mut changes = Vec::new();
        for key in keys {
            let Some(line) = self.lines.get_mut(key) else { continue };
            let Some(wait) = line.wait.as_mut().filter(|wait| wait.state == ParkedState::Retrying) else { continue };
            wait.state = ParkedState::Outage;
            if let Key::Person(record) = key {
                changes.push((*record, RowChange::Write(wait.row(*record, line.gap))));
            }
        }
        changes
    }

    /// Everyone who waits for a fault of their own.
    pub fn retrying(&self) -> Vec<Key> {
        let waits = self.lines.iter().filter_map(|(key, line)| line.wait.as_ref().map(|wait| (*key, wait.state)));
        waits.filter(|(_, state)| *state == ParkedState::Retrying).map(|(key, _)| key).collect()
    }
}

fn size(route: &Route) -> usize {
    route.snapshot.as_ref().map_or(0, Vec::len)
}

/// Routes for tests.
#[cfg(test)]
pub mod testing {
    use super::*;
    use crate::domain::event_type::EventType;
    use crate::domain::pairwise::EventId;

    /// A route with this number, of the person whose record is this byte sixteen times.
    pub fn route(seq: i64, person: u8) -> Route {
        let record = RecordId([person; 16]);
        Route {
            seq,
            consumer: 1,
            shard: record.shard(),
            type_: EventType::AddressChanged,
            subscriptions: vec![1],
            at: Timestamp::from_second(seq).expect("a small number"),
            event_at: Timestamp::from_second(seq).expect("a small number"),
            replay: None,
            event: EventId([7; 16]),
            event_seq: seq,
            source: 1,
            record: Some(record),
            snapshot: Some(vec![0; 10]),
            detail: None,
            audit: None,
        }
    }
}
