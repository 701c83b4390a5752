//! Conditions: what is waited for, what the stages found, what was wished, and that nothing is written without news.

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::names::RECONCILE_AT;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::store::consumer::{ConsumerState, SendingState};
use cpr_operator::store::source::{Contact, SourceState};
use serde_json::{Value, json};

use super::{World, given};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_subscription_names_is_waited_for() {
    let world = World::new().await;
    world.apply::<CprSubscription>("clients", given::subscription(world.days_ahead(100))).await;
    world.wait::<CprSubscription>("clients", "Ready", "False SourceNotFound").await;

    world.apply::<CprSource>("register", given::source("client")).await;
    world.wait::<CprSubscription>("clients", "Ready", "False ConsumerNotFound").await;
    assert!(world.live("clients").await.is_none());

    world.apply::<ConsumerSystem>("sample", given::consumer(given::FIELDS)).await;
    world.wait::<CprSubscription>("clients", "ReferencesResolved", "True Resolved").await;
    assert!(world.live("clients").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_become_conditions() {
    let world = World::ready().await;
    let down = Contact { reason: "Down".into(), message: "try".into(), reached: false, accepted: None };
    world.register_found(SourceState { contact: Some(down), ..given::register_works() }).await;
    assert_eq!(world.wait::<CprSource>("register", "Reachable", "False Down").await, "try");
    world.wait::<CprSource>("register", "Ready", "False Down").await;

    let open = SendingState { reason: "CircuitOpen".into(), message: "wait".into() };
    world.receiver_found(ConsumerState { sending: Some(open), ..given::receiver_works() }).await;
    assert_eq!(world.wait::<ConsumerSystem>("sample", "Delivering", "False CircuitOpen").await, "wait");
    world.wait::<ConsumerSystem>("sample", "Ready", "False CircuitOpen").await;

    world.register_found(given::register_works()).await;
    world.receiver_found(given::receiver_works()).await;
    world.wait::<CprSource>("register", "Ready", "True Succeeded").await;
    world.wait::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_is_answered() {
    let world = World::installed().await;
    world.annotate::<CprSource>("register", RECONCILE_AT, "first").await;
    world.annotate::<ConsumerSystem>("sample", RECONCILE_AT, "second").await;
    world.annotate::<CprSubscription>("clients", RECONCILE_AT, "third").await;

    let answer = |object: Value| object["status"]["lastHandledReconcileAt"].as_str().map(str::to_owned);
    let of_source = async || answer(world.get::<CprSource>("register").await).as_deref() == Some("first");
    world.until("the source answers", of_source).await;
    let of_consumer = async || answer(world.get::<ConsumerSystem>("sample").await).as_deref() == Some("second");
    world.until("the consumer answers", of_consumer).await;
    let of_subscription = async || answer(world.get::<CprSubscription>("clients").await).as_deref() == Some("third");
    world.until("the subscription answers", of_subscription).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_is_said_and_undone() {
    let world = World::ready().await;
    let mut spec = given::subscription(world.days_ahead(100));
    spec["suspend"] = json!(true);
    world.apply::<CprSubscription>("clients", spec).await;
    world.wait::<CprSubscription>("clients", "Ready", "False Suspended").await;
    assert!(world.live("clients").await.unwrap().suspended);

    world.apply::<CprSubscription>("clients", given::subscription(world.days_ahead(100))).await;
    world.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert!(!world.live("clients").await.unwrap().suspended);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_in_a_steady_state() {
    let world = World::ready().await;
    let written = || ["POST", "PATCH"].map(|method| world.metric("rest_client_requests_total", &named(method)));
    // What is under way since all became ready is over after one more look.
    world.look_again().await;
    let before = written();
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    world.look_again().await;
    world.look_again().await;
    assert_eq!(written(), before);
}

fn named(method: &str) -> String {
    format!("method=\"{method}\"")
}
