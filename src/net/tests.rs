//! What the client does with hosts that behave badly.
#![expect(clippy::unwrap_used, reason = "tests")]

mod names;
mod proxied;
mod rude;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use ipnet::IpNet;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Settings;
use super::client::{Answer, Client};
use super::error::{Error, Stage, TlsClass};
use super::guard::{Guard, Range};

const LONG: Duration = Duration::from_secs(20);

fn client(ca: Option<&str>) -> Client {
    let loopback: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    Client::new(Guard::new(loopback, vec![]), ca, &Settings::default()).unwrap()
}

fn post(url: &str) -> Request<Bytes> {
    Request::post(url).body(Bytes::from_static(b"6101800001")).unwrap()
}

/// A host whose connections, counted, are each handed to `serve`.
async fn host<F>(serve: impl Fn(TcpStream, usize) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    address
}

/// Reads one request, body included.
async fn hear(stream: &mut TcpStream) -> bool {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while !heard.ends_with(b"6101800001") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
        }
    }
    true
}

async fn ask(address: SocketAddr, timeout: Duration, max: usize) -> Result<Answer, Error> {
    client(None).send(post(&format!("http://{address}/")), timeout, max).await
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    let address = host(move |mut stream, _| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            while hear(&mut stream).await {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .await;
    let client = client(None);
    for _ in 0..5 {
        let answer = client.send(post(&format!("http://{address}/")), LONG, 100).await.unwrap();
        assert_eq!((answer.status, &answer.body[..], answer.truncated), (StatusCode::OK, &b"ok"[..], false));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_kept_connection_that_the_host_closed_is_replaced() {
    let address = host(|mut stream, _| async move {
        hear(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let client = client(None);
    for _ in 0..50 {
        client.send(post(&format!("http://{address}/")), LONG, 100).await.unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let address = host(move |mut stream, _| {
        let count = count.clone();
        async move {
            while hear(&mut stream).await {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 307 Over There\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await;
    assert_eq!(ask(address, LONG, 100).await.unwrap().status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_deadline_covers_silence_and_dripping() {
    let limit = Duration::from_millis(200);
    let silent = host(|mut stream, _| async move {
        hear(&mut stream).await;
        hear(&mut stream).await;
    })
    .await;
    let began = Instant::now();
    assert_eq!(ask(silent, limit, 100).await.unwrap_err(), Error::Timeout { stage: Stage::Answer, sent: true });
    let dripping = host(|mut stream, _| async move {
        hear(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let dripped = ask(dripping, limit, 1_000_000).await.unwrap_err();
    assert_eq!(dripped, Error::Timeout { stage: Stage::Body, sent: true });
    assert!(began.elapsed() < LONG / 2);
}

#[tokio::test]
async fn a_handshake_that_never_ends_meets_the_deadline_and_nothing_has_left() {
    let address = host(|mut stream, _| async move {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    })
    .await;
    let asked = client(None).send(post(&format!("https://{address}/")), Duration::from_millis(200), 100).await;
    assert_eq!(asked.unwrap_err(), Error::Timeout { stage: Stage::Connect, sent: false });
}

#[tokio::test]
async fn a_long_body_is_cut_at_the_limit_and_its_connection_dropped() {
    let (gone, mut heard) = tokio::sync::mpsc::channel(1);
    let address = host(move |mut stream, _| {
        let gone = gone.clone();
        async move {
            hear(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            while stream.write_all(b"4\r\nabcd\r\n").await.is_ok() {}
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let answer = ask(address, LONG, 10).await.unwrap();
    assert_eq!((&answer.body[..], answer.truncated), (&b"abcdabcdab"[..], true));
    heard.recv().await.unwrap();
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_whole() {
    let address = host(|mut stream, _| async move {
        hear(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd").await.unwrap();
        hear(&mut stream).await;
    })
    .await;
    assert!(!ask(address, LONG, 4).await.unwrap().truncated);
}

#[tokio::test]
async fn broken_answers_are_told_apart() {
    let cut = host(|mut stream, _| async move {
        hear(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    })
    .await;
    assert_eq!(ask(cut, LONG, 100).await.unwrap_err(), Error::Cut { sent: true });
    let gone = host(|mut stream, _| async move {
        hear(&mut stream).await;
    })
    .await;
    assert_eq!(ask(gone, LONG, 100).await.unwrap_err(), Error::Cut { sent: true });
    let other = host(|mut stream, _| async move {
        hear(&mut stream).await;
        stream.write_all(b"220 mail.example.org ESMTP 6101800001\r\n\r\n").await.unwrap();
        hear(&mut stream).await;
    })
    .await;
    assert_eq!(ask(other, LONG, 100).await.unwrap_err(), Error::Protocol { sent: true });
}

#[tokio::test]
async fn what_was_cut_on_a_kept_connection_has_left_also_where_no_other_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        hear(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        hear(&mut stream).await;
    });
    let client = client(None);
    client.send(post(&format!("http://{address}/")), LONG, 100).await.unwrap();
    let cut = client.send(post(&format!("http://{address}/")), LONG, 100).await.unwrap_err();
    assert_eq!(cut, Error::Cut { sent: true });
}

#[tokio::test]
async fn nobody_there_and_no_such_name_send_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(ask(address, LONG, 100).await.unwrap_err(), Error::Connect);
    let unknown = client(None).send(post("http://no-such-host.invalid/"), LONG, 100).await;
    assert_eq!(unknown.unwrap_err(), Error::Resolve);
}

#[tokio::test]
async fn the_guard_judges_names_and_literals_in_the_connector() {
    let client = Client::new(Guard::default(), None, &Settings::default()).unwrap();
    for (url, range) in [
        ("http://127.0.0.1:9/", Range::Loopback),
        ("http://localhost:9/", Range::Loopback),
        ("http://[::1]:9/", Range::Loopback),
        ("http://[::ffff:a9fe:a9fe]/", Range::CloudMetadata),
        ("http://169.254.169.254/latest/", Range::CloudMetadata),
        ("https://10.0.0.1/", Range::Private),
        ("http://2130706433/", Range::Loopback),
        ("http://0x7f.1/", Range::Loopback),
    ] {
        let refused = client.send(post(url), LONG, 100).await.unwrap_err();
        assert_eq!(refused, Error::Refused { range }, "{url}");
        assert!(!refused.sent());
    }
}

/// An authority that issues certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Its own certificate.
    pub(crate) fn certificate(&self) -> rustls::pki_types::CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for `name`, and its key.
    pub(crate) fn issue(
        &self,
        name: &str,
    ) -> (Vec<rustls::pki_types::CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let (certificate, key) = self.signed(name);
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// A certificate that is shown to others.
    pub(crate) fn identity(&self, name: &str) -> super::identity::Identity {
        let (certificate, key) = self.signed(name);
        super::identity::Identity::parse(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    fn signed(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// An authority with a certificate of its own.
pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    Authority { pem: issuer.pem(), issuer }
}

/// An authority whose certificate another issued.
pub(crate) fn intermediate(of: &Authority) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(rcgen::DnType::CommonName, "Between");
    let issuer = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &of.issuer).unwrap();
    Authority { pem: issuer.pem(), issuer }
}

/// A host that speaks TLS with a certificate for `name`, valid until `year`, and answers one request.
fn tls_host(authority: &Authority, name: &str, year: i32) -> SocketAddr {
    tls_host_with(authority, name, (2020, year), &[])
}

/// The same with the years between which the certificate is valid, and what else of the chain is sent.
pub(crate) fn tls_host_with(authority: &Authority, name: &str, years: (i32, i32), chain: &[&Authority]) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let mut certificates = vec![certificate.der().clone()];
    certificates.extend(chain.iter().map(|authority| authority.issuer.der().clone()));
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut tls = rustls::StreamOwned::new(session, stream);
        let mut buffer = [0; 4096];
        if tls.read(&mut buffer).is_ok() {
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nsecure");
            let _ = tls.flush();
            while tls.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }
    });
    address
}

async fn ask_tls(address: SocketAddr, ca: Option<&str>) -> Result<Answer, Error> {
    let url = format!("https://localhost:{}/", address.port());
    client(ca).send(post(&url), LONG, 100).await
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_accepted() {
    let ours = authority();
    let answer = ask_tls(tls_host(&ours, "localhost", 2090), Some(&ours.pem)).await.unwrap();
    assert_eq!(&answer.body[..], b"secure");
}

#[tokio::test]
async fn a_chain_is_trusted_when_it_is_sent_whole() {
    let ours = authority();
    let between = intermediate(&ours);
    let whole = tls_host_with(&between, "localhost", (2020, 2090), &[&between]);
    assert_eq!(&ask_tls(whole, Some(&ours.pem)).await.unwrap().body[..], b"secure");
    let part = tls_host_with(&between, "localhost", (2020, 2090), &[]);
    let refused = ask_tls(part, Some(&ours.pem)).await.unwrap_err();
    assert_eq!(refused, Error::Tls { class: TlsClass::NotTrusted, sent: false });
}

#[tokio::test]
async fn bad_certificates_are_told_apart_and_nothing_has_left() {
    let (ours, theirs) = (authority(), authority());
    let cases = [
        (TlsClass::NotTrusted, tls_host(&theirs, "localhost", 2090)),
        (TlsClass::Expired, tls_host(&ours, "localhost", 2021)),
        (TlsClass::Expired, tls_host_with(&ours, "localhost", (2089, 2090), &[])),
        (TlsClass::WrongName, tls_host(&ours, "register.example.org", 2090)),
    ];
    for (class, address) in cases {
        assert_eq!(ask_tls(address, Some(&ours.pem)).await.unwrap_err(), Error::Tls { class, sent: false });
    }
    let plain = host(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        hear(&mut stream).await;
    })
    .await;
    let refused = ask_tls(plain, None).await.unwrap_err();
    assert_eq!(refused, Error::Tls { class: TlsClass::Other, sent: false });
}

#[test]
fn a_ca_bundle_without_certificate_is_refused_and_equal_bundles_share_one_configuration() {
    for bad in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let made = Client::new(Guard::default(), Some(bad), &Settings::default());
        assert_eq!(made.err(), Some(Error::CaBundle), "{bad}");
    }
    let pem = authority().pem;
    let first = super::tls::config(Some(&pem), None).unwrap();
    assert!(Arc::ptr_eq(&first, &super::tls::config(Some(&pem), None).unwrap()));
    assert!(!Arc::ptr_eq(&first, &super::tls::config(None, None).unwrap()));
}
