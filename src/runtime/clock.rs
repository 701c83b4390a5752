//! The clock that every stage is given: the system's, or one that a test turns by hand.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A jump forward by more than this is not believed at once.
const JUMP: Duration = Duration::from_secs(3600);
/// How long a clock that jumped has to go on as it goes before what is due by it is deleted.
const BELIEVED_AFTER: Duration = Duration::from_secs(3600);

/// A source of the present time. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// A clock that is turned by hand; none for the system's clock.
    by_hand: Option<Arc<Hand>>,
    jumps: Arc<Mutex<Jumps>>,
}

#[derive(Debug)]
struct Hand {
    /// Milliseconds since the epoch.
    at: AtomicI64,
    is_doubted: AtomicBool,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `start` until it is turned.
    pub fn by_hand(start: Timestamp) -> Self {
        let hand = Hand { at: AtomicI64::new(start.as_millisecond()), is_doubted: AtomicBool::new(false) };
        Self { by_hand: Some(Arc::new(hand)), jumps: Arc::default() }
    }

    /// The present time, to the millisecond.
    pub fn now(&self) -> Timestamp {
        let millis = match &self.by_hand {
            Some(hand) => hand.at.load(Ordering::SeqCst),
            None => Timestamp::now().as_millisecond(),
        };
        Timestamp::from_millisecond(millis).expect("a clock shows a time within jiff's range")
    }

    /// The present date in Denmark, which decides what the register means by "today".
    pub fn today(&self) -> Date {
        danish_date(self.now())
    }

    /// Turns a clock that is set by hand forward. A system clock is not changed.
    pub fn advance(&self, by: Duration) {
        self.turn(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Turns a clock that is set by hand back. A system clock is not changed.
    pub fn set_back(&self, by: Duration) {
        self.turn(-i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    fn turn(&self, millis: i64) {
        if let Some(hand) = &self.by_hand {
            hand.at.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// Whether something may be deleted because its time has passed by this clock. Not for an hour after the system's clock
    /// jumped forward by more than an hour: a wrong time that is put right within that has deleted nothing.
    pub fn is_believed(&self) -> bool {
        if let Some(hand) = &self.by_hand {
            return !hand.is_doubted.load(Ordering::SeqCst);
        }
        let mut jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
        jumps.observe(self.now(), Instant::now())
    }

    /// Sets whether a clock that is set by hand is believed.
    pub fn doubt(&self, is_doubted: bool) {
        if let Some(hand) = &self.by_hand {
            hand.is_doubted.store(is_doubted, Ordering::SeqCst);
        }
    }
}

/// What the system's clock showed, held against a clock that cannot be set.
#[derive(Debug, Default)]
struct Jumps {
    seen: Option<(Timestamp, Instant)>,
    /// When the last jump forward was seen, and by how much.
    jumped: Option<(Instant, Duration)>,
}

impl Jumps {
    /// Takes in what both clocks show. Whether the first is believed.
    fn observe(&mut self, now: Timestamp, steady: Instant) -> bool {
        let (shown, since) = *self.seen.get_or_insert((now, steady));
        self.seen = Some((now, steady));
        let off = now.duration_since(shown).as_millis() - steady.duration_since(since).as_millis() as i128;
        if off > JUMP.as_millis() as i128 {
            let by = Duration::from_millis(u64::try_from(off).unwrap_or(u64::MAX));
            tracing::error!(
                seconds = by.as_secs(),
                "the clock jumped forward: nothing is deleted by its time for an hour; if it is wrong, set it right"
            );
            self.jumped = Some((steady, by));
        }
        if let Some((at, by)) = self.jumped {
            // Set right again, or nearly.
            let is_taken_back = -off >= (by - JUMP).as_millis() as i128;
            let is_old = steady.duration_since(at) >= BELIEVED_AFTER;
            self.jumped = self.jumped.filter(|_| !is_taken_back && !is_old);
        }
        self.jumped.is_none()
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
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_clock_set_by_hand_moves_only_when_turned() {
        let clock = Clock::by_hand("2026-07-01T22:30:00Z".parse().unwrap());
        assert_eq!(clock.now(), clock.now());
        assert_eq!(clock.today().to_string(), "2026-07-02");
        clock.advance(HOUR * 24);
        assert_eq!(clock.today().to_string(), "2026-07-03");
        clock.set_back(HOUR * 48);
        assert_eq!(clock.today().to_string(), "2026-07-01");
    }

    /// Whether the clock is believed at each of these: hours that it shows, and hours that have passed.
    fn believed(readings: &[(i64, u32)]) -> Vec<bool> {
        let (mut jumps, began) = (Jumps::default(), Instant::now());
        let observed = readings.iter().map(|(shown, passed)| {
            jumps.observe(Timestamp::from_second(shown * 3600).unwrap(), began + HOUR * *passed)
        });
        observed.collect()
    }

    #[test]
    fn a_jump_forward_is_believed_after_an_hour_and_one_taken_back_never_counted() {
        assert_eq!(believed(&[(0, 0), (5, 5), (200, 200)]), [true; 3], "time that passed is no jump");
        assert_eq!(believed(&[(0, 0), (9000, 0), (9000, 0), (9001, 1)]), [true, false, false, true]);
        assert_eq!(believed(&[(0, 0), (9000, 0), (0, 0), (1, 1)]), [true, false, true, true]);
        assert_eq!(believed(&[(9000, 0), (0, 0), (1, 1)]), [true; 3], "a clock set back deletes nothing");
        assert!(Clock::system().is_believed());
    }
}
