//! How registers are spoken to.

use std::time::Duration;

use serde::Deserialize;

use super::text::duration;

/// Section `register`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterSettings {
    /// Most requests a second, per source.
    pub requests_per_second: u32,
    /// For one request, connect to last byte.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// Notices on one page.
    pub page_size: u32,
    /// Persons in one lookup, at most 100.
    pub batch: u32,
    /// How often a service's schema is read again.
    #[serde(deserialize_with = "duration")]
    pub schema_max_age: Duration,
    /// Failures in a row after which the register is left alone for a while.
    pub circuit_failures: u32,
    /// The longest such while.
    #[serde(deserialize_with = "duration")]
    pub circuit_max: Duration,
}
