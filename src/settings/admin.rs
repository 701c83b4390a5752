//! Where commands reach the running process, and whom it believes.

use std::path::PathBuf;

use serde::Deserialize;

/// Section `admin`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminSettings {
    /// The Unix socket. Absent: `admin.sock` in the store's folder.
    pub socket: Option<PathBuf>,
    /// Whether a caller without a token may be known by their user on this machine.
    pub operating_system_users: bool,
}

impl AdminSettings {
    /// Where the socket lies.
    pub fn socket(&self, store: &std::path::Path) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| store.join("admin.sock"))
    }
}
