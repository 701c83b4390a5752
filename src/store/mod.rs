//! The store: the only place that speaks SQL.
//!
//! Two databases that never share a transaction. The *main* database holds configuration, persons, events on their way and
//! the record; the *key store* ([`keys`]) holds what makes persons readable. The key store goes first: what a main
//! transaction relies on is durable there before it begins, and what it deletes is gone there before.
//!
//! Functions are grouped by noun and take a connection, so that the caller decides on the transaction.

mod aead;
pub mod announcing;
pub mod attempt;
pub mod audit_entry;
pub mod calls;
pub mod catalogue;
pub mod connections;
pub mod consumer;
pub mod copy;
pub mod cursor;
pub mod database;
pub mod dead_letter;
pub mod delivery_log;
mod dialect;
pub mod doubt;
mod error;
pub mod event;
mod files;
pub mod job;
pub mod keys;
pub mod lane;
pub mod lease;
mod leaving;
pub mod list_hour;
pub mod list_state;
pub mod listing;
pub mod login;
pub mod meta;
pub mod missed;
mod numbers;
pub mod open;
pub mod parked;
pub mod person;
pub mod postgres;
pub mod presence;
pub mod removal;
pub mod replay;
pub mod request;
pub mod restored;
pub mod retention;
pub mod route;
mod rows;
pub mod schema;
pub mod seal;
pub mod selection;
pub mod sizes;
pub mod source;
pub mod sql;
pub mod sqlite;
pub mod statistics;
pub mod subject;
pub mod subscription;
pub mod told;
pub mod trouble;
pub mod unread;
pub mod watch;
pub mod worker;

use std::sync::Arc;

pub use database::{Conn, Database, Read, Tx};
pub use error::Error;
pub use keys::Keys;
pub use open::open;

/// Id of a source's row.
pub type SourceId = i64;
/// Id of a consumer's row.
pub type ConsumerId = i64;
/// Id of a subscription's row.
pub type SubscriptionId = i64;

/// Both databases, opened and checked. Clones share them; the lock on the folder is held until the last one is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    /// The main database.
    pub main: Database,
    /// The key store.
    pub keys: Arc<Keys>,
    /// The random id of this store, by which a process in a cluster knows whether it is the one it was.
    pub id: String,
    /// Whether the root key was made by us or lies beside the databases, where it protects little.
    pub root_key_is_local: bool,
    _lock: Option<Arc<files::Lock>>,
}

impl Store {
    /// Empties both write-ahead logs and closes both databases, after those who hold a connection have given it back.
    pub async fn close(self) {
        for database in [&self.main, self.keys.database()] {
            // An emptied log is tidiness, not safety: what is committed is durable either way.
            let _ = database.truncate_wal().await;
            database.close().await;
        }
    }
}
