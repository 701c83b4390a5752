//! How long things are kept.

use std::time::Duration;

use serde::Deserialize;

use super::text::duration;

/// Section `retention`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// Grace after a resource was deleted, in which it can be taken up again.
    #[serde(deserialize_with = "duration")]
    pub after_deletion: Duration,
    /// How long a consumer that heard of a death, disappearance or emigration may hear it undone.
    #[serde(deserialize_with = "duration")]
    pub undoing: Duration,
    /// How long undelivered events are kept for a silent consumer.
    #[serde(deserialize_with = "duration")]
    pub undelivered: Duration,
    /// How long delivered events, routes and attempts are kept.
    #[serde(deserialize_with = "duration")]
    pub delivered: Duration,
    /// How long dead letters are kept.
    #[serde(deserialize_with = "duration")]
    pub dead_letters: Duration,
}
