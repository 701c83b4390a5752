//! At most so many requests a second, with a tenth of a second's worth at once. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::retry::{between, earlier, later};

/// What is left of a consumer's rate.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// When all that was drawn is paid for.
    paid_at: Option<Timestamp>,
}

impl Rate {
    /// How many requests may begin now.
    pub fn available(&self, per_second: Option<u32>, now: Timestamp) -> u32 {
        let Some(per_second) = per_second else { return u32::MAX };
        let price = price(per_second);
        let debt = self.paid_at.map_or(Duration::ZERO, |paid| between(now, paid));
        (burst(per_second).saturating_sub(debt).as_nanos() / price.as_nanos()) as u32
    }

    /// Draws for `count` requests that begin now.
    pub fn draw(&mut self, per_second: Option<u32>, count: u32, now: Timestamp) {
        if let Some(per_second) = per_second {
            let from = self.paid_at.map_or(now, |paid| paid.max(now));
            self.paid_at = Some(later(from, price(per_second) * count));
        }
    }

    /// The clock was set back by so much.
    pub fn set_back(&mut self, by: Duration) {
        self.paid_at = self.paid_at.map(|at| earlier(at, by));
    }

    /// When the next request may begin, if not now.
    pub fn next(&self, per_second: Option<u32>, now: Timestamp) -> Option<Timestamp> {
        let (per_second, paid) = (per_second?, self.paid_at?);
        let room = burst(per_second) - price(per_second);
        let debt = between(now, paid);
        // Timestamps of the clock are whole milliseconds: round up, so that waking finds something to draw.
        (debt > room).then(|| later(now, debt - room + Duration::from_millis(1)))
    }
}

fn price(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

fn burst(per_second: u32) -> Duration {
    price(per_second) * (per_second / 10).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_its_rate_and_a_burst() {
        for per_second in [1, 3, 10, 500] {
            let (mut rate, mut now, mut sent) = (Rate::default(), Timestamp::UNIX_EPOCH, 0);
            for _ in 0..5000 {
                let some = rate.available(Some(per_second), now);
                rate.draw(Some(per_second), some, now);
                sent += some;
                now = later(now, Duration::from_millis(1));
            }
            let expected = 5 * per_second;
            assert!(sent >= expected - 1 && sent <= expected + (per_second / 10).max(1), "{per_second}: {sent}");
        }
    }

    #[test]
    fn who_has_to_wait_is_told_until_when() {
        let (mut rate, now) = (Rate::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(rate.available(None, now), u32::MAX);
        assert_eq!(rate.next(Some(2), now), None);
        rate.draw(Some(2), 1, now);
        assert_eq!(rate.available(Some(2), now), 0);
        let next = rate.next(Some(2), now).expect("has to wait");
        assert_eq!(rate.available(Some(2), next), 1);
    }
}
