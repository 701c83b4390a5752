//! Guarded connections: which addresses may be reached, and the HTTP client that reaches no other.
//!
//! Everything that leaves for a register or a consumer goes through [`client::Client`]. Each address that a name
//! resolves to is judged by [`guard::Guard`] inside the connector, so that nothing can change between the check and
//! the connection. Where a forward proxy is named, its addresses are those that are judged, and it is the one that resolves
//! the host's name.

pub mod client;
pub mod connect;
pub mod error;
pub mod guard;
pub mod identity;
pub mod probe;
pub mod proxy;
mod range;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
pub mod token;

use std::time::Duration;

use url::Url;

/// How connections are made and kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For name resolution, connection and TLS handshake together.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// Most unused connections kept for one host.
    pub idle_per_host: usize,
    /// The forward proxy by which hosts are reached: `http`, host and port.
    pub proxy: Option<Url>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            idle_per_host: 32,
            proxy: None,
        }
    }
}
