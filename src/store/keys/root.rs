//! The root key: wraps the key ring, and proves by a check value that it is the one the store was made with.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::store::aead::{self, KeyBytes};
use crate::store::{Error, files};

/// What the check value seals.
const CHECK: &[u8] = b"cpr-operator";

/// The root key.
pub struct RootKey(KeyBytes);

impl RootKey {
    /// Reads 32 bytes in base64; white space around them is left out.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// Reads the key from a file; none where the file is absent.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(malformed(path)),
            Err(error) => return Err(files::failed(path)(error)),
        };
        Self::parse(&text).map(Some).ok_or_else(|| malformed(path))
    }

    /// Makes a random key and writes it to a file that does not exist yet.
    pub fn make(path: &Path) -> Result<Self, Error> {
        let key = aead::random_key();
        let text = Zeroizing::new(BASE64_STANDARD.encode(key.as_slice()) + "\n");
        files::write_new(path, text.as_bytes())?;
        Ok(Self(key))
    }

    /// Wraps a key of the ring.
    pub(super) fn wrap(&self, kind: &str, scope: &str, version: u32, key: &[u8; 32]) -> Vec<u8> {
        aead::seal(&self.0, &ring_place(kind, scope, version), b"", key)
    }

    /// Unwraps a key of the ring.
    pub(super) fn unwrap_key(&self, kind: &str, scope: &str, version: u32, wrapped: &[u8]) -> Result<KeyBytes, Error> {
        let refused = || Error::Sealed { table: "keyring", column: "wrapped" };
        let plain = aead::open(&self.0, &ring_place(kind, scope, version), wrapped).ok_or_else(refused)?;
        Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| refused())?))
    }

    /// The value that lies in both databases of the store with this id.
    pub fn check_value(&self, store: &str) -> String {
        hex::encode(aead::seal(&self.0, &check_place(store), b"", CHECK))
    }

    /// Whether a check value was made by this key for the store with this id.
    pub fn made(&self, store: &str, check: &str) -> bool {
        let sealed = hex::decode(check).unwrap_or_default();
        aead::open(&self.0, &check_place(store), &sealed).is_some_and(|plain| plain.as_slice() == CHECK)
    }
}

fn ring_place(kind: &str, scope: &str, version: u32) -> Vec<u8> {
    aead::joined(&[b"cpr-operator/key/v1", kind.as_bytes(), scope.as_bytes(), &version.to_be_bytes()])
}

fn check_place(store: &str) -> Vec<u8> {
    aead::joined(&[b"cpr-operator/check/v1", store.as_bytes()])
}

fn malformed(path: &Path) -> Error {
    Error::RootKey(format!("{} must hold 32 bytes in base64 and nothing else", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_thirty_two_bytes_are_a_root_key() {
        let text = |length: usize| BASE64_STANDARD.encode(vec![7; length]);
        assert!(RootKey::parse(&format!(" {}\n", text(32))).is_some());
        for bad in [text(31), text(33), String::new(), "%".repeat(44)] {
            assert!(RootKey::parse(&bad).is_none());
        }
    }

    #[test]
    fn a_check_value_knows_its_key_and_its_store() {
        let (one, two) = (RootKey(aead::random_key()), RootKey(aead::random_key()));
        let check = one.check_value("a");
        assert!(one.made("a", &check));
        assert!(!one.made("b", &check));
        assert!(!two.made("a", &check));
        assert!(!one.made("a", "not hex"));
    }

    #[test]
    fn a_wrapped_key_cannot_be_passed_off_as_another() {
        let root = RootKey(aead::random_key());
        let wrapped = root.wrap("consumer", "1", 1, &[9; 32]);
        assert!(root.unwrap_key("consumer", "1", 1, &wrapped).is_ok());
        assert!(root.unwrap_key("consumer", "2", 1, &wrapped).is_err());
        assert!(root.unwrap_key("lookup", "1", 1, &wrapped).is_err());
        assert!(root.unwrap_key("consumer", "1", 2, &wrapped).is_err());
    }
}
