//! Sealing: AES-256-GCM under a person's own key, bound to the place where the bytes lie.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Error;
use super::aead::{self, KeyBytes};
use crate::domain::pairwise::RecordId;

/// Version of the content's encoding: JSON as the types of `domain` write it.
const SCHEMA: u8 = 1;

/// Schema version and key version before the nonce.
const HEAD: usize = 5;

/// A person's own random key.
#[derive(Clone)]
pub struct PersonKey {
    /// Whose.
    pub record: RecordId,
    /// Version of the key.
    pub version: u32,
    bytes: Arc<KeyBytes>,
}

/// Where sealed bytes lie; part of the associated data.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'static str,
    /// Column.
    pub column: &'static str,
    /// The row's key within the table, as text.
    pub row: &'a str,
}

impl PersonKey {
    /// The key with these bytes.
    pub(super) fn new(record: RecordId, version: u32, bytes: KeyBytes) -> Self {
        Self { record, version, bytes: Arc::new(bytes) }
    }

    /// The key itself, to be wrapped.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Seals a value: schema version, key version, nonce, ciphertext and tag.
    pub fn seal<T: Serialize>(&self, place: Place<'_>, value: &T) -> Result<Vec<u8>, Error> {
        let plain = Zeroizing::new(
            serde_json::to_vec(value).map_err(|_| Error::Encode { table: place.table, column: place.column })?,
        );
        let [a, b, c, d] = self.version.to_be_bytes();
        Ok(aead::seal(&self.bytes, &self.associated(place), &[SCHEMA, a, b, c, d], &plain))
    }

    /// Opens what [`PersonKey::seal`] made for the same place.
    pub fn open<T: DeserializeOwned>(&self, place: Place<'_>, sealed: &[u8]) -> Result<T, Error> {
        let refused = || Error::Sealed { table: place.table, column: place.column };
        let (head, body) = sealed.split_at_checked(HEAD).ok_or_else(refused)?;
        if head[0] != SCHEMA || head[1..] != self.version.to_be_bytes() {
            return Err(refused());
        }
        let plain = aead::open(&self.bytes, &self.associated(place), body).ok_or_else(refused)?;
        serde_json::from_slice(&plain).map_err(|_| Error::Unreadable { table: place.table, column: place.column })
    }

    fn associated(&self, place: Place<'_>) -> Vec<u8> {
        aead::joined(&[
            &self.record.0,
            place.table.as_bytes(),
            place.row.as_bytes(),
            place.column.as_bytes(),
            &[SCHEMA],
            &self.version.to_be_bytes(),
        ])
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { table: "person", column: "content", row: "1" };

    #[test]
    fn content_opens_only_where_it_was_sealed() {
        let key = PersonKey::new(RecordId::random(), 1, aead::random_key());
        let sealed = key.seal(PLACE, &"secret").expect("can be encoded");
        assert_eq!(key.open::<String>(PLACE, &sealed).ok().as_deref(), Some("secret"));
        let elsewhere =
            [Place { row: "2", ..PLACE }, Place { column: "snapshot", ..PLACE }, Place { table: "event", ..PLACE }];
        for place in elsewhere {
            assert!(matches!(key.open::<String>(place, &sealed), Err(Error::Sealed { .. })));
        }
        let another_record = PersonKey { record: RecordId::random(), ..key.clone() };
        assert!(another_record.open::<String>(PLACE, &sealed).is_err());
        let another_version = PersonKey { version: 2, ..key.clone() };
        assert!(another_version.open::<String>(PLACE, &sealed).is_err());
    }

    #[test]
    fn the_same_content_is_sealed_differently_each_time() {
        let key = PersonKey::new(RecordId::random(), 1, aead::random_key());
        assert_ne!(key.seal(PLACE, &"secret").ok(), key.seal(PLACE, &"secret").ok());
    }
}
