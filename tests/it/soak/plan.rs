//! How long a run is, and what a failing one says.

use crate::support::chance::Chance;

/// Above how many faults a run is a long one.
const LONG: u32 = 100;

/// The sizes of a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many faults there are; `CPR_SOAK_FAULTS`.
    pub faults: u32,
    /// How many people the register has.
    pub people: usize,
    /// Pairs of stretches in which the steady consumer is alone, and beside the others.
    pub pairs: usize,
    /// Seconds of one such stretch.
    pub stretch: u64,
    /// Seconds without faults after the last, in which memory is weighed.
    pub calm: u64,
}

impl Plan {
    /// From `CPR_SOAK_FAULTS`, else the short form with so many faults.
    pub fn from_environment(short: u32) -> Self {
        let given = std::env::var("CPR_SOAK_FAULTS").ok().and_then(|text| text.parse().ok());
        let faults = given.unwrap_or(short);
        match faults >= LONG {
            true => Self { faults, people: 4_000, pairs: 4, stretch: 10, calm: 120 },
            false => Self { faults, people: 300, pairs: 1, stretch: 2, calm: 0 },
        }
    }

    /// Whether what needs many samples is asserted, and not only printed.
    pub fn is_long(&self) -> bool {
        self.faults >= LONG
    }
}

/// Says at the start, and again when the run fails, how it is replayed.
pub struct Replay {
    seed: u64,
    faults: u32,
}

impl Replay {
    /// Says it for the first time.
    pub fn of(chance: &Chance, plan: &Plan) -> Self {
        let replay = Self { seed: chance.seed(), faults: plan.faults };
        replay.say("replay with");
        replay
    }

    #[expect(clippy::print_stdout, reason = "the seed is what a failure is replayed with")]
    fn say(&self, words: &str) {
        println!("{words} CPR_SEED={} CPR_SOAK_FAULTS={} make soak", self.seed, self.faults);
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.say("failed; replay with");
        }
    }
}
