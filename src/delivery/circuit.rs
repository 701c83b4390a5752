//! Whether a consumer takes deliveries at all: opens on its outages, probes with one event at a time. Pure.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::outcome::Fault;
use super::queue::Key;
use super::retry::{between, earlier, later};

/// Failures in a row that speak for the consumer, with no success between, that open the circuit; more, by one for each
/// [`GOOD_FOR`] first attempts that were accepted in the last [`RECENT`]: who fails for some persons fails now and then in a row.
const STREAK: usize = 5;
const GOOD_FOR: usize = 3;
const RECENT: Duration = Duration::from_secs(60);
/// The longest wait between two probes.
const LONGEST: Duration = Duration::from_secs(600);

/// What the circuit is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The last first attempts that are judged together.
    pub window: usize,
    /// Persons over which failures have to spread.
    pub persons: usize,
    /// The first wait.
    pub wait: Duration,
}

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Everything.
    All,
    /// One event, to see.
    Probe,
    /// Nothing before this instant.
    NotBefore(Timestamp),
    /// Nothing until the probe under way has ended.
    Probing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Timestamp },
    Probing,
}

/// A first attempt of an event.
#[derive(Clone, Copy, Debug)]
struct First {
    key: Key,
    accepted: bool,
    at: Timestamp,
}

/// One consumer's circuit.
#[derive(Clone, Debug)]
pub struct Circuit {
    limits: Limits,
    state: State,
    firsts: VecDeque<First>,
    streak: Vec<Key>,
    wait: Duration,
    closed_at: Option<Timestamp>,
}

