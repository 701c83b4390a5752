//! Where the databases and the root key lie.

use std::path::PathBuf;

use serde::Deserialize;

/// Section `store`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// Folder of the main database, the key store, the lock file and, by default, the root key.
    pub path: PathBuf,
    /// File with the root key: 32 random bytes in base64. Empty: `keys.root` in the folder.
    pub root_key_file: Option<PathBuf>,
    /// Whether a root key that lies beside the database may serve sources with `environment: Production`.
    pub accept_local_root_key: bool,
    /// Connections for reading, per database.
    pub readers: u32,
}
