//! AES-256-GCM with a random nonce, and how parts are joined so that two lists never look the same.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) type KeyBytes = Zeroizing<[u8; 32]>;

/// A new random key.
pub(super) fn random_key() -> KeyBytes {
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).expect("the operating system gives random bytes");
    bytes
}

/// Parts with their lengths before them.
pub(super) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).expect("a part is shorter than 4 GB").to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A key ready for use, for what is sealed often.
pub(super) struct Cipher(RandomizedNonceKey);

impl Cipher {
    /// The cipher under a key.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
    }

    /// Encrypts `plain` behind `head`: head, nonce, ciphertext, tag.
    pub(super) fn seal(&self, associated: &[u8], head: &[u8], plain: &[&[u8]]) -> Vec<u8> {
        let length: usize = plain.iter().map(|part| part.len()).sum();
        let before = head.len() + NONCE_LEN;
        let mut sealed = Vec::with_capacity(before + length + AES_256_GCM.tag_len());
        sealed.extend_from_slice(head);
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        plain.iter().for_each(|part| sealed.extend_from_slice(part));
        let sealing = self.0.seal_in_place_separate_tag(Aad::from(associated), &mut sealed[before..]);
        let (nonce, tag) = sealing.expect("content is shorter than the cipher's limit");
        sealed[head.len()..before].copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    fn open(&self, associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(associated), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

/// As [`Cipher::seal`], under a key that is used once.
pub(super) fn seal(key: &[u8; 32], associated: &[u8], head: &[u8], plain: &[u8]) -> Vec<u8> {
    Cipher::new(key).seal(associated, head, &[plain])
}

/// Decrypts nonce, ciphertext and tag; none where key, associated data or bytes are others.
pub(super) fn open(key: &[u8; 32], associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    Cipher::new(key).open(associated, sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted_against_each_other() {
        assert_ne!(joined(&[b"ab", b"c"]), joined(&[b"a", b"bc"]));
        assert_ne!(joined(&[b"ab"]), joined(&[b"ab", b""]));
    }

    #[test]
    fn an_altered_byte_or_another_place_does_not_open() {
        let key = random_key();
        let sealed = seal(&key, b"here", b"", b"content");
        assert_eq!(open(&key, b"here", &sealed).as_deref().map(Vec::as_slice), Some(&b"content"[..]));
        assert!(open(&key, b"there", &sealed).is_none());
        assert!(open(&random_key(), b"here", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(&key, b"here", &altered).is_none(), "byte {at}");
        }
        assert!(open(&key, b"here", &sealed[..5]).is_none());
    }
}
