//! The store: the only place that speaks SQL.
//!
//! Two databases that never share a transaction. The *main* database holds configuration, persons, events on their way and
//! the record; the *key store* ([`keys`]) holds what makes persons readable. The key store goes first: what a main
//! transaction relies on is durable there before it begins, and what it deletes is gone there before.
//!
//! Functions are grouped by noun and take a connection, so that the caller decides on the transaction.

pub mod attempt;
pub mod audit_entry;
pub mod catalogue;
pub mod consumer;
pub mod cursor;
pub mod database;
pub mod dead_letter;
pub mod event;
pub mod keys;
pub mod lane;
pub mod meta;
pub mod missed;
pub mod parked;
pub mod person;
pub mod request;
pub mod retention;
pub mod route;
pub mod seal;
pub mod source;
pub mod subscription;
pub mod told;
pub mod unread;

use std::sync::Arc;

pub use database::{Conn, Database, Error, Tx};
pub use keys::Keys;

/// Id of a source's row.
pub type SourceId = i64;
/// Id of a consumer's row.
pub type ConsumerId = i64;
/// Id of a subscription's row.
pub type SubscriptionId = i64;

/// Both databases, opened and checked. Clones share them.
#[derive(Clone)]
pub struct Store {
    /// The main database.
    pub main: Database,
    /// The key store.
    pub keys: Arc<Keys>,
    /// The random id of this store, by which a process in a cluster knows whether it is the one it was.
    pub id: String,
}
