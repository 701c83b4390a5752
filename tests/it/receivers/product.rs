//! The product in front of all receivers at once: what people live through is what each of them holds at the end.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::any;
use cpr_operator::simulate::datafordeler::Protection;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::kit::{Held, KITS, Kit, Running};
use crate::support::published::SCHEMAS;
use crate::support::world::{SECRET, World};

fn long_ago() -> Date {
    jiff::civil::date(2015, 3, 1)
}

fn today() -> Date {
    jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap()).date()
}

/// What stands between the product and a receiver: it passes everything on, and remembers it.
#[derive(Clone)]
struct Road(Arc<Mutex<Passed>>);

#[derive(Default)]
struct Passed {
    to: String,
    /// A person of whom nothing is let through, by first name.
    barred: Option<String>,
    events: Vec<(u16, Value)>,
    faults: Vec<String>,
}

impl Road {
    /// The road to a receiver, and its own address.
    async fn to(receiver: &Running) -> (Self, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/cpr/events", listener.local_addr().unwrap());
        let road = Self(Arc::new(Mutex::new(Passed { to: receiver.url.clone(), ..Passed::default() })));
        let app = Router::new().fallback(any(pass)).with_state(road.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (road, url)
    }

    fn set(&self, change: impl FnOnce(&mut Passed)) {
        change(&mut self.0.lock().unwrap());
    }

    /// Everything that passed, as status and kind.
    fn kinds(&self) -> String {
        let passed = self.0.lock().unwrap();
        passed.events.iter().map(|(status, event)| format!("{status} {}, ", event["type"].as_str().unwrap())).collect()
    }

    /// An event of this kind that the receiver accepted.
    fn accepted(&self, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let passed = self.0.lock().unwrap();
        passed
            .events
            .iter()
            .find(|(status, event)| (200..300).contains(status) && fits(event))
            .map(|(_, event)| event.clone())
    }
}

/// A delivery on its way. Where the receiver cannot be reached it is said to be down.
async fn pass(State(road): State<Road>, headers: HeaderMap, bytes: Bytes) -> Response<Body> {
    let event: Value = serde_json::from_slice(&bytes).unwrap();
    let (to, barred) = {
        let mut passed = road.0.lock().unwrap();
        passed.faults.extend(SCHEMAS.faults(&event));
        let barred = passed.barred.as_deref() == event["data"]["fields"]["Name"]["first"].as_str();
        (passed.to.clone(), barred && passed.barred.is_some())
    };
    let (status, body) = if barred { (422, Bytes::new()) } else { forward(&to, headers, bytes).await };
    road.set(|passed| passed.events.push((status, event)));
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

async fn forward(to: &str, headers: HeaderMap, bytes: Bytes) -> (u16, Bytes) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::post(to).body(Full::new(bytes)).unwrap();
    *request.headers_mut() = headers;
    request.headers_mut().remove("host");
    match client.request(request).await {
        Ok(answer) => (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes()),
        Err(_) => (503, Bytes::new()),
    }
}

/// A receiver with the road to it, and the consumer that it is.
struct Consumer {
    name: &'static str,
    receiver: Running,
    road: Road,
}

impl Consumer {
    async fn install(kit: Kit, world: &World) -> Self {
        let receiver = Running::start(kit, SECRET).await;
        let (road, url) = Road::to(&receiver).await;
        let mut consumer = world.consumer_system(kit.language);
        consumer["spec"]["delivery"]["url"] = json!(url);
        consumer["spec"]["delivery"]["retry"]["giveUpAfter"] = json!("5s");
        world.apply(consumer).await;
        let mut subscription = world.subscription(kit.language, kit.language);
        subscription["metadata"]["name"] = json!(kit.language);
        world.apply(subscription).await;
        Self { name: kit.language, receiver, road }
    }

    /// Waits until the receiver has accepted an event of this kind that fits; gives its subject.
    async fn until(&self, world: &World, kind: &str, fits: impl Fn(&Value) -> bool) -> String {
        let kind = format!("dev.cpr-operator.{kind}");
        let fits = |event: &Value| event["type"] == kind && fits(event);
        let found = world.until(&kind, async || self.road.accepted(fits)).await;
        let found = found
            .unwrap_or_else(|| panic!("{}: {kind} never came, but {}\n{}", self.name, self.road.kinds(), world.log()));
        found["subject"].as_str().unwrap_or_default().to_owned()
    }

