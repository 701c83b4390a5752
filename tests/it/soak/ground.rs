//! What both forms of a run stand on: a register full of people and the cluster, each behind a gate, and receivers.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::simulate::consumer::{Behaviour, Chosen};
use serde_json::{Value, json};

use super::plan::Plan;
use super::receiver::Receiver;
use super::scene::{FLUSH_INTERVAL, HOME, IN_FLIGHT};
use crate::support::gate::Gate;
use crate::support::world::World;

/// The settings with which the program waits for little.
const SETTINGS: [&str; 6] = [
    "log.filter=info",
    "delivery.circuit_wait=1s",
    "delivery.verify_interval=1s",
    "ingest.unread_retry=1s",
    "register.timeout=5s",
    "register.circuit_max=2s",
];

/// A consumer: name, what it selects, after which time it gives up.
pub type Consumer = (&'static str, &'static str, &'static str);

/// Puts gates before the cluster and the register, fills the register, and starts a receiver for each consumer.
pub async fn lay(world: &mut World, plan: &Plan, consumers: &[Consumer]) -> (Gate, Gate, Vec<Receiver>) {
    let cluster = Gate::shut_before_the_api_server().await;
    cluster.open();
    world.kubeconfig = Some(cluster.kubeconfig());
    world.settings.extend(SETTINGS.map(str::to_owned));
    world.settings.push(format!("delivery.flush_interval={FLUSH_INTERVAL}ms"));
    let own: http::Uri = world.register.url().parse().unwrap();
    let register = Gate::before(own.authority().unwrap().to_string()).await;
    let mut receivers = Vec::new();
    for (name, _, _) in consumers {
        receivers.push(Receiver::start(name).await);
    }
    world.register.add_people(plan.people).unwrap();
    for _ in 0..plan.people / 4 {
        world.register.settle(HOME, jiff::civil::date(2012, 5, 1)).unwrap();
    }
    world.register.load();
    (cluster, register, receivers)
}

/// Applies secrets and the source, which is read through its gate.
pub async fn apply_source(world: &World, register: &Gate) {
    world.apply_secrets().await;
    let mut source = world.source();
    let through = format!("http://{}", register.address());
    source["spec"]["datafordeler"]["endpoints"] = json!({ "graphql": through, "auth": through });
    world.apply(source).await;
}

/// A consumer's manifest, who is to receive at this address.
pub fn consumer(world: &World, (name, _, give_up_after): Consumer, url: &str, suspended: bool) -> Value {
    let mut consumer = world.consumer_system(name);
    let delivery = &mut consumer["spec"]["delivery"];
    delivery["url"] = json!(url);
    delivery["maxInFlight"] = json!(IN_FLIGHT);
    delivery["retry"]["giveUpAfter"] = json!(give_up_after);
    consumer["spec"]["suspend"] = json!(suspended);
    consumer
}

/// The manifest of its subscription.
pub fn subscription(world: &World, (name, selects, _): Consumer) -> Value {
    let mut subscription = world.subscription(name, name);
    subscription["spec"]["select"] = match selects {
        "everyone" => json!({ "everyone": true }),
        "list" => json!({ "persons": "Managed" }),
        _ => json!({ "municipalities": [HOME] }),
    };
    subscription
}

/// All receivers but the first, the steady one, behave badly, each in its way.
pub fn misbehave(receivers: &[Receiver]) {
    let ways = [
        Behaviour::Slow { millis: 1_500 },
        Behaviour::Status { status: 503 },
        Behaviour::Hang,
        Behaviour::FailFor { chosen: Chosen::Percent(20) },
    ];
    receivers[1..].iter().zip(ways).for_each(|(receiver, way)| receiver.consumer.behave(way));
}

/// Waits until all consumers receive.
pub async fn until_ready(world: &World, consumers: &[Consumer]) {
    for (name, _, _) in consumers {
        world.until_condition("ConsumerSystem", name, "Ready", "True", None).await;
        world.until_condition("CprSubscription", name, "Ready", "True", None).await;
    }
}
