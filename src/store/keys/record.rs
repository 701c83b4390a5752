//! Keys of the audit record: a month's references, and the seal of private parts.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};

use super::Keys;
use super::identifiers::{NUMBER, PERSON_ID, cut};
use super::ring::{Kind, RingKey};
use crate::domain::identifier::{CprNumber, PersonId};
use crate::store::{Error, aead};

/// References of one person for the audit record, valid within one calendar month. Hidden from Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditReferences {
    /// The month, `YYYY-MM`, UTC.
    pub period: String,
    /// Of the PersonID.
    pub person: Vec<u8>,
    /// Of the CPR number in use, if there is one.
    pub number: Option<Vec<u8>>,
}

impl fmt::Debug for AuditReferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditReferences(…)")
    }
}

/// How long before a month begins its keys are made.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

impl Keys {
    /// Makes sure that the month's audit keys exist, and those of a month that begins within a day; and that the key for
    /// private parts has not sealed too often. Costs nothing when there is nothing to do.
    pub async fn ensure_period(&self, now: Timestamp) -> Result<(), Error> {
        for at in [now, now + AHEAD] {
            let month = period(at);
            self.ring.ensure(&self.db, Kind::AuditReference, &month, now).await?;
            let private = self.ring.ensure(&self.db, Kind::AuditPrivate, &month, now).await?;
            self.ensure_unspent(private, now).await?;
        }
        Ok(())
    }

    async fn ensure_unspent(&self, mut key: Arc<RingKey>, now: Timestamp) -> Result<(), Error> {
        while key.usage.is_running_out() || key.usage.is_spent() {
            let mut tx = self.db.begin().await?;
            key.usage.reserve(&mut tx, key.id).await?;
            tx.commit().await?;
            if key.usage.is_spent() {
                key = self.ring.make(&self.db, key.kind, &key.scope, key.version + 1, now).await?;
            }
        }
        Ok(())
    }

    /// A person's references for the audit record in the month of `now`; [`Keys::ensure_period`] came before.
    pub fn audit_references(
        &self,
        id: &PersonId,
        number: Option<&CprNumber>,
        now: Timestamp,
    ) -> Result<AuditReferences, Error> {
        let period = period(now);
        let key = self.ring.get(Kind::AuditReference, &period)?;
        Ok(AuditReferences {
            person: reference(&key, PERSON_ID, &id.expose()),
            number: number.map(|number| reference(&key, NUMBER, number.expose())),
            period,
        })
    }

    /// What seals the private parts of entries of the month of `now`; [`Keys::ensure_period`] came before.
    pub fn private_sealer(&self, now: Timestamp) -> Result<PrivateSealer, Error> {
        Ok(PrivateSealer(self.ring.get(Kind::AuditPrivate, &period(now))?))
    }

    /// Opens what a [`PrivateSealer`] sealed: salt and private bytes.
    pub fn open_private(&self, entry: &[u8; 16], key: i64, sealed: &[u8]) -> Result<([u8; 32], Vec<u8>), Error> {
        let refused = || Error::Sealed { table: "audit_entry", column: "private" };
        let key = self.ring.by_id(key).ok_or_else(refused)?;
        let plain = aead::open(&key.bytes, &place(entry, &key), sealed).ok_or_else(refused)?;
        let (salt, private) = plain.split_first_chunk().ok_or_else(refused)?;
        Ok((*salt, private.to_vec()))
    }
}

/// Seals private parts of audit entries of one month.
pub struct PrivateSealer(Arc<RingKey>);

impl PrivateSealer {
    /// Seals the private part of an entry (salt and bytes); gives the key's row in the ring.
    pub fn seal(&self, entry: &[u8; 16], salt: &[u8; 32], private: &[u8]) -> (i64, Vec<u8>) {
        self.0.usage.count();
        (self.0.id, self.0.cipher.seal(&place(entry, &self.0), b"", &[salt, private]))
    }
}

impl fmt::Debug for PrivateSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateSealer(…)")
    }
}

/// The calendar month of an instant, UTC.
pub(super) fn period(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}

fn reference(key: &RingKey, kind: &str, value: &str) -> Vec<u8> {
    let parts: [&[u8]; 4] =
        [b"cpr-operator/audit/reference/v1", &key.version.to_be_bytes(), kind.as_bytes(), value.as_bytes()];
    cut(&hmac::sign(&key.mac, &aead::joined(&parts))).to_vec()
}

fn place(entry: &[u8; 16], key: &RingKey) -> Vec<u8> {
    aead::joined(&[
        b"audit_entry",
        entry,
        b"private",
        key.kind.name().as_bytes(),
        key.scope.as_bytes(),
        &key.version.to_be_bytes(),
    ])
}
