//! Chance: where jitter comes from, so that a test can repeat it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A source of numbers that need not be secret. Clones draw from the same one.
#[derive(Clone, Debug)]
pub struct Chance(Arc<AtomicU64>);

/// By how much of itself a wait is stretched at most.
const STRETCH: f64 = 0.25;

impl Chance {
    /// Another sequence in each process.
    pub fn system() -> Self {
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed).expect("the operating system gives random bytes");
        Self::seeded(u64::from_le_bytes(seed))
    }

    /// The same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// A number from 0 up to, not including, 1 (SplitMix64).
    pub fn unit(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A wait made longer, never shorter, so that many do not end at the same instant.
    pub fn stretch(&self, wait: Duration) -> Duration {
        wait.mul_f64(1.0 + STRETCH * self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_only_lengthens_and_repeats_by_seed() {
        let (one, two) = (Chance::seeded(7), Chance::seeded(7));
        let wait = Duration::from_secs(100);
        for _ in 0..1000 {
            let stretched = one.stretch(wait);
            assert!(stretched >= wait && stretched < Duration::from_secs(125), "{stretched:?}");
            assert_eq!(stretched, two.stretch(wait));
        }
    }
}
