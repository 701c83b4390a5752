//! Which private addresses may be reached at all.

use ipnet::IpNet;
use serde::Deserialize;

/// Section `network`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// Private, loopback and metadata ranges that the platform opens. Private ones need the resource's word too.
    pub allowed_networks: Vec<IpNet>,
}
