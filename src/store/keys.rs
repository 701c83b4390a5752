//! The key store: which record an identifier means, who has a claim on it, and the keys to read it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::seal::PersonKey;
use super::{ConsumerId, Error};
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::pairwise::{ConsumerKey, RecordId};
use crate::domain::resource::Environment;

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

/// A person's record and key, durable in the key store.
#[derive(Clone)]
pub struct Ensured {
    /// The record.
    pub record: RecordId,
    /// Its key.
    pub key: PersonKey,
}

/// A key of the key ring that was made; the caller's next transaction records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMade {
    /// Kind: data, lookup, audit-reference, audit-private or consumer.
    pub kind: &'static str,
    /// What it is for within the kind: a month, a consumer's id, or empty.
    pub scope: String,
    /// Version.
    pub version: u32,
}

/// References of one person for the audit record, valid within one calendar month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReferences {
    /// The month, `YYYY-MM`, UTC.
    pub period: String,
    /// Of the PersonID.
    pub person: Vec<u8>,
    /// Of the CPR number in use, if there is one.
    pub number: Option<Vec<u8>>,
}

/// The key store, open, with its key ring unwrapped in memory.
pub struct Keys {}

impl Keys {
    /// The records of PersonIDs, in their order; none where we know nobody by it.
    pub async fn find(&self, realm: &Realm, ids: &[PersonId]) -> Result<Vec<Option<RecordId>>, Error> {
        let _ = (realm, ids);
        todo!()
    }

    /// The record and key of each person, made if absent and durable on return, in their order. A person is known by their
    /// PersonID, else by any of their numbers; identifiers that are new are added to the same record.
    pub async fn ensure_persons(
        &self,
        realm: &Realm,
        persons: &[Identity],
        now: Timestamp,
    ) -> Result<Vec<Ensured>, Error> {
        let _ = (realm, persons, now);
        todo!()
    }

    /// The keys of records; a record without a key is erased and absent from the answer.
    pub async fn person_keys(&self, records: &[RecordId]) -> Result<HashMap<RecordId, PersonKey>, Error> {
        let _ = records;
        todo!()
    }

    /// The keys of records on which the consumer has a claim.
    pub async fn person_keys_for(
        &self,
        consumer: ConsumerId,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, PersonKey>, Error> {
        let _ = (consumer, records);
        todo!()
    }

    /// Inserts claims that are absent, durable on return.
    pub async fn ensure_claims(&self, claims: &[(ConsumerId, RecordId)], now: Timestamp) -> Result<(), Error> {
        let _ = (claims, now);
        todo!()
    }

    /// Which of the records the consumer has a claim on.
    pub async fn claimed(&self, consumer: ConsumerId, records: &[RecordId]) -> Result<HashSet<RecordId>, Error> {
        let _ = (consumer, records);
        todo!()
    }

    /// Deletes claims.
    pub async fn release_claims(&self, claims: &[(ConsumerId, RecordId)]) -> Result<(), Error> {
        let _ = claims;
        todo!()
    }

    /// The consumer's key for references and event ids, made if absent.
    pub async fn consumer_key(&self, consumer: ConsumerId, now: Timestamp) -> Result<ConsumerKey, Error> {
        let _ = (consumer, now);
        todo!()
    }

    /// Deletes persons with their identifiers and claims, so that nothing of theirs can be read again.
    pub async fn forget_persons(&self, records: &[RecordId]) -> Result<u64, Error> {
        let _ = records;
        todo!()
    }

    /// Deletes a consumer's key and claims.
    pub async fn forget_consumer(&self, consumer: ConsumerId) -> Result<(), Error> {
        let _ = consumer;
        todo!()
    }

    /// Makes sure that the month's audit keys exist.
    pub async fn ensure_period(&self, now: Timestamp) -> Result<(), Error> {
        let _ = now;
        todo!()
    }

    /// A person's references for the audit record in the month of `now`; [`Keys::ensure_period`] came before.
    pub fn audit_references(
        &self,
        id: &PersonId,
        number: Option<&CprNumber>,
        now: Timestamp,
    ) -> Result<AuditReferences, Error> {
        let _ = (id, number, now);
        todo!()
    }

    /// Seals the private part of an audit entry (salt and bytes) under the month's key; gives the key's id in the ring.
    pub fn seal_private(
        &self,
        entry: &[u8; 16],
        salt: &[u8; 32],
        private: &[u8],
        now: Timestamp,
    ) -> Result<(i64, Vec<u8>), Error> {
        let _ = (entry, salt, private, now);
        todo!()
    }

    /// Opens what [`Keys::seal_private`] sealed: salt and private bytes.
    pub fn open_private(&self, entry: &[u8; 16], key: i64, sealed: &[u8]) -> Result<([u8; 32], Vec<u8>), Error> {
        let _ = (entry, key, sealed);
        todo!()
    }

    /// The keys made since the last call, for the caller to record.
    pub fn take_made(&self) -> Vec<KeyMade> {
        todo!()
    }
}
