//! Who reconciles: one process, with the store that the Lease names.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::operator::Context;
use cpr_operator::operator::metrics::Metrics;
use cpr_operator::store::{self, Store};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::steered::{Steered, new_store, start, within_patience};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_while_nobody_looked_is_ended_at_the_next_start() {
    let mut world = Steered::new().await;
    world.install().await;
    world.stop().await;
    world.delete::<CprSubscription>("clients").await;
    world.delete::<ConsumerSystem>("sample").await;
    world.start();
    let ended = within_patience(async || {
        let mut conn = world.context.store.main.read().await.unwrap();
        let subscription = store::subscription::find(&mut conn, &world.key("clients")).await.unwrap().unwrap();
        let consumer = store::consumer::find(&mut conn, &world.key("sample")).await.unwrap().unwrap();
        (subscription.deleted_at.is_some() && consumer.ended_at.is_some()).then_some(())
    });
    assert!(ended.await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_given_back_is_taken_at_once_by_the_next_process() {
    let mut world = Steered::new().await;
    world.install().await;
    let (stop, running) = start(&world.context);
    world.stop().await;
    let before = holder(&world).await;
    let taken = within_patience(async || (!holder(&world).await.is_empty()).then_some(())).await;
    assert!(taken.is_some(), "after {before:?}");
    world.apply::<CprSubscription>("second", super::steered::subscription(&world.day(50))).await;
    world.until::<CprSubscription>("second", "Ready", "True Succeeded").await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(holder(&world).await, "", "and given back");
}

async fn holder(world: &Steered) -> String {
    let lease = world.api::<Lease>().get("cpr-operator").await.unwrap();
    lease.spec.unwrap().holder_identity.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_of_another_store_reconciles_only_after_it_was_adopted() {
    let mut world = Steered::new().await;
    world.install().await;
    world.stop().await;
    let (_folder, other) = new_store(&world.context.clock).await;
    let id = other.id.clone();
    let mut registry = prometheus_client::registry::Registry::default();
    let metrics = Metrics::default();
    metrics.register(&mut registry);
    let context = Context { store: other, metrics, ..world.context.clone() };
    let (stop, running) = start(&context);
    let asked =
        |text: &str| text.lines().any(|line| line.starts_with("rest_client_requests_total") && !line.ends_with(" 0"));
    let looked = within_patience(async || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        asked(&text).then_some(text)
    });
    let text = looked.await.expect("it looked at the Lease");
    assert!(text.contains("leader_election_master_status{name=\"cpr-operator\"} 0"), "{text}");
    assert_eq!((sources(&context.store).await, holder(&world).await), (0, String::new()));

    let adopt = json!({"metadata": {"annotations": {"cpr-operator.dev/adopt-store": id}}});
    let leases = world.api::<Lease>();
    leases.patch("cpr-operator", &PatchParams::default(), &Patch::Merge(adopt)).await.unwrap();
    let adopted = within_patience(async || (sources(&context.store).await == 1).then_some(())).await;
    assert!(adopted.is_some());
    stop.cancel();
    running.await.unwrap();
}

async fn sources(store: &Store) -> usize {
    store::source::all(&mut store.main.read().await.unwrap()).await.unwrap().len()
}
