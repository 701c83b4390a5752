//! What lets us in at a consumer's hosts: tokens of a real endpoint, and a certificate for a receiver that asks for one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::receiver::{Answer, Receiver};
use super::world::{SEC, World, secret};
use crate::delivery::credentials::{Access, OAuthClient};
use crate::domain::compiled::{Consumer, OAuth2};
use crate::domain::event_type::EventType;
use crate::domain::resource::ResourceKey;
use crate::net::identity::Identity;
use crate::net::tests::{Authority, authority};

const TYPE: EventType = EventType::AddressChanged;

/// How a token endpoint behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    Slow,
    Status(u16),
    Html,
    Huge,
}

/// A token endpoint that knows one client; each token has a number.
#[derive(Clone)]
struct Endpoint {
    url: url::Url,
    inner: Arc<Mutex<Issuer>>,
}

struct Issuer {
    mood: Mood,
    secret: String,
    issued: usize,
    asked: Vec<String>,
}

impl Endpoint {
    async fn start() -> Self {
        let issuer = Issuer { mood: Mood::Well, secret: "good".into(), issued: 0, asked: Vec::new() };
        let inner = Arc::new(Mutex::new(issuer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().route("/token", post(issue)).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inner }
    }

    fn be(&self, mood: Mood) {
        self.inner.lock().unwrap().mood = mood;
    }

    fn asked(&self) -> Vec<String> {
        self.inner.lock().unwrap().asked.clone()
    }

    /// The consumer's form that names it.
    fn named(&self) -> impl FnOnce(&mut Consumer) + use<> {
        let token_url = self.url.clone();
        move |form| form.delivery.oauth2 = Some(OAuth2 { token_url, scope: Some("events".into()), audience: None })
    }
}

async fn issue(State(inner): State<Arc<Mutex<Issuer>>>, headers: HeaderMap, form: String) -> Response {
    use base64::Engine;
    let basic = headers["authorization"].to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
    let basic = String::from_utf8(base64::prelude::BASE64_STANDARD.decode(basic).unwrap()).unwrap();
    let (mood, answer) = {
        let mut inner = inner.lock().unwrap();
        inner.asked.push(form);
        let known = basic == format!("client:{}", inner.secret);
        inner.issued += usize::from(known);
        let token = format!(r#"{{"access_token":"token-{}","token_type":"Bearer","expires_in":3600}}"#, inner.issued);
        let refused = (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#.to_owned());
        (inner.mood, if known { (StatusCode::OK, token) } else { refused })
    };
    match mood {
        Mood::Well => answer.into_response(),
        Mood::Slow => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            answer.into_response()
        }
        Mood::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Html => "<html>sign in</html>".into_response(),
        Mood::Huge => format!(r#"{{"access_token":"a","more":"{}"}}"#, "a".repeat(1 << 20)).into_response(),
    }
}

fn let_in(world: &World, oauth: Option<&str>, identity: Option<Identity>) {
    let fingerprint = format!("{oauth:?} {:?}", identity.as_ref().map(Identity::digest));
    let oauth = oauth.map(|secret| OAuthClient { id: "client".into(), secret: secret.into() });
    let access = Access { oauth, identity, fingerprint };
    world.context.access.set(&ResourceKey::new("aalborg", "acadre"), Some(access));
}

fn bearers(receiver: &Receiver) -> Vec<String> {
    let bearer = |headers: &HeaderMap| headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    receiver.events().iter().map(|got| bearer(&got.headers).unwrap_or_default()).collect()
}

#[tokio::test]
async fn one_token_goes_along_with_all_deliveries_that_wait() {
    let (mut world, receiver, endpoint) = (World::new().await, Receiver::start().await, Endpoint::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, endpoint.named()).await;
    for person in world.people(20, consumer).await {
        world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.deliver().await;
    assert_eq!((receiver.all().len(), world.sending(consumer).await.as_str()), (0, "WaitingForSecret"));
    let_in(&world, Some("good"), None);
    world.deliver().await;
    assert_eq!(bearers(&receiver), vec!["Bearer token-1"; 20]);
    assert!(receiver.events().iter().all(|got| got.is_signed_by(&secret(1))));
    assert_eq!(endpoint.asked(), ["grant_type=client_credentials&scope=events"]);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_renewed_once_within_the_attempt() {
    let (mut world, receiver, endpoint) = (World::new().await, Receiver::start().await, Endpoint::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, endpoint.named()).await;
    let_in(&world, Some("good"), None);
    let person = world.person(1, &[consumer]).await;
    let takes = |wanted: &'static str| {
        move |got: &super::receiver::Received| match got.headers["authorization"] == wanted {
            true => Answer::Status(204),
            false => Answer::Status(401),
        }
    };
    receiver.answer(takes("Bearer token-2"));
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert_eq!(bearers(&receiver), ["Bearer token-1", "Bearer token-2"]);
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert_eq!(bearers(&receiver).len(), 3, "the new one is kept, and the delivery was accepted");
    receiver.answer(|_| Answer::Status(401));
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert_eq!((bearers(&receiver).len(), endpoint.asked().len()), (5, 3), "once more, and no more");
}

#[tokio::test]
async fn a_token_that_ends_under_way_is_renewed_once_for_all_and_counts_against_nobody() {
    let (mut world, receiver, endpoint) = (World::new().await, Receiver::start().await, Endpoint::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, endpoint.named()).await;
    let_in(&world, Some("good"), None);
    let people = world.people(12, consumer).await;
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.deliver().await;
    assert_eq!((bearers(&receiver).len(), endpoint.asked().len()), (12, 1));
    // The receiver has ended it, long before it was to end.
    receiver.answer(|got| match got.headers["authorization"] == "Bearer token-1" {
        true => Answer::Status(401),
        false => Answer::Status(204),
    });
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.deliver().await;
    let with_the_next = bearers(&receiver).into_iter().filter(|bearer| bearer == "Bearer token-2").count();
    assert_eq!((with_the_next, endpoint.asked().len()), (12, 2), "within the same attempts");
    assert_eq!((world.parked(consumer).await.len(), world.sending(consumer).await.as_str()), (0, "Delivering"));
    let failed: i64 = {
        let mut conn = world.context.store.main.read().await.unwrap();
        let sql = "SELECT count(*) FROM attempt WHERE status IS NULL OR status >= 400";
        crate::store::sql::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
    };
    assert_eq!(failed, 0, "no attempt has failed");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_nothing_is_lost() {
    for mood in [Mood::Status(500), Mood::Status(429), Mood::Status(302), Mood::Html, Mood::Huge] {
        let (mut world, receiver, endpoint) = (World::new().await, Receiver::start().await, Endpoint::start().await);
        let (consumer, subscription) = world.consumer("acadre", &receiver, endpoint.named()).await;
        let_in(&world, Some("good"), None);
        endpoint.be(mood);
        for person in world.people(12, consumer).await {
            world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
        }
        world.deliver().await;
        assert_eq!((receiver.all().len(), world.sending(consumer).await.as_str()), (0, "NoToken"), "{mood:?}");
        assert!(endpoint.asked().len() < 12, "those who wait share a failure: {}", endpoint.asked().len());
        endpoint.be(Mood::Well);
        tokio::time::sleep(Duration::from_millis(600)).await;
        world.after(60 * SEC).await;
        world.after(3600 * SEC).await;
        assert_eq!(receiver.events().len(), 12, "{mood:?}");
        assert_eq!(world.sending(consumer).await, "Delivering");
    }
}

#[tokio::test]
async fn a_slow_endpoint_takes_nothing_of_a_delivery_s_time() {
    let (mut world, receiver, endpoint) = (World::new().await, Receiver::start().await, Endpoint::start().await);
    let named = endpoint.named();
    let short = |form: &mut Consumer| {
        named(form);
        form.delivery.timeout = Duration::from_secs(2);
    };
    let (consumer, subscription) = world.consumer("acadre", &receiver, short).await;
    let_in(&world, Some("good"), None);
    endpoint.be(Mood::Slow);
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert_eq!(bearers(&receiver), ["Bearer token-1"]);
}

#[tokio::test]
async fn an_endpoint_at_an_address_that_is_not_open_is_not_asked() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let token_url: url::Url = "http://169.254.169.254/token".parse().unwrap();
    let metadata = |form: &mut Consumer| {
        form.delivery.oauth2 = Some(OAuth2 { token_url, scope: None, audience: None });
    };
    let consumer = world.unproved_consumer("acadre", &receiver, metadata).await;
    let_in(&world, Some("good"), None);
    world.deliver().await;
    let endpoint = world.state(consumer).await.endpoint.unwrap();
    assert_eq!(endpoint.reason, "NoToken");
    assert!(endpoint.message.contains("cloud metadata") && !endpoint.message.contains("good"), "{}", endpoint.message);
}

#[tokio::test]
async fn a_changed_client_is_used_at_once_and_nothing_is_lost() {
    let (mut world, receiver, endpoint) = (World::new().await, Receiver::start().await, Endpoint::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, endpoint.named()).await;
    let_in(&world, Some("bad"), None);
    for person in world.people(12, consumer).await {
        world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.deliver().await;
    assert_eq!((receiver.all().len(), world.sending(consumer).await.as_str()), (0, "NoToken"));
    let_in(&world, Some("good"), None);
    world.deliver().await;
    assert_eq!(receiver.events().len(), 12, "no wait is waited out");
    assert_eq!(world.sending(consumer).await, "Delivering");
}

/// A front before a receiver that takes only whom an authority vouches for, and remembers the certificates that it was shown.
struct Front {
    url: url::Url,
    shown: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Front {
    async fn before(receiver: &Receiver, server: &Authority, clients: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(clients.certificate()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let (chain, key) = server.issue("localhost");
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("https://localhost:{}/cpr", listener.local_addr().unwrap().port()).parse().unwrap();
        let shown: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (seen, target) = (shown.clone(), receiver.address);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let certificate = near.get_ref().1.peer_certificates().unwrap()[0].to_vec();
                    seen.lock().unwrap().push(certificate);
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { url, shown }
    }

    fn different(&self) -> usize {
        self.shown.lock().unwrap().iter().collect::<std::collections::HashSet<_>>().len()
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_certificate_is_shown_the_present_one() {
    let (mut world, receiver, endpoint) = (World::new().await, Receiver::start().await, Endpoint::start().await);
    let (servers, clients, others) = (authority(), authority(), authority());
    let front = Front::before(&receiver, &servers, &clients).await;
    let (url, named, ca) = (front.url.clone(), endpoint.named(), servers.pem.clone());
    let shows = |form: &mut Consumer| {
        named(form);
        (form.delivery.url, form.delivery.ca_bundle, form.delivery.client_certificate) = (url, Some(ca), true);
    };
    let (consumer, subscription) = world.consumer("acadre", &receiver, shows).await;
    let people = world.people(12, consumer).await;
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    // No certificate yet, then one that the receiver's authority does not vouch for.
    let_in(&world, Some("good"), None);
    world.deliver().await;
    assert_eq!((receiver.all().len(), world.sending(consumer).await.as_str()), (0, "WaitingForSecret"));
    let_in(&world, Some("good"), Some(others.identity("client.example.org")));
    world.deliver().await;
    assert_eq!((receiver.all().len(), world.sending(consumer).await.as_str()), (0, "CircuitOpen"));
    let said = world.state(consumer).await.sending.unwrap().message;
    assert!(said.contains("TlsClientCertificate"), "{said}");
    // One that it knows, and while events flow another.
    for _ in 0..2 {
        let_in(&world, Some("good"), Some(clients.identity("client.example.org")));
        world.deliver().await;
        assert_eq!(world.sending(consumer).await, "Delivering");
        world.happen(people[0], TYPE, &[(consumer, &[subscription])]).await;
        world.deliver().await;
    }
    assert_eq!((receiver.events().len(), front.different()), (14, 2));
    assert!(bearers(&receiver).iter().all(|bearer| bearer.starts_with("Bearer token-")), "both together");
}
