//! The clock that every stage is given: the system's, or one that a test turns by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A source of the present time. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds since the epoch of a clock that is turned by hand; none for the system's clock.
    by_hand: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `start` until it is turned.
    pub fn by_hand(start: Timestamp) -> Self {
        Self { by_hand: Some(Arc::new(AtomicI64::new(start.as_millisecond()))) }
    }

    /// The present time, to the millisecond.
    pub fn now(&self) -> Timestamp {
        let millis = match &self.by_hand {
            Some(at) => at.load(Ordering::SeqCst),
            None => Timestamp::now().as_millisecond(),
        };
        Timestamp::from_millisecond(millis).expect("a clock shows a time within jiff's range")
    }

    /// The present date in Denmark, which decides what the register means by "today".
    pub fn today(&self) -> Date {
        danish_date(self.now())
    }

    /// Turns a clock that is set by hand forward. A system clock is not changed.
    pub fn advance(&self, by: std::time::Duration) {
        if let Some(at) = &self.by_hand {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// The Danish calendar date at an instant.
pub fn danish_date(at: Timestamp) -> Date {
    at.to_zoned(copenhagen()).date()
}

/// The Danish time zone, from the time zone data that is compiled in.
pub fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").expect("the time zone database is compiled in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_by_hand_moves_only_when_turned() {
        let clock = Clock::by_hand("2026-07-01T22:30:00Z".parse().expect("a time"));
        assert_eq!(clock.now(), clock.now());
        assert_eq!(clock.today().to_string(), "2026-07-02");
        clock.advance(std::time::Duration::from_secs(24 * 3600));
        assert_eq!(clock.today().to_string(), "2026-07-03");
    }
}
