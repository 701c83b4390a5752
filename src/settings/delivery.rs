//! How deliveries are sent.

use std::time::Duration;

use serde::Deserialize;

use super::text::duration;

/// Section `delivery`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySettings {
    /// How often results are written.
    #[serde(deserialize_with = "duration")]
    pub flush_interval: Duration,
    /// Results after which they are written at once.
    pub flush_results: u32,
    /// Routes read at a time, and held in memory for one consumer.
    pub read_ahead: u32,
    /// Parked persons above which it is the consumer's fault.
    pub max_parked: u32,
    /// The last first attempts that are judged together.
    pub circuit_window: u32,
    /// Persons over which failures have to spread to be the consumer's fault.
    pub circuit_persons: u32,
    /// The first wait of an open circuit; doubles up to ten minutes.
    #[serde(deserialize_with = "duration")]
    pub circuit_wait: Duration,
    /// How long old signing secrets are used beside new ones that the receiver has not accepted yet.
    #[serde(deserialize_with = "duration")]
    pub rotation_overlap: Duration,
    /// How often an unproven address is asked again.
    #[serde(deserialize_with = "duration")]
    pub verify_interval: Duration,
}
