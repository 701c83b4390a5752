//! A certificate of ours with its key, by which we prove ourselves to a host that asks for one.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use jiff::Timestamp;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why something is no identity. Says nothing of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is no certificate.
    #[error("holds no certificate in PEM form")]
    Certificate,
    /// There is no key.
    #[error("holds no private key in PEM form that can be used")]
    Key,
    /// They are not of each other.
    #[error("the private key is not that of the first certificate")]
    Mismatch,
}

/// A certificate chain with its key. Clones share it.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<SingleCertAndKey>,
    digest: [u8; 32],
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
}

impl Identity {
    /// Reads a chain, our own certificate first, and its key.
    pub fn parse(certificates: &[u8], key: &[u8]) -> Result<Self, Unfit> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificates).collect::<Result<_, _>>().map_err(|_| Unfit::Certificate)?;
        let (not_before, not_after) = chain.first().and_then(validity).ok_or(Unfit::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unfit::Key)?;
        let digest = digest_of(&chain, &key);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = provider.key_provider.load_private_key(key).map_err(|_| Unfit::Key)?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|_| Unfit::Mismatch)?;
        Ok(Self { certified: Arc::new(SingleCertAndKey::from(certified)), digest, not_before, not_after })
    }

    /// Tells one identity from another.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        self.certified.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(until {})", self.not_after)
    }
}

/// From when and until when a certificate is valid.
pub(super) fn validity(der: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let at = |second: i64| Timestamp::from_second(second).ok();
    Some((at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?))
}

fn digest_of(chain: &[CertificateDer<'_>], key: &PrivateKeyDer<'_>) -> [u8; 32] {
    let mut all = digest::Context::new(&digest::SHA256);
    for part in chain.iter().map(AsRef::as_ref).chain([key.secret_der()]) {
        all.update(&(part.len() as u64).to_be_bytes());
        all.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(all.finish().as_ref());
    digest
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_to_be_that_of_the_certificate() {
        let made = || rcgen::generate_simple_self_signed(["client.example.org".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        let parse = |certificate: &str, key: &str| Identity::parse(certificate.as_bytes(), key.as_bytes()).err();
        let (pem, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        assert_eq!(parse(&pem, &key), None);
        assert_eq!(parse(&pem, &other.signing_key.serialize_pem()), Some(Unfit::Mismatch));
        assert_eq!(parse(&key, &key), Some(Unfit::Certificate));
        assert_eq!(parse(&pem, &pem), Some(Unfit::Key));
        let identity = Identity::parse(pem.as_bytes(), key.as_bytes()).unwrap();
        assert!(identity.not_before < identity.not_after && !format!("{identity:?}").contains("BEGIN"));
    }
}
