//! What is durable, and the writers that append to it: numbers and their lock, routes, the lane, attempts and parked rows.

use std::collections::BTreeSet;

use super::Variant;

/// A route's number.
pub type Seq = u8;
/// A person, by place.
pub type Person = usize;
/// How many persons there are.
pub const PERSONS: usize = 2;
/// For each writer the persons of the routes that it appends, in one transaction.
pub const BATCHES: [&[Person]; 2] = [&[0, 1], &[0]];

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Database {
    /// Which writer has the lock.
    lock: Option<usize>,
    /// The last number that was given. Those of a transaction that aborts are missing for ever.
    last: Seq,
    /// Routes that can be read, in the order of commits.
    pub routes: Vec<(Seq, Person)>,
    pub lane: Lane,
    /// Routes of which an attempt says that they were delivered.
    pub delivered: BTreeSet<Seq>,
    /// For each person that is parked the first route that is not settled.
    pub parked: [Option<Seq>; PERSONS],
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lane {
    pub watermark: Seq,
    pub taken: Seq,
    pub epoch: u8,
}

/// How far a writer's transaction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Writer {
    #[default]
    Begun,
    /// It took numbers from this one on and inserted its routes; nobody sees them yet.
    Numbered(Seq),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    Lock,
    Number,
    Commit,
    Abort,
}

impl Database {
    /// What a writer can do next. The lock comes before the first number and is held until the commit can be seen.
    pub fn writes(&self, id: usize, writer: Writer, variant: Variant) -> &'static [Write] {
        let holds = self.lock == Some(id) || variant == Variant::NoLock;
        match writer {
            Writer::Ended => &[],
            Writer::Begun if holds || variant == Variant::LockAfterNumber => &[Write::Number],
            Writer::Numbered(_) if holds => &[Write::Commit, Write::Abort],
            _ if self.lock.is_none() => &[Write::Lock],
            _ => &[],
        }
    }

    pub fn write(&mut self, id: usize, writer: &mut Writer, write: Write) {
        match (write, *writer) {
            (Write::Lock, _) => self.lock = Some(id),
            (Write::Number, _) => {
                *writer = Writer::Numbered(self.last + 1);
                self.last += BATCHES[id].len() as Seq;
            }
            (Write::Commit, Writer::Numbered(first)) => {
                self.routes.extend((first..).zip(BATCHES[id].iter().copied()));
                self.end(id, writer);
            }
            (Write::Commit | Write::Abort, _) => self.end(id, writer),
        }
    }

    fn end(&mut self, id: usize, writer: &mut Writer) {
        *writer = Writer::Ended;
        self.lock.take_if(|holder| *holder == id);
    }

    /// Routes above `after`, in the order of numbers.
    pub fn routes_above(&self, after: Seq) -> Vec<(Seq, Person)> {
        let mut routes: Vec<_> = self.routes.iter().copied().filter(|(seq, _)| *seq > after).collect();
        routes.sort_unstable();
        routes
    }

    /// Whether of every route that the watermark passed a result is recorded, or the parked row says that it is still to come.
    pub fn accounts_for_passed(&self) -> bool {
        let mut passed = self.routes.iter().filter(|(seq, _)| *seq <= self.lane.watermark);
        passed.all(|(seq, person)| {
            self.delivered.contains(seq) || self.parked[*person].is_some_and(|first| first <= *seq)
        })
    }
}
