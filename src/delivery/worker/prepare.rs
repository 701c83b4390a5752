//! Preparing what may be sent soon: rights and protection are read again and bodies built, beside the sending of others.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::{JoinError, JoinHandle};

use super::configure::Gate;
use super::{Worker, given};
use crate::delivery::Shared;
use crate::delivery::build::{Built, Ceiling, Facts, build};
use crate::delivery::queue::{Key, Turn};
use crate::delivery::read::{self, Basis, Opened};
use crate::domain::pairwise::ConsumerKey;
use crate::store;
use crate::store::consumer::ConsumerRow;

/// How many events are built from one reading of rights and protection, at most.
const BATCH: usize = 256;
/// How many such readings are under way at a time, at most.
const READINGS: usize = 2;
/// For how long what was read of rights and protection is good enough to send by.
const FRESH: Duration = Duration::from_millis(100);
/// As many events as go in this time are read for at once: what is read goes while it is fresh, also behind most of as many.
const TICK: Duration = Duration::from_millis(50);
/// How many are built before others in the process get their turn.
const AT_A_TIME: usize = 32;

/// What became of a reading.
pub(super) type Read = Result<Result<Ready, store::Error>, JoinError>;

/// Events for which rights and protection are being read.
pub(super) struct Preparing {
    keys: Vec<Key>,
    reading: JoinHandle<Result<Ready, store::Error>>,
}

/// Events as they are built, in their order, and from what.
pub(super) struct Ready {
    events: Vec<(Turn, Made)>,
    of: Arc<Of>,
}

/// What events are built from.
pub(super) struct Of {
    /// The consumer as it was then.
    pub(super) consumer: Arc<ConsumerRow>,
    /// Version of the configuration.
    pub(super) version: i64,
    read_at: Instant,
}

/// What is to be done about an event.
pub(super) enum Made {
    /// What building it gave.
    Built(Built),
    /// Nothing: its snapshot cannot be opened.
    Unreadable,
}

/// An event that goes as soon as there is room.
pub(super) struct Prepared {
    pub(super) turn: Turn,
    pub(super) made: Made,
    pub(super) of: Arc<Of>,
}

impl Prepared {
    /// Whether what it was built from was read long ago.
    pub(super) fn is_stale(&self) -> bool {
        self.of.read_at.elapsed() > FRESH
    }
}

/// How many events went of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    began: Option<Instant>,
    went: usize,
    before: usize,
}

impl Pace {
    pub(super) fn went(&mut self, now: Instant) {
        match self.began.map(|began| now.saturating_duration_since(began)) {
            Some(since) if since < TICK => {}
            Some(since) if since < 2 * TICK => *self = Self { began: Some(now), went: 0, before: self.went },
            _ => *self = Self { began: Some(now), ..Self::default() },
        }
        self.went += 1;
    }

    /// How many more go in a tick, if it goes on like this.
    pub(super) fn of_a_tick(&self) -> usize {
        self.went.max(self.before)
    }
}

impl Worker {
    /// Begins to read rights and protection for the next events that may go, while others are sent. Whether it did.
    ///
    /// Where events flow, more are read for than may go at this moment: they follow within what is left of [`FRESH`].
    pub(super) fn prepare(&mut self, now: Timestamp) -> bool {
        let flowing = self.pace.of_a_tick();
        let ahead = self.prepared.len() + self.preparing.iter().map(|reading| reading.keys.len()).sum::<usize>();
        // Another reading beside one that took as many as it may: else what comes is better gathered.
        let may_begin = self.preparing.len() < READINGS && self.preparing.iter().all(|one| one.keys.len() == BATCH);
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
        let ceilings = turns.iter().filter_map(|turn| self.ceilings.get_key_value(&turn.route.seq));
        let ceilings = ceilings.map(|(seq, ceiling)| (*seq, ceiling.clone())).collect();
        let (shared, row, key) = (self.shared.clone(), self.row.clone(), self.key.clone());
        let keys = turns.iter().map(|turn| turn.key).collect();
        let reading = tokio::spawn(Maker { shared, row, key, ceilings, now }.make(turns));
        self.preparing.push_back(Preparing { keys, reading });
        true
    }

    /// Takes in what was read, if it has been. Whether there was anything.
    pub(super) fn take_finished_preparing(&mut self) -> bool {
        let Some(read) = given(preparing(&mut self.preparing)) else { return false };
        self.take_prepared(read);
        true
    }

    pub(super) fn take_prepared(&mut self, read: Read) {
        let Some(Preparing { keys, .. }) = self.preparing.pop_front() else { return };
        let read: Result<Ready, Box<dyn Error>> = match read {
            Ok(read) => read.map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(Ready { events, of }) => {
                let all = events.into_iter().map(|(turn, made)| Prepared { turn, made, of: of.clone() });
                self.prepared.extend(all);
            }
            Err(error) => {
                keys.into_iter().rev().for_each(|key| self.queues.give_back(key));
                self.rest(&*error);
            }
        }
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
}

/// What a worker brings along to have events built.
struct Maker {
    shared: Arc<Shared>,
    row: Arc<ConsumerRow>,
    key: ConsumerKey,
    /// What earlier attempts gave, by sequence number.
    ceilings: HashMap<i64, Ceiling>,
    now: Timestamp,
}

impl Maker {
    async fn make(self, turns: Vec<Turn>) -> Result<Ready, store::Error> {
        let basis = read::basis(&self.shared.context.store, &self.shared.shelf, self.row.id, &turns).await?;
        let consumer = basis.book.consumers.get(&self.row.id).unwrap_or(&self.row).clone();
        let of = Arc::new(Of { consumer, version: basis.book.version, read_at: Instant::now() });
        let mut events = Vec::with_capacity(turns.len());
        for (at, turn) in turns.into_iter().enumerate() {
            if at > 0 && at % AT_A_TIME == 0 {
                tokio::task::yield_now().await;
            }
            let made = self.one(&turn, &of.consumer, &basis);
            events.push((turn, made));
        }
        Ok(Ready { events, of })
    }

    fn one(&self, turn: &Turn, consumer: &ConsumerRow, basis: &Basis) -> Made {
        let snapshot = match basis.opened(&turn.route) {
            Opened::Snapshot(snapshot) => Some(snapshot.as_ref()),
            Opened::Nothing => None,
            Opened::Unreadable if consumer.ended_at.is_none() => return Made::Unreadable,
            Opened::Unreadable => None,
        };
        let facts = Facts {
            consumer,
            book: &basis.book,
            key: &self.key,
            snapshot,
            protected: basis.is_protected(&turn.route),
            subjects: basis.subjects(&turn.route),
            claimed: &basis.claimed,
            ceiling: self.ceilings.get(&turn.route.seq),
            now: self.now,
        };
        Made::Built(build(turn.clone(), &facts))
    }
}

/// The reading that was begun first of those under way.
pub(super) fn preparing(of: &mut VecDeque<Preparing>) -> Option<&mut JoinHandle<Result<Ready, store::Error>>> {
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
