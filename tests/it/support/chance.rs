//! Chance that can be replayed: `CPR_SEED` repeats a run.

/// Splitmix64, seeded.
pub struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    /// From `CPR_SEED`, else from the time.
    pub fn from_environment() -> Self {
        let given = std::env::var("CPR_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| jiff::Timestamp::now().as_nanosecond() as u64);
        Self { seed, state: seed }
    }

    /// What it began with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A number from 0 up to, not including, `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// One of these, each as often as its share says.
    pub fn one_of<T: Copy>(&mut self, shares: &[(T, u64)]) -> T {
        let mut left = self.below(shares.iter().map(|(_, share)| share).sum());
        for (one, share) in shares {
            if left < *share {
                return *one;
            }
            left -= share;
        }
        unreachable!("a number below the sum falls into a share")
    }
}