impl Circuit {
    /// A closed circuit.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Closed,
            firsts: VecDeque::new(),
            streak: Vec::new(),
            wait: limits.wait,
            closed_at: None,
        }
    }

    /// What may be sent now.
    pub fn permit(&self, now: Timestamp) -> Permit {
        match self.state {
            State::Closed => Permit::All,
            State::Open { until } if until <= now => Permit::Probe,
            State::Open { until } => Permit::NotBefore(until),
            State::Probing => Permit::Probing,
        }
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// A probe is on its way.
    pub fn probe(&mut self) {
        self.state = State::Probing;
    }

    /// The probe could not be sent after all.
    pub fn probe_given_back(&mut self, now: Timestamp) {
        if self.state == State::Probing {
            self.state = State::Open { until: now };
        }
    }

    /// Something changed that may let deliveries through: the next probe need not wait.
    pub fn hurry(&mut self, now: Timestamp) {
        if let State::Open { until } = &mut self.state {
            *until = (*until).min(now);
        }
    }

    /// The clock was set back by so much: what is left of a wait stays.
    pub fn set_back(&mut self, by: Duration) {
        if let State::Open { until } = &mut self.state {
            *until = earlier(*until, by);
        }
        self.closed_at = self.closed_at.map(|at| earlier(at, by));
        self.firsts.iter_mut().for_each(|one| one.at = earlier(one.at, by));
    }

    /// An event was accepted. Whether that closed the circuit.
    pub fn accepted(&mut self, key: Key, first: bool, now: Timestamp) -> bool {
        self.streak.clear();
        self.note(key, first, true, now);
        let closes = self.state != State::Closed;
        if closes {
            self.state = State::Closed;
            self.closed_at = Some(now);
            self.firsts.clear();
        }
        closes
    }

    /// An event failed; `asked_to_wait`: the receiver said when to come back, which is obeyed and held against nobody.
    /// If that opened the circuit: whose attempts had failed until then.
    pub fn failed(
        &mut self,
        key: Key,
        first: bool,
        fault: Fault,
        asked_to_wait: bool,
        now: Timestamp,
    ) -> Option<Vec<Key>> {
        if fault == Fault::Ours {
            self.probe_given_back(now);
            return None;
        }
        if self.state != State::Closed {
            if self.state == State::Probing {
                self.wait = (self.wait * 2).min(LONGEST);
                self.state = State::Open { until: later(now, self.wait) };
            }
            return None;
        }
        self.note(key, first, false, now);
        if fault == Fault::Consumer && !asked_to_wait {
            self.streak.push(key);
        }
        (self.streak.len() >= self.enough_in_a_row(now) || self.is_widespread()).then(|| self.open(now))
    }

    /// Opens it for another reason than the last attempt: whose attempts had failed, if it was closed.
    pub fn trip(&mut self, now: Timestamp) -> Option<Vec<Key>> {
        self.is_closed().then(|| self.open(now))
    }

    fn open(&mut self, now: Timestamp) -> Vec<Key> {
        let soon_again = self.closed_at.is_some_and(|at| between(at, now) < self.wait * 2);
        self.wait = if soon_again { (self.wait * 2).min(LONGEST) } else { self.limits.wait };
        self.state = State::Open { until: later(now, self.wait) };
        let mut failed = std::mem::take(&mut self.streak);
        failed.extend(self.firsts.drain(..).filter(|one| !one.accepted).map(|one| one.key));
        failed
    }

    fn note(&mut self, key: Key, first: bool, accepted: bool, at: Timestamp) {
        if !first {
            return;
        }
        self.firsts.push_back(First { key, accepted, at });
        if self.firsts.len() > self.limits.window {
            self.firsts.pop_front();
        }
    }

    fn enough_in_a_row(&self, now: Timestamp) -> usize {
        let recent = self.firsts.iter().filter(|one| one.accepted && between(one.at, now) < RECENT).count();
        STREAK + recent / GOOD_FOR
    }

    fn is_widespread(&self) -> bool {
        let failed: Vec<Key> = self.firsts.iter().filter(|one| !one.accepted).map(|one| one.key).collect();
        failed.len() * 2 >= self.limits.window && failed.iter().collect::<HashSet<_>>().len() >= self.limits.persons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pairwise::RecordId;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn circuit() -> Circuit {
        Circuit::new(Limits { window: 50, persons: 10, wait: Duration::from_secs(30) })
    }

    fn person(n: u8) -> Key {
        Key::Person(RecordId([n; 16]))
    }

    fn after(seconds: u64) -> Timestamp {
        later(NOW, Duration::from_secs(seconds))
    }

    #[test]
    fn faults_of_the_consumer_in_a_row_open_it_and_a_success_between_does_not() {
        let mut circuit = circuit();
        for n in 0..4 {
            assert_eq!(circuit.failed(person(n), true, Fault::Consumer, false, NOW), None);
        }
        assert!(!circuit.accepted(person(9), true, NOW));
        for n in 0..4 {
            assert_eq!(circuit.failed(person(n), false, Fault::Consumer, false, NOW), None);
        }
        let failed = circuit.failed(person(4), false, Fault::Consumer, false, NOW).expect("opens");
        assert_eq!(failed, [0, 1, 2, 3, 4, 0, 1, 2, 3].map(person));
        assert_eq!(circuit.permit(NOW), Permit::NotBefore(after(30)));
    }

    #[test]
    fn who_accepted_much_just_now_may_fail_more_often_in_a_row() {
        for (at, more) in [(after(1), 5), (after(61), 0)] {
            let mut circuit = circuit();
            for n in 0..15 {
                circuit.accepted(person(n), true, NOW);
            }
            let opened = (0..30).position(|n| circuit.failed(person(n), true, Fault::Consumer, false, at).is_some());
            assert_eq!(opened, Some(STREAK - 1 + more));
        }
        let mut set_back = circuit();
        for n in 0..15 {
            set_back.accepted(person(n), true, after(3600));
        }
        set_back.set_back(Duration::from_secs(3600));
        let opened =
            (0..30).position(|n| set_back.failed(person(n), true, Fault::Consumer, false, after(61)).is_some());
        assert_eq!(opened, Some(STREAK - 1), "what is long ago stays so when the clock is set back");
    }

    #[test]
    fn faults_of_few_persons_never_open_it_and_of_many_do() {
        let mut few = circuit();
        for n in 0..200 {
            assert_eq!(few.failed(person(n % 9), true, Fault::Person, false, NOW), None);
        }
        let mut many = circuit();
        let opened = (0..50).position(|n| many.failed(person(n % 12), true, Fault::Person, false, NOW).is_some());
        assert_eq!(opened, Some(24), "with the half of fifty");
        let mut retries = circuit();
        for n in 0..200 {
            assert_eq!(retries.failed(person(n), false, Fault::Person, false, NOW), None);
        }
    }

    #[test]
    fn one_probe_at_a_time_with_longer_waits_until_one_is_accepted() {
        let mut circuit = circuit();
        assert!(circuit.trip(NOW).is_some());
        assert_eq!(circuit.trip(NOW), None);
        assert_eq!(circuit.permit(after(30)), Permit::Probe);
        circuit.probe();
        assert_eq!(circuit.permit(after(31)), Permit::Probing);
        circuit.failed(person(1), true, Fault::Consumer, false, after(31));
        assert_eq!(circuit.permit(after(32)), Permit::NotBefore(after(91)));
        circuit.probe();
        circuit.failed(person(2), true, Fault::Ours, false, after(95));
        assert_eq!(circuit.permit(after(95)), Permit::Probe, "a fault of ours costs nothing");
        circuit.probe();
        assert!(circuit.accepted(person(2), true, after(96)));
        assert_eq!(circuit.permit(after(96)), Permit::All);
    }

    #[test]
    fn waits_end_at_ten_minutes_and_start_over_after_a_quiet_time() {
        let mut circuit = circuit();
        circuit.trip(NOW);
        for _ in 0..10 {
            circuit.probe();
            circuit.failed(person(1), true, Fault::Consumer, false, NOW);
        }
        assert_eq!(circuit.permit(NOW), Permit::NotBefore(after(600)));
        circuit.accepted(person(1), true, NOW);
        circuit.trip(after(10_000));
        assert_eq!(circuit.permit(NOW), Permit::NotBefore(after(10_030)));
    }

    #[test]
    fn a_receiver_that_says_when_to_come_back_is_not_held_broken() {
        let mut circuit = circuit();
        for n in 0..20 {
            assert_eq!(circuit.failed(person(n), false, Fault::Consumer, true, NOW), None);
        }
        assert!(circuit.is_closed());
    }
}
