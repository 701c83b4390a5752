//! The key store: which record an identifier means, who has a claim on it, and the keys to read it.
//!
//! It goes first: whatever a main transaction relies on is durable here before it begins, and whatever it deletes is gone
//! here before. A person whose key is gone is erased, whatever else still lies anywhere.

mod cache;
mod claims;
mod identifiers;
mod lease;
mod persons;
mod record;
mod ring;
pub mod root;
mod usage;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

pub use record::{AuditReferences, PrivateSealer};

use super::seal::PersonKey;
use super::{ConsumerId, Database, Error};
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::pairwise::{ConsumerKey, RecordId};
use crate::domain::resource::Environment;
use cache::Cache;
use lease::{Lease, Leases};
use ring::{Kind, Ring};
use root::RootKey;

/// Within which identifiers mean the same person: one authority (namespace of the source), one environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Realm {
    /// Namespace that owns the source.
    pub authority: String,
    /// Test or production.
    pub environment: Environment,
}

/// Identifiers of one person, as the register gave them.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The PersonID.
    pub id: PersonId,
    /// All CPR numbers, present and earlier.
    pub numbers: Vec<CprNumber>,
}

/// A person's record and key, durable in the key store. The key is not deleted while this lives: keep it until the
/// transaction that relies on it has committed.
#[derive(Clone)]
pub struct Ensured {
    /// The record.
    pub record: RecordId,
    /// Its key.
    pub key: PersonKey,
    _lease: Arc<Lease>,
}

/// A key of the key ring that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMade {
    /// Its row in the key ring.
    pub id: i64,
    /// Kind: data, lookup, audit-reference, audit-private or consumer.
    pub kind: &'static str,
    /// What it is for within the kind: a month, a consumer's id, or empty.
    pub scope: String,
    /// Version.
    pub version: u32,
}

/// The key store, open, with its key ring unwrapped in memory.
pub struct Keys {
    db: Database,
    ring: Ring,
    cache: Cache,
    leases: Leases,
}

impl Keys {
    /// Unwraps the key ring and makes what every store has: the data key and the lookup key.
    pub async fn open(db: Database, root: RootKey, now: Timestamp) -> Result<Self, Error> {
        let ring = Ring::load(&db, root).await?;
        // The data key comes last: where it is, both are, also for who does not see the other.
        if ring.find(Kind::Data, "").is_none() {
            ring.ensure(&db, Kind::Lookup, "", now).await?;
            ring.ensure(&db, Kind::Data, "", now).await?;
        }
        Ok(Self { db, ring, cache: Cache::default(), leases: Leases::default() })
    }

    /// The key store's database, for its upkeep.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// The consumer's key for references and event ids, made if absent.
    pub async fn consumer_key(&self, consumer: ConsumerId, now: Timestamp) -> Result<ConsumerKey, Error> {
        let key = self.ring.ensure(&self.db, Kind::Consumer, &consumer.to_string(), now).await?;
        Ok(ConsumerKey::new(key.bytes.as_slice()))
    }

    /// Deletes a consumer's key and claims.
    pub async fn forget_consumer(&self, consumer: ConsumerId) -> Result<(), Error> {
        self.release_all_claims(consumer).await?;
        self.ring.destroy(&self.db, Kind::Consumer, &consumer.to_string()).await
    }

    /// Whether a consumer has a key.
    pub fn knows_consumer(&self, consumer: ConsumerId) -> bool {
        self.ring.find(Kind::Consumer, &consumer.to_string()).is_some()
    }

    /// Whether the ring has a key in this row.
    pub fn has_key(&self, id: i64) -> bool {
        self.ring.by_id(id).is_some()
    }

    /// Takes note of keys that other processes made.
    pub async fn read_new(&self) -> Result<(), Error> {
        self.ring.read_new(&mut *self.db.read().await?).await
    }

    /// The keys of the ring whose row is above `after`, in the order in which they were made.
    pub fn made_after(&self, after: i64) -> Vec<KeyMade> {
        let made = |key: &Arc<ring::RingKey>| KeyMade {
            id: key.id,
            kind: key.kind.name(),
            scope: key.scope.clone(),
            version: key.version,
        };
        self.ring.after(after).iter().map(made).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}
