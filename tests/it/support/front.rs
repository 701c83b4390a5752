//! A front that speaks TLS before a server that does not, and may ask for certificates; and who issues those.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// An authority that issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, with a certificate of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`, and its key.
    pub fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// The front; it goes with its test's runtime.
pub struct Front {
    address: SocketAddr,
    name: (rcgen::Certificate, KeyPair),
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    acceptor: TlsAcceptor,
    shown: Vec<Vec<u8>>,
    refused: usize,
}

impl Front {
    /// A front before `target` under a name for which `issuer` vouches. It takes whom one of `clients` vouches for; where there are
    /// none, everybody.
    pub async fn before(target: SocketAddr, name: &str, issuer: &Authority, clients: &[&Authority]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = issuer.issue(name);
        let acceptor = acceptor(&name, clients);
        let seen = Arc::new(Mutex::new(Seen { acceptor, shown: Vec::new(), refused: 0 }));
        let new = Self { address: listener.local_addr().unwrap(), name, seen: seen.clone() };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, target, seen.clone()));
            }
        });
        new
    }

    /// Takes those for whom one of these vouches, on connections that are made from now on.
    pub fn take(&self, clients: &[&Authority]) {
        self.seen.lock().unwrap().acceptor = acceptor(&self.name, clients);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the last that came in showed this certificate.
    pub fn was_shown(&self, certificate: &rcgen::Certificate) -> bool {
        self.seen.lock().unwrap().shown.last().is_some_and(|last| last == certificate.der().as_ref())
    }

    /// How many were not let in.
    pub fn refused(&self) -> usize {
        self.seen.lock().unwrap().refused
    }
}

fn acceptor((certificate, key): &(rcgen::Certificate, KeyPair), clients: &[&Authority]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let config = match clients {
        [] => config.with_no_client_auth(),
        clients => {
            let mut roots = RootCertStore::empty();
            clients.iter().for_each(|client| roots.add(client.0.der().clone()).unwrap());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            config.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()))
}

async fn pass(near: TcpStream, target: SocketAddr, seen: Arc<Mutex<Seen>>) {
    let acceptor = seen.lock().unwrap().acceptor.clone();
    let Ok(mut near) = acceptor.accept(near).await else {
        seen.lock().unwrap().refused += 1;
        return;
    };
    if let Some(shown) = near.get_ref().1.peer_certificates() {
        seen.lock().unwrap().shown.push(shown[0].to_vec());
    }
    let mut far = TcpStream::connect(target).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}
