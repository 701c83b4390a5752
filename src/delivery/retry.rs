//! When a failed delivery is tried again: the schedule, and what the receiver asks for. Pure.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::chance::Chance;
use crate::domain::compiled::Retry;

/// The wait after `tries` failures in a row: exponential from `initial` to `max`, with jitter upwards.
pub fn wait(policy: &Retry, tries: u32, chance: &Chance) -> Duration {
    let doublings = tries.saturating_sub(1).min(31);
    chance.stretch(policy.initial.saturating_mul(1 << doublings).min(policy.max))
}

/// When to try again after `tries` failures in a row: the later of schedule and the receiver's wish.
pub fn next(policy: &Retry, tries: u32, wish: Option<Timestamp>, now: Timestamp, chance: &Chance) -> Timestamp {
    let scheduled = later(now, wait(policy, tries, chance));
    wish.map_or(scheduled, |wish| wish.max(scheduled))
}

/// An instant `by` after `at`; the last one that can be told, if that is later.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// An instant `by` before `at`; the first one that can be told, if that is earlier.
pub fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// How much later than `from` it is at `to`; nothing, if it is earlier.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// Reads a `Retry-After` header: seconds, or an HTTP date. None where it is neither.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(later(now, Duration::from_secs(value.parse().unwrap_or(u64::MAX))));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(date.max(now))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn policy() -> Retry {
        let secs = Duration::from_secs;
        Retry { initial: secs(5), max: secs(3600), give_up_after: secs(168 * 3600) }
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_never_falls_short() {
        let chance = Chance::seeded(1);
        for (tries, least) in [(0, 5), (1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (40, 3600), (u32::MAX, 3600)] {
            let wait = wait(&policy(), tries, &chance).as_secs_f64();
            assert!(wait >= f64::from(least) && wait <= f64::from(least) * 1.25, "{tries}: {wait}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("120", Some("2026-11-22T12:02:00Z")),
            (" 0 ", Some("2026-11-22T12:00:00Z")),
            ("Sun, 22 Nov 2026 12:02:00 GMT", Some("2026-11-22T12:02:00Z")),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some("2026-11-22T12:00:00Z")),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("+5", None),
            ("٥", None),
            ("120, 60", None),
            ("Sun, 31 Feb 2026 12:02:00 GMT", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some("2026-11-22T12:00:00Z")),
            ("604800", Some("2026-11-29T12:00:00Z")),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(|e| e.parse().unwrap()), "{value:?}");
        }
        assert_eq!(retry_after("99999999999999999999999", now), Some(Timestamp::MAX));
    }

    #[test]
    fn the_later_of_schedule_and_wish_counts() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let chance = Chance::seeded(1);
        let wish = later(now, Duration::from_secs(60));
        assert_eq!(next(&policy(), 1, Some(wish), now, &chance), wish);
        assert!(next(&policy(), 8, Some(wish), now, &chance) > wish);
    }
}
