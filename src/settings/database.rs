//! The PostgreSQL server that holds the state, where it is not SQLite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::text::duration;

/// Section `database`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// File with the address of the main database. Empty: SQLite in the store's folder.
    pub url_file: Option<PathBuf>,
    /// File with the address of the key store.
    pub keys_url_file: Option<PathBuf>,
    /// File with the address for LISTEN, which a pooler cannot carry.
    pub listen_url_file: Option<PathBuf>,
    /// Whether a pooler in transaction mode stands before the server.
    pub pooler: bool,
    /// Whether a server that is not on this machine may go without proving itself by its certificate.
    pub accept_unverified_server: bool,
    /// Whether each worker that delivers has a login of its own.
    pub login_per_consumer: bool,
    /// Connections for writing, per database.
    pub writers: u32,
    /// Connections for reading, per database.
    pub readers: u32,
    /// The longest that one statement may take.
    #[serde(deserialize_with = "duration")]
    pub statement_timeout: Duration,
    /// The longest wait for a lock.
    #[serde(deserialize_with = "duration")]
    pub lock_timeout: Duration,
    /// The longest that a transaction may do nothing.
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
}

impl DatabaseSettings {
    /// The files with the addresses of the main database and of the key store, which may be the same; none with SQLite.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        let main = self.url_file.as_deref()?;
        Some((main, self.keys_url_file.as_deref().unwrap_or(main)))
    }

    /// How many connections a process may have.
    pub fn connections(&self) -> Connections {
        let pools = self.writers + self.readers;
        // One more on which it listens.
        Connections { main: pools + 1, keys: pools }
    }
}

/// How many connections a process may have to each database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// To the main database.
    pub main: u32,
    /// To the key store.
    pub keys: u32,
}

impl Connections {
    /// To both.
    pub fn whole(self) -> u32 {
        self.main + self.keys
    }
}

impl Default for DatabaseSettings {
    /// SQLite.
    fn default() -> Self {
        Self {
            url_file: None,
            keys_url_file: None,
            listen_url_file: None,
            pooler: false,
            accept_unverified_server: false,
            login_per_consumer: false,
            writers: 4,
            readers: 4,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(5),
        }
    }
}
