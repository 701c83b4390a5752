//! How sources are read.

use std::time::Duration;

use serde::Deserialize;

use super::text::duration;

/// Section `ingest`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestSettings {
    /// Persons in one transaction.
    pub batch: u32,
    /// How far back a person's own rows may explain a first sight, in days.
    pub history_days: i32,
    /// An import that is unfinished for so long is a condition.
    #[serde(deserialize_with = "duration")]
    pub unfinished_after: Duration,
    /// How often a person is tried before the cursor goes on without them.
    pub tries: u32,
    /// When a person who could not be read is tried again.
    #[serde(deserialize_with = "duration")]
    pub unread_retry: Duration,
}
