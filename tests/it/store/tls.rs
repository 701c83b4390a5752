//! TLS to the database's server: who it is has to be proved for every connection, and what is refused says what to do.

use std::path::{Path, PathBuf};

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::store::calls::{self, Listener};
use cpr_operator::store::trouble::Trouble;
use cpr_operator::store::{self, Store};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::site;
use crate::support::server::Server;

/// An authority of nobody, as a file.
fn authority(folder: &Path, name: &str) -> (CertifiedIssuer<'static, KeyPair>, PathBuf) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, authority.pem()).unwrap();
    (authority, file)
}

fn address(server: &Server, host: &str, authority: &Path) -> String {
    let port = server.port();
    format!("postgres://postgres:geheim@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={}", authority.display())
}

async fn open(folder: &Path, address: &str) -> Result<Store, store::Error> {
    let file = folder.join("url");
    std::fs::write(&file, address).unwrap();
    let settings =
        DatabaseSettings { url_file: Some(file.clone()), keys_url_file: Some(file), ..DatabaseSettings::default() };
    store::open(&site::settings(folder), &settings, site::noon()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_proves_itself_is_used_and_any_other_is_refused_on_every_connection() {
    let folder = TempDir::new().unwrap();
    let ((issuer, right), (_, wrong)) = (authority(folder.path(), "right.pem"), authority(folder.path(), "wrong.pem"));
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let (server, plain) = (Server::with_certificate(&certificate.pem(), &key.serialize_pem()), Server::start());

    let well = address(&server, "localhost", &right);
    let store = open(folder.path(), &well).await.unwrap();
    let mut listener = Listener::start(&well).await.unwrap();
    calls::call(&store.main, &["route"]).await.unwrap();
    assert_eq!(listener.next().await.unwrap().as_deref(), Some("route"));
    site::consumer(&store, "mine").await;
    store.close().await;

    for (what, address) in [
        ("another authority", address(&server, "localhost", &wrong)),
        ("another name", address(&server, "127.0.0.1", &right)),
        ("no TLS", address(&plain, "localhost", &right)),
    ] {
        for error in [open(folder.path(), &address).await.unwrap_err(), Listener::start(&address).await.err().unwrap()]
        {
            let trouble = Trouble::from(&error);
            assert_eq!(trouble, Trouble::Tls, "{what}: {error}");
            assert!(error.is_passing(), "{what}: it is waited for until somebody corrects it");
            let said = format!("{error} {error:?} {trouble}");
            assert!(said.contains("sslrootcert") && said.contains("names the host"), "{what}: {said}");
            assert!(!said.contains("geheim"), "{what}: {said}");
        }
    }
    let missing = open(folder.path(), &address(&server, "localhost", Path::new("/nowhere/ca.pem"))).await;
    let error = missing.unwrap_err().to_string();
    assert!(error.contains("/nowhere/ca.pem") && !error.contains("geheim"), "{error}");
}
