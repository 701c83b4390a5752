//! A worker: what it holds in memory, and what it does next.

use std::collections::{BTreeMap, BTreeSet};

use super::Variant;
use super::database::{Database, Lane, PERSONS, Person, Seq};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Worker {
    /// The lane as this worker took it or wrote it last.
    lane: Lane,
    /// The highest number that was offered.
    position: Seq,
    /// Routes that were read and wait until it is durable that they may be sent.
    fresh: Vec<(Seq, Person)>,
    /// Routes above the watermark that were recorded as delivered before the lane was taken.
    known: BTreeSet<Seq>,
    pub lines: [Line; PERSONS],
    /// Results for the next flush: what was delivered, and parked rows that change, with the first route that is not settled,
    /// or none where the row goes.
    delivered: BTreeSet<Seq>,
    rows: BTreeMap<Person, Option<Seq>>,
}

/// One person's queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Line {
    pub routes: Vec<Seq>,
    /// The first one is under way.
    pub busy: bool,
    wait: Option<Wait>,
}

/// What is known of a person that waits after a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Wait {
    /// The first route that is not settled.
    first_seq: Seq,
    /// The person's routes are being read again, up to here.
    reading: Option<Seq>,
    /// A route was skipped since that reading began.
    skipped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Read,
    Offer,
    Send(Person),
    /// The consumer accepts a request, and its worker learns of it.
    Accepted(Person),
    Refused(Person),
    /// Begins to read a waiting person's routes again.
    Begin(Person),
    /// They have been read.
    Loaded(Person),
    Flush,
}

impl Worker {
    /// Takes the lane under a new epoch, and goes on from what is durable.
    pub fn take(database: &mut Database) -> Self {
        database.lane.epoch += 1;
        let lane = database.lane.clone();
        let wait = |first_seq| Wait { first_seq, ..Wait::default() };
        Self {
            position: lane.watermark,
            fresh: Vec::new(),
            known: database.delivered.range(lane.watermark + 1..).copied().collect(),
            lines: database.parked.map(|row| Line { wait: row.map(wait), ..Line::default() }),
            delivered: BTreeSet::new(),
            rows: BTreeMap::new(),
            lane,
        }
    }

    /// Whether it lost the lane, which it learns from its next flush.
    pub fn is_stale(&self, database: &Database) -> bool {
        self.lane.epoch != database.lane.epoch
    }

    /// What it can do next, but for a refusal.
    pub fn works(&self, database: &Database, variant: Variant) -> Vec<Work> {
        let is_behind = database.routes.iter().any(|(seq, _)| *seq > self.position);
        let mut works = match self.fresh.last() {
            None if is_behind => vec![Work::Read],
            Some((last, _)) if *last <= self.lane.taken || variant == Variant::TakenAfterSending => vec![Work::Offer],
            _ => vec![],
        };
        if !self.delivered.is_empty() || !self.rows.is_empty() || self.moved(variant) != self.lane {
            works.push(Work::Flush);
        }
        // By its own clock a worker stops before another may take the lane by the database's.
        let may_start = !self.is_stale(database) || variant == Variant::LeaseIgnored;
        let lines = self.lines.iter().enumerate();
        works.extend(lines.filter_map(|(person, line)| line.work(person, may_start)));
        works
    }

    /// Whether it goes on: not if it learned that another has the lane.
    pub fn work(&mut self, work: Work, database: &mut Database, variant: Variant) -> bool {
        match work {
            Work::Read => self.fresh = database.routes_above(self.position),
            Work::Offer => self.offer(),
            Work::Send(person) => self.lines[person].busy = true,
            Work::Accepted(person) => self.finish(person),
            Work::Refused(person) => self.park(person),
            Work::Begin(person) => {
                let reading = Some(self.position);
                let wait = &mut self.lines[person].wait;
                *wait = wait.take().map(|wait| Wait { reading, skipped: false, ..wait });
            }
            Work::Loaded(person) => self.loaded(person, database, variant),
            Work::Flush => return self.flush(database, variant),
        }
        true
    }

    /// A waiting person's routes are left to be read again.
    fn offer(&mut self) {
        for (seq, person) in std::mem::take(&mut self.fresh) {
            self.position = seq;
            match &mut self.lines[person].wait {
                _ if self.known.contains(&seq) => {}
                Some(wait) => wait.skipped |= wait.reading.is_some(),
                None => self.lines[person].routes.push(seq),
            }
        }
    }

    fn finish(&mut self, person: Person) {
        let line = &mut self.lines[person];
        let seq = line.routes.remove(0);
        line.busy = false;
        self.delivered.insert(seq);
        if let Some(wait) = &mut line.wait {
            wait.first_seq = seq + 1;
            self.rows.insert(person, Some(wait.first_seq));
        }
    }

    fn park(&mut self, person: Person) {
        let first_seq = self.lines[person].routes[0];
        self.lines[person] = Line { wait: Some(Wait { first_seq, ..Wait::default() }), ..Line::default() };
        self.rows.insert(person, Some(first_seq));
    }

    /// None left and none skipped: the person is no longer parked.
    fn loaded(&mut self, person: Person, database: &Database, variant: Variant) {
        let line = &mut self.lines[person];
        let Some(wait) = &mut line.wait else { return };
        let to = wait.reading.take();
        let left = database.routes_above(wait.first_seq - 1).into_iter().filter(|route| Some(route.0) <= to);
        line.routes = left.filter(|route| route.1 == person).map(|route| route.0).collect();
        let is_skipped = std::mem::take(&mut wait.skipped) && variant != Variant::UnparkTooEarly;
        if line.routes.is_empty() && !is_skipped {
            line.wait = None;
            self.rows.insert(person, None);
        }
    }

    /// The lane as the next flush writes it: below its watermark all is settled or parked, and what has been read by then may
    /// be sent after it.
    fn moved(&self, variant: Variant) -> Lane {
        let passed = |line: &Line| usize::from(line.busy && variant == Variant::WatermarkOverInFlight);
        let lines = self.lines.iter().filter(|line| line.wait.is_none());
        let unsettled = lines.filter_map(|line| line.routes.get(passed(line))).min();
        let watermark = unsettled.map_or(self.position, |seq| seq - 1).max(self.lane.watermark);
        let read = self.fresh.last().map_or(self.position, |(seq, _)| *seq);
        Lane { watermark, taken: self.lane.taken.max(read), epoch: self.lane.epoch }
    }

    /// Lane, attempts and parked rows in one transaction. Whether they were written: not if another has the lane.
    fn flush(&mut self, database: &mut Database, variant: Variant) -> bool {
        if self.is_stale(database) && variant != Variant::UnfencedFlush {
            return false;
        }
        self.lane = self.moved(variant);
        database.lane = Lane { epoch: database.lane.epoch, ..self.lane.clone() };
        database.delivered.append(&mut self.delivered);
        std::mem::take(&mut self.rows).into_iter().for_each(|(person, row)| database.parked[person] = row);
        true
    }
}

impl Line {
    fn work(&self, person: Person, may_start: bool) -> Option<Work> {
        match &self.wait {
            _ if self.busy => Some(Work::Accepted(person)),
            _ if !self.routes.is_empty() => may_start.then_some(Work::Send(person)),
            Some(Wait { reading: None, .. }) => Some(Work::Begin(person)),
            Some(_) => Some(Work::Loaded(person)),
            None => None,
        }
    }
}
