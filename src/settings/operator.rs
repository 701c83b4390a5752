//! What is reconciled, and who leads.

use std::time::Duration;

use serde::Deserialize;

use super::text::duration;

/// Section `operator`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorSettings {
    /// Whether custom resources are reconciled; without it the process works from what the store has.
    pub enabled: bool,
    /// Namespaces that are watched; empty: all.
    pub namespaces: Vec<String>,
    /// Namespace of the Lease; empty: the pod's own, else `default`.
    pub lease_namespace: String,
    /// Name of the Lease.
    pub lease_name: String,
    /// How long a Lease holds without renewal.
    #[serde(deserialize_with = "duration")]
    pub lease_duration: Duration,
    /// Most reconciles at the same time, per kind.
    pub concurrency: u16,
    /// How often every resource is looked at again without cause.
    #[serde(deserialize_with = "duration")]
    pub resync: Duration,
    /// How often counters and times in status may be refreshed for one object when nothing else changes.
    #[serde(deserialize_with = "duration")]
    pub status_interval: Duration,
    /// Most such refreshes a second, over all objects.
    pub status_writes_per_second: u32,
}