    async fn held(&self, reference: &str) -> Held {
        self.receiver.held(reference).await
    }
}

fn is_named(first: &str) -> impl Fn(&Value) -> bool {
    move |event| event["data"]["fields"]["Name"]["first"] == first
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_live_through_is_what_every_receiver_holds() {
    let kits: Vec<Kit> = KITS.into_iter().filter_map(|kit| Kit::get(kit.language)).collect();
    if kits.is_empty() {
        return;
    }
    let mut world = World::new("receivers").await;
    let mover = world.register.settle("0461", long_ago()).unwrap();
    let citizen = world.register.settle("0851", long_ago()).unwrap();
    world.register.load();
    world.apply_secrets().await;
    world.apply(world.source()).await;
    let mut consumers = Vec::new();
    for kit in kits {
        consumers.push(Consumer::install(kit, &world).await);
    }
    world.start();
    for consumer in &consumers {
        world.until_condition("CprSubscription", consumer.name, "Ready", "True", None).await;
    }

    refuse_one(&world, &citizen, &consumers).await;
    world.register.move_to(&mover, "0851", today()).unwrap();
    world.register.load();
    let mut references = Vec::new();
    for consumer in &consumers {
        let reference = consumer.until(&world, "moved.in", |_| true).await;
        let held = consumer.held(&reference).await;
        assert_eq!(held.groups["Municipality"]["code"], "0851", "{}", consumer.name);
        assert_eq!(held.subscriptions, [consumer.name.to_owned()].into());
        references.push(reference);
    }

    // Each process dies, and comes back elsewhere while the road stays.
    world.register.rename(&mover, Some("Fiktiva"), None, today()).unwrap();
    for consumer in &mut consumers {
        consumer.receiver.restart().await;
    }
    world.register.load();
    for consumer in &consumers {
        consumer.road.set(|passed| passed.to = consumer.receiver.url.clone());
    }
    for (consumer, reference) in consumers.iter().zip(&references) {
        consumer.until(&world, "name.changed", is_named("Fiktiva")).await;
        assert_eq!(consumer.held(reference).await.groups["Name"]["first"], "Fiktiva", "{}", consumer.name);
    }

    world.register.protect(&mover, Protection::NameAndAddress, today(), None).unwrap();
    world.register.load();
    for (consumer, reference) in consumers.iter().zip(&references) {
        consumer.until(&world, "protection.started", |_| true).await;
        let held = consumer.held(reference).await;
        assert!(["Name", "Address", "Municipality"].iter().all(|group| !held.groups.contains_key(*group)), "{held:?}");
        assert!(held.groups.contains_key("Number"));
    }

    world.register.move_to(&mover, "0461", today()).unwrap();
    world.register.load();
    for (consumer, reference) in consumers.iter().zip(&references) {
        consumer.until(&world, "scope.left", |_| true).await;
        let held = consumer.held(reference).await;
        assert!(held.groups.is_empty() && held.subscriptions.is_empty(), "{}: {held:?}", consumer.name);
    }

    is_mended(&world, &consumers).await;
    for consumer in &consumers {
        world.delete("CprSubscription", consumer.name).await;
        let left = consumer.until(&world, "name.corrected", is_named("Tredje")).await;
        consumer.until(&world, "subscription.ended", |event| event["data"]["reason"] == "Deleted").await;
        assert!(consumer.held(&left).await.groups.is_empty(), "{}", consumer.name);
    }
    world.stop().await;
    for consumer in &consumers {
        consumer.road.set(|passed| assert_eq!(passed.faults, Vec::<String>::new()));
    }
}

/// Of one person an event is refused from now on; one more waits behind it.
async fn refuse_one(world: &World, citizen: &str, consumers: &[Consumer]) {
    world.register.rename(citizen, Some("Foerste"), None, today()).unwrap();
    world.register.load();
    for consumer in consumers {
        consumer.until(world, "name.changed", is_named("Foerste")).await;
        consumer.road.set(|passed| passed.barred = Some("Anden".into()));
    }
    world.register.rename(citizen, Some("Anden"), None, today()).unwrap();
    world.register.load();
    for consumer in consumers {
        let refused = world.until("a refusal", async || consumer.road.kinds().contains("422").then_some(())).await;
        refused.unwrap_or_else(|| panic!("{}: nothing was refused", consumer.name));
    }
    world.register.rename(citizen, Some("Tredje"), None, today()).unwrap();
    world.register.load();
}

/// It is given up after its minute; the next event says so, and a snapshot mends it.
async fn is_mended(world: &World, consumers: &[Consumer]) {
    for consumer in consumers {
        let reference = consumer.until(world, "name.corrected", |event| event["gapbefore"] == true).await;
        consumer.until(world, "snapshot", is_named("Tredje")).await;
        let held = consumer.held(&reference).await;
        assert_eq!((held.groups["Name"]["first"].as_str(), held.gap), (Some("Tredje"), false), "{}", consumer.name);
    }
}
