//! TLS configurations, shared by all clients that trust the same authorities, and what handshake errors mean.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::error::{Error, TlsClass};
use super::identity::Identity;

type Digest = [u8; 32];

/// Of the CA bundle, and of the certificate that we show.
type Key = (Option<Digest>, Option<Digest>);

/// Configurations in use. Reading the system's authorities takes milliseconds and a
/// megabyte, which thousands of clients should not each spend.
static IN_USE: LazyLock<Mutex<HashMap<Key, Weak<ClientConfig>>>> = LazyLock::new(Mutex::default);

static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// The configuration that trusts the system's authorities and those of `ca_pem`, and shows `identity` where it is asked for.
pub fn config(ca_pem: Option<&str>, identity: Option<&Identity>) -> Result<Arc<ClientConfig>, Error> {
    let key = (ca_pem.map(digest), identity.map(Identity::digest));
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(config) = in_use.get(&key).and_then(Weak::upgrade) {
        return Ok(config);
    }
    let config = Arc::new(build(ca_pem, identity)?);
    in_use.retain(|_, config| config.strong_count() > 0);
    in_use.insert(key, Arc::downgrade(&config));
    Ok(config)
}

fn build(ca_pem: Option<&str>, identity: Option<&Identity>) -> Result<ClientConfig, Error> {
    let mut roots = SYSTEM_ROOTS.clone();
    if let Some(pem) = ca_pem {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|_| Error::CaBundle)?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(Error::CaBundle);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default protocol versions")
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => config.with_client_cert_resolver(identity.resolver()),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn digest(pem: &str) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pem.as_bytes()).as_ref());
    digest
}

/// What a TLS error anywhere in a chain of causes means; none where there is no TLS error in it.
pub fn class_of(error: &(dyn StdError + 'static)) -> Option<TlsClass> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(class(tls));
    }
    // An `io::Error` does not name what it wraps as its source.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match inner {
        Some(inner) => class_of(inner),
        None => error.source().and_then(class_of),
    }
}

fn class(error: &rustls::Error) -> TlsClass {
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::AlertReceived(alert) if is_about_us(*alert) => return TlsClass::ClientCertificate,
        _ => return TlsClass::Other,
    };
    match certificate {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsClass::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsClass::WrongName,
        _ => TlsClass::NotTrusted,
    }
}

/// Whether an alert of the other side speaks of our certificate. One that was signed by another key than its issuer's is a
/// `DecryptError`.
fn is_about_us(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::CertificateRequired
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError
    )
}
