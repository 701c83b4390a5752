//! Whether this process has hardly any processor time left of what it may use.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Over so long it is measured.
const OVER: Duration = Duration::from_secs(60);

/// The part of what it may use from which on little is left.
const MUCH: f64 = 0.7;

/// Where the limit of a container stands: `QUOTA PERIOD`, or `max PERIOD`.
const LIMIT: &str = "/sys/fs/cgroup/cpu.max";

/// What the process used of late.
#[derive(Debug)]
pub struct Effort {
    limit: f64,
    since: (Instant, Duration),
    is_hard: bool,
}

impl Effort {
    /// Begins to measure.
    pub fn begin() -> Self {
        let limit = std::fs::read_to_string(LIMIT).ok().and_then(|text| cores(&text)).unwrap_or(f64::INFINITY);
        Self { limit, since: (Instant::now(), used()), is_hard: false }
    }

    /// Whether little was left over the last whole minute. Most of the work for one receiver is that of one core, so more than one
    /// does not count.
    pub fn is_hard(&mut self) -> bool {
        let (since, before) = self.since;
        let took = since.elapsed();
        if took >= OVER {
            let now = used();
            self.is_hard = is_much(now.saturating_sub(before), took, self.limit);
            self.since = (Instant::now(), now);
        }
        self.is_hard
    }
}

/// Processor time of the process until now.
fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

fn is_much(used: Duration, took: Duration, limit: f64) -> bool {
    used.as_secs_f64() >= MUCH * took.as_secs_f64() * limit.min(1.0)
}

/// The limit in cores; none where there is none.
fn cores(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_left_at_seven_tenths_of_the_limit_or_of_one_core() {
        let minute = Duration::from_secs(60);
        for (used, limit, expected) in
            [(41, f64::INFINITY, false), (42, f64::INFINITY, true), (42, 4.0, true), (20, 0.5, false), (21, 0.5, true)]
        {
            assert_eq!(is_much(Duration::from_secs(used), minute, limit), expected, "{used} s of {limit}");
        }
    }

    #[test]
    fn a_limit_is_read_as_the_kernel_writes_it() {
        assert_eq!(cores("50000 100000\n"), Some(0.5));
        assert_eq!(cores("max 100000\n"), None);
        assert_eq!(cores(""), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_said_of_whole_minutes() {
        let mut effort = Effort::begin();
        effort.limit = 0.0;
        assert!(!effort.is_hard(), "nothing was measured yet");
        tokio::time::advance(OVER).await;
        assert!(effort.is_hard(), "anything is much of nothing");
        effort.limit = f64::INFINITY;
        assert!(effort.is_hard(), "until a minute was measured again");
        tokio::time::advance(OVER).await;
        assert!(!effort.is_hard());
    }
}
