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
    let fields = fields(process)?;
    Ok(TICK * (ticks(&fields, 11)? + ticks(&fields, 12)?))
}

/// The same of a process, of those of its children that have ended, and of those that have not.
pub fn of_family(parent: u32) -> anyhow::Result<Duration> {
    let own = fields(&parent.to_string())?;
    let mut sum = TICK * (11..=14).map(|at| ticks(&own, at)).sum::<anyhow::Result<u32>>()?;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // One that has ended since counts as its parent's.
        if name.parse::<u32>().is_ok() && self::parent(&name).is_ok_and(|of| of == parent) {
            sum += of(&name).unwrap_or_default();
        }
    }
    Ok(sum)
}

/// The process that started a process.
pub fn parent(process: &str) -> anyhow::Result<u32> {
    ticks(&fields(process)?, 1)
}

fn fields(process: &str) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).context("/proc")?;
    // The name stands in parentheses and may hold anything; what follows does not.
    let rest = text.rsplit(')').next().unwrap_or_default();
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

fn ticks(fields: &[String], at: usize) -> anyhow::Result<u32> {
    fields.get(at).and_then(|field| field.parse().ok()).context("/proc stat")
}

/// Microseconds for each of so many.
pub fn each(spent: Duration, count: u64) -> f64 {
    spent.as_secs_f64() * 1e6 / count as f64
}
