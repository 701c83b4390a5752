//! Which values settings may have, so that one that cannot work is refused at start and not met later.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

use super::Settings;
use super::quantity::{Cpu, Memory};

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value is too small or too large.
    #[error("{key} is {value}: it must be from {least} to {most}")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// The least that is possible.
        least: String,
        /// The most that is possible.
        most: String,
    },
    /// A text is empty.
    #[error("{0} is empty: give it a value")]
    Empty(&'static str),
    /// A text is too long.
    #[error("{0} has more than {1} characters: shorten it")]
    TooLong(&'static str, usize),
    /// Workers are made, and there is no database that they could share.
    #[error(
        "workers.image is set and database.url_file is not: workers share a PostgreSQL database; name the file with its address"
    )]
    Apart,
    /// Logins are wanted for workers that are not made.
    #[error(
        "database.login_per_consumer is set and workers.image is not: the operator makes logins for the workers that it makes; leave it out"
    )]
    NoWorkers,
}

/// The longest time that any setting may have; the calendar has room for it on either side of the present.
const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The longest value of a label, which the anchor's name becomes.
const LABEL: usize = 63;

/// Checks every value that has a range.
pub fn validate(settings: &Settings) -> Result<(), Error> {
    let Settings { store, database, operator, workers, ingest, lists, register, delivery, retention, .. } = settings;
    let (milli, second) = (Duration::from_millis(1), Duration::from_secs(1));
    number("store.readers", store.readers, 1..=64)?;
    number("database.writers", database.writers, 1..=64)?;
    number("database.readers", database.readers, 1..=64)?;
    time("database.statement_timeout", database.statement_timeout, second..=3600 * second)?;
    time("database.lock_timeout", database.lock_timeout, 100 * milli..=3600 * second)?;
    time("database.idle_timeout", database.idle_timeout, second..=3600 * second)?;

    if operator.lease_name.is_empty() {
        return Err(Error::Empty("operator.lease_name"));
    }
    time("operator.lease_duration", operator.lease_duration, 3 * second..=3600 * second)?;
    number("operator.concurrency", operator.concurrency, 1..=1_000)?;
    time("operator.resync", operator.resync, second..=AGES)?;
    time("operator.status_interval", operator.status_interval, second..=AGES)?;
    number("operator.status_writes_per_second", operator.status_writes_per_second, 1..=1_000)?;

    validate_workers(settings)?;
    number("workers.max_replicas", workers.max_replicas, 1..=100)?;

    number("ingest.batch", ingest.batch, 1..=1_000)?;
    number("ingest.history_days", ingest.history_days, 0..=36_500)?;
    time("ingest.unfinished_after", ingest.unfinished_after, second..=AGES)?;
    number("ingest.tries", ingest.tries, 1..=100)?;
    time("ingest.unread_retry", ingest.unread_retry, milli..=AGES)?;

    number("lists.additions_per_hour", lists.additions_per_hour, 1..=100_000_000)?;
    number("lists.unknown_per_hour", lists.unknown_per_hour, 1..=100_000_000)?;

    number("register.requests_per_second", register.requests_per_second, 1..=10_000)?;
    time("register.timeout", register.timeout, 100 * milli..=600 * second)?;
    number("register.page_size", register.page_size, 1..=1_000)?;
    number("register.batch", register.batch, 1..=100)?;
    time("register.schema_max_age", register.schema_max_age, second..=AGES)?;
    number("register.circuit_failures", register.circuit_failures, 1..=1_000)?;
    time("register.circuit_max", register.circuit_max, second..=AGES)?;

    time("delivery.flush_interval", delivery.flush_interval, milli..=60 * second)?;
    number("delivery.flush_results", delivery.flush_results, 1..=100_000)?;
    number("delivery.read_ahead", delivery.read_ahead, 1..=1_000_000)?;
    number("delivery.max_parked", delivery.max_parked, 1..=1_000_000)?;
    number("delivery.circuit_window", delivery.circuit_window, 1..=100_000)?;
    number("delivery.circuit_persons", delivery.circuit_persons, 1..=delivery.circuit_window.into())?;
    time("delivery.circuit_wait", delivery.circuit_wait, milli..=600 * second)?;
    time("delivery.rotation_overlap", delivery.rotation_overlap, Duration::ZERO..=AGES)?;
    time("delivery.verify_interval", delivery.verify_interval, milli..=AGES)?;

    time("retention.after_deletion", retention.after_deletion, Duration::ZERO..=AGES)?;
    time("retention.undoing", retention.undoing, Duration::ZERO..=AGES)?;
    time("retention.undelivered", retention.undelivered, second..=AGES)?;
    time("retention.delivered", retention.delivered, Duration::ZERO..=AGES)?;
    time("retention.dead_letters", retention.dead_letters, Duration::ZERO..=AGES)
}

/// What workers need is named, and a worker that asks for nothing stays below the ceilings.
fn validate_workers(settings: &Settings) -> Result<(), Error> {
    let workers = &settings.workers;
    if !workers.are_made() {
        return if settings.database.login_per_consumer { Err(Error::NoWorkers) } else { Ok(()) };
    }
    if let Some((key, _)) = workers.needed().into_iter().find(|(_, value)| value.is_empty()) {
        return Err(Error::Empty(key));
    }
    if workers.anchor.len() > LABEL {
        return Err(Error::TooLong("workers.anchor", LABEL));
    }
    if settings.database.url_file.is_none() {
        return Err(Error::Apart);
    }
    within("workers.max_cpu", workers.max_cpu, Cpu(100)..=Cpu(999_999), Cpu::to_string)?;
    within("workers.max_memory", workers.max_memory, Memory(512)..=Memory(1024 * 1024 - 1), Memory::to_string)
}

fn number(key: &'static str, value: impl Into<i64>, range: RangeInclusive<i64>) -> Result<(), Error> {
    within(key, value.into(), range, |number| number.to_string())
}

fn time(key: &'static str, value: Duration, range: RangeInclusive<Duration>) -> Result<(), Error> {
    within(key, value, range, |time| match SignedDuration::try_from(*time) {
        Ok(time) => format!("{time:#}"),
        Err(_) => "too long".to_owned(),
    })
}

fn within<T: PartialOrd>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
    text: impl Fn(&T) -> String,
) -> Result<(), Error> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::OutOfRange { key, value: text(&value), least: text(range.start()), most: text(range.end()) })
}
