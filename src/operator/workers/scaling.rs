//! How many workers deliver to a consumer, between its fewest and its most: more while it is behind and more would help, fewer when
//! it has not been behind for a while. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::store::consumer::ConsumerState;

/// How long more of them may take to show an effect before there are still more.
const UP_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// How long there has to be no backlog before there is one fewer.
const DOWN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What a consumer's workers say of their number; the first goes before the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// More would help.
    More,
    /// It is behind, and more would not help: the receiver takes no more.
    AsMany,
    /// It is not behind, or nothing can be sent.
    #[default]
    NoMore,
}

impl Need {
    /// What follows from what delivery found.
    pub fn of(state: &ConsumerState) -> Self {
        let is_behind = state.sending.as_ref().is_some_and(|sending| sending.reason == "Backlogged");
        match (is_behind, state.strained) {
            (true, true) => Self::More,
            (true, false) => Self::AsMany,
            (false, _) => Self::NoMore,
        }
    }
}

/// How many there are, and since when things are as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scale {
    replicas: u32,
    changed: Timestamp,
    need: Need,
    needed_since: Timestamp,
}

impl Scale {
    fn next(self, need: Need, (min, max): (u32, u32), now: Timestamp) -> Self {
        let needed_since = if need == self.need { self.needed_since } else { now };
        let has_lasted = |time| now.duration_since(self.changed.max(needed_since)) >= time;
        let replicas = match need {
            Need::More if now.duration_since(self.changed) >= UP_AFTER => self.replicas + 1,
            Need::NoMore if has_lasted(DOWN_AFTER) => self.replicas.saturating_sub(1),
            _ => self.replicas,
        };
        let replicas = replicas.clamp(min, max);
        let changed = if replicas == self.replicas { self.changed } else { now };
        Self { replicas, changed, need, needed_since }
    }

    /// When the clock alone may change it.
    fn again(&self, (min, max): (u32, u32)) -> Option<Timestamp> {
        match self.need {
            Need::More if self.replicas < max => self.changed.checked_add(UP_AFTER).ok(),
            Need::NoMore if self.replicas > min => self.changed.max(self.needed_since).checked_add(DOWN_AFTER).ok(),
            _ => None,
        }
    }
}

/// The numbers of all workers, by their names.
#[derive(Debug, Default)]
pub struct Scales(BTreeMap<String, Scale>);

impl Scales {
    /// How many there are to be of a worker that has `present` pods, and when the clock alone may change that. One that is seen for
    /// the first time keeps what it has: whoever scaled it before had a reason.
    pub fn decide(
        &mut self,
        worker: &str,
        present: u32,
        need: Need,
        range: (u32, u32),
        now: Timestamp,
    ) -> (u32, Option<Timestamp>) {
        let first = Scale { replicas: present.clamp(range.0, range.1), changed: now, need, needed_since: now };
        let scale = self.0.get(worker).copied().unwrap_or(first).next(need, range, now);
        self.0.insert(worker.to_owned(), scale);
        (scale.replicas, scale.again(range))
    }

    /// Forgets those that have no pods.
    pub fn retain(&mut self, has_pods: impl Fn(&str) -> bool) {
        self.0.retain(|worker, _| has_pods(worker));
    }
}

#[cfg(test)]
mod tests {
    use super::Need::{AsMany, More, NoMore};
    use super::*;
    use crate::store::consumer::SendingState;

    #[test]
    fn more_come_by_and_by_and_go_slowly() {
        let (mut scales, of) = (Scales::default(), "a");
        for (second, need, expected, again) in [
            (0, NoMore, 1, None),
            (10, More, 1, Some(60)),
            (60, More, 2, Some(120)),
            (100, More, 2, Some(120)),
            (120, More, 3, None),
            (600, More, 3, None),
            (700, AsMany, 3, None),
            (800, NoMore, 3, Some(1400)),
            (1300, AsMany, 3, None),
            (1400, NoMore, 3, Some(2000)),
            (2000, NoMore, 2, Some(2600)),
            (2599, NoMore, 2, Some(2600)),
            (2600, NoMore, 1, None),
            (9999, NoMore, 1, None),
        ] {
            let at = |second| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            let found = scales.decide(of, 1, need, (1, 3), at(second));
            assert_eq!(found, (expected, again.map(at)), "second {second}");
        }
    }

    #[test]
    fn what_was_scaled_by_another_stays_within_what_is_asked_for() {
        let (of, now) = ("a", Timestamp::UNIX_EPOCH);
        for (present, range, expected) in [(3, (1, 4), 3), (0, (1, 4), 1), (9, (1, 4), 4), (1, (2, 2), 2)] {
            assert_eq!(Scales::default().decide(of, present, AsMany, range, now).0, expected);
        }
        let mut scales = Scales::default();
        assert_eq!(scales.decide(of, 4, AsMany, (1, 4), now).0, 4);
        assert_eq!(scales.decide(of, 4, AsMany, (1, 2), now).0, 2, "a lower ceiling holds at once");
        scales.retain(|_| false);
        assert_eq!(scales.decide(of, 4, AsMany, (1, 4), now).0, 4);
    }

    #[test]
    fn more_help_only_where_the_worker_is_what_is_waited_for() {
        let state = |reason: &str, strained| ConsumerState {
            sending: Some(SendingState { reason: reason.into(), message: String::new() }),
            strained,
            ..ConsumerState::default()
        };
        assert_eq!(Need::of(&state("Backlogged", true)), More);
        assert_eq!(Need::of(&state("Backlogged", false)), AsMany);
        assert_eq!(Need::of(&state("CircuitOpen", true)), NoMore);
        assert_eq!(Need::of(&state("Delivering", false)), NoMore);
        assert_eq!(Need::of(&ConsumerState::default()), NoMore);
    }
}
