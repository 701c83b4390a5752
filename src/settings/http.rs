//! Where probes and metrics are served.

use std::net::SocketAddr;

use serde::Deserialize;

/// Section `http`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Address of `/livez`, `/readyz` and `/metrics`. Port 0 takes a free one, which is logged.
    pub listen: SocketAddr,
}
