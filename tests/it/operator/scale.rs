//! What many resources must not cost: work for what did not change.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::domain::field_group::FieldGroup;
use cpr_operator::store;
use cpr_operator::store::source::{Contact, SchemaState, SourceState};
use futures::{StreamExt, stream};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;

use super::steered::{Steered, source_state, subscription, within_patience};

/// Subscriptions beside that which is installed.
const MANY: usize = 60;

/// The sum of a metric's series whose labels hold this.
fn measured(world: &Steered, name: &str, label: &str) -> u64 {
    let (mut registry, mut text) = (Registry::default(), String::new());
    world.context.metrics.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    let series = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    series.filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value.parse::<u64>().unwrap()).sum()
}

fn looks(world: &Steered) -> u64 {
    measured(world, "controller_runtime_reconcile_total", "cprsubscription")
}

async fn apply_many(world: &Steered) {
    let spec = subscription(&world.day(100));
    let one = async |number: usize| world.apply::<CprSubscription>(&format!("s-{number}"), spec.clone()).await;
    stream::iter(0..MANY).map(one).buffer_unordered(16).collect::<Vec<()>>().await;
    for number in 0..MANY {
        world.until::<CprSubscription>(&format!("s-{number}"), "Ready", "True Succeeded").await;
    }
}

/// Waits until the consumer's status counts so many subscriptions; counters are written again after ten minutes.
async fn until_counted(world: &Steered, subscriptions: i64) {
    world.context.clock.advance(Duration::from_secs(700));
    let counted = within_patience(async || {
        let consumer = world.api::<ConsumerSystem>().get("sample").await.unwrap();
        (consumer.status?.subscriptions? == subscriptions).then_some(())
    });
    assert!(counted.await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_all_in_place_looks_at_each_and_writes_nothing() {
    let mut world = Steered::new().await;
    world.install().await;
    apply_many(&world).await;
    until_counted(&world, MANY as i64 + 1).await;
    world.stop().await;
    let statuses = |world: &Steered| measured(world, "cpr_operator_status_writes_total", "");
    let (written, looked) = (statuses(&world), looks(&world));
    world.start();
    let all = looked + MANY as u64 + 1;
    assert!(within_patience(async || (looks(&world) >= all).then_some(())).await.is_some());
    world.stop().await;
    assert_eq!(statuses(&world), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_says_how_many_subscriptions_it_has() {
    let mut world = Steered::new().await;
    world.install().await;
    apply_many(&world).await;
    world.delete::<CprSubscription>("s-0").await;
    assert!(within_patience(async || world.compiled("s-0").await.is_none().then_some(())).await.is_some());
    until_counted(&world, MANY as i64).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_source_has_no_subscription_looked_at_but_a_changed_schema_has() {
    let mut world = Steered::new().await;
    world.install().await;
    let mut spec = subscription(&world.day(100));
    spec["events"] = json!({ "types": ["name.changed"] });
    world.apply::<CprSubscription>("clients", spec).await;
    world.until::<CprSubscription>("clients", "TypesOffered", "True Offered").await;
    let before = looks(&world);
    for reason in ["Busy", "Down"].repeat(8) {
        let contact = Contact { reason: reason.into(), message: String::new(), reached: false, accepted: None };
        find(&world, SourceState { contact: Some(contact), ..source_state() }).await;
        world.until::<CprSource>("register", "Reachable", &format!("False {reason}")).await;
    }
    assert!(looks(&world) - before < 8, "{} looks at one subscription", looks(&world) - before);

    let offered = [FieldGroup::Status].into_iter().collect();
    let schema = SchemaState { read: true, offered, message: String::new() };
    find(&world, SourceState { schema: Some(schema), ..source_state() }).await;
    world.until::<CprSubscription>("clients", "TypesOffered", "False TypesNotOffered").await;
    world.stop().await;
}

/// Ingest finds something at the source.
async fn find(world: &Steered, state: SourceState) {
    let mut tx = world.context.store.main.begin().await.unwrap();
    let source = store::source::find(&mut tx, &world.key("register")).await.unwrap().unwrap();
    store::source::write_state(&mut tx, source.id, &state).await.unwrap();
    tx.commit().await.unwrap();
    world.context.bells.status.ring();
}
