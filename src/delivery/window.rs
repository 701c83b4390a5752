//! How many requests may be under way at once: grows while answers stay quick, halves when they do not. Pure.

use std::time::{Duration, Instant};

/// Where it starts.
const START: f64 = 4.0;
/// Answers slower than this many times the usual stop the growth.
const SLOWER: f64 = 2.0;
/// Below this an answer is quick, whatever is usual.
const QUICK: Duration = Duration::from_millis(20);

/// A consumer's present number of simultaneous requests.
#[derive(Clone, Debug)]
pub struct Window {
    size: f64,
    usual: Option<Duration>,
    halved_at: Option<Instant>,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: START, usual: None, halved_at: None }
    }
}

impl Window {
    /// How many may be under way, at least 1, at most `limit`.
    pub fn size(&self, limit: u32) -> u32 {
        (self.size as u32).min(limit).max(1)
    }

    /// An answer came after `took`. Grows by one for each window's worth of quick answers.
    pub fn answered(&mut self, took: Duration, limit: u32) {
        let usual = self.usual.map_or(took, |usual| if took < usual { took } else { usual.mul_f64(0.99) + took / 100 });
        self.usual = Some(usual);
        if took <= QUICK || took <= usual.mul_f64(SLOWER) {
            self.size = (self.size + 1.0 / self.size).min(f64::from(limit.max(1)));
        }
    }

    /// The receiver had too much: halves, but once only for what was under way together.
    pub fn pressed(&mut self, began: Instant, now: Instant) {
        if self.halved_at.is_none_or(|at| began >= at) {
            self.size = (self.size / 2.0).max(1.0);
            self.halved_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn quick_answers_let_it_grow_to_its_limit_and_slow_ones_do_not() {
        let mut window = Window::default();
        assert_eq!(window.size(32), 4);
        assert_eq!(window.size(2), 2);
        (0..2000).for_each(|_| window.answered(30 * MS, 32));
        assert_eq!(window.size(32), 32);
        let mut slowing = Window::default();
        slowing.answered(30 * MS, 32);
        (0..50).for_each(|_| slowing.answered(500 * MS, 32));
        assert_eq!(slowing.size(32), 4);
    }

    #[test]
    fn pressure_halves_once_for_what_was_under_way_together() {
        let mut window = Window::default();
        (0..2000).for_each(|_| window.answered(30 * MS, 32));
        let begun = Instant::now();
        let noticed = begun + 100 * MS;
        (0..10).for_each(|_| window.pressed(begun, noticed));
        assert_eq!(window.size(32), 16);
        window.pressed(noticed + MS, noticed + 2 * MS);
        assert_eq!(window.size(32), 8);
        (0..20u32).for_each(|i| window.pressed(noticed + 10 * (i + 1) * MS, noticed + 10 * (i + 1) * MS));
        assert_eq!(window.size(32), 1);
    }
}
