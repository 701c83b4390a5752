//! Processor time of a process with all its threads, as the kernel counts it.

use std::time::Duration;

use anyhow::Context;

/// A tick of `/proc`, on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of this process until now.
pub fn own() -> anyhow::Result<Duration> {
    of("self")
}

/// User and system time of a process until now.
pub fn of(process: &str) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).context("/proc")?;
    // The name stands in parentheses and may hold anything; what follows does not.
    let rest = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).context("/proc stat");
    Ok(TICK * (ticks(11)? + ticks(12)?))
}

/// Microseconds for each of so many.
pub fn each(spent: Duration, count: u64) -> f64 {
    spent.as_secs_f64() * 1e6 / count as f64
}
