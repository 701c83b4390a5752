//! What comes by the clock: reviews, ends, and nothing at all.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use kube::ResourceExt;
use serde_json::json;

use super::steered::{Steered, source, subscription, within_patience};

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_is_missed_ends_the_subscription_thirty_days_later_until_it_is_held() {
    let mut world = Steered::new().await;
    world.install().await;
    world.pass(101);
    let said = world.until::<CprSubscription>("clients", "ReviewDue", "True ReviewDue").await;
    assert!(said.contains("set a new reviewBy"), "{said}");
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert!(world.compiled("clients").await.is_some());
    world.pass(31);
    let said = world.until::<CprSubscription>("clients", "Expired", "True ReviewOverdue").await;
    assert!(said.contains("set a new reviewBy"), "{said}");
    world.until::<CprSubscription>("clients", "Ready", "False ReviewOverdue").await;
    assert!(world.compiled("clients").await.is_none());
    world.apply::<CprSubscription>("clients", subscription(&world.day(100))).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert!(world.compiled("clients").await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_at_expires_at() {
    let mut world = Steered::new().await;
    world.install().await;
    let mut spec = subscription(&world.day(100));
    spec["expiresAt"] = json!(format!("{}T00:00:00Z", world.day(10)));
    world.apply::<CprSubscription>("clients", spec).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    world.pass(11);
    world.until::<CprSubscription>("clients", "Ready", "False Expired").await;
    assert!(world.compiled("clients").await.is_none());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_registers_approval_is_warned_of_by_the_clock() {
    let mut world = Steered::new().await;
    let mut spec = source();
    spec["access"] = json!({"expiresAt": format!("{}T00:00:00Z", world.day(70))});
    world.apply::<CprSource>("register", spec).await;
    world.until::<CprSource>("register", "AccessExpiring", "False NotSoon").await;
    world.pass(11);
    world.until::<CprSource>("register", "AccessExpiring", "True EndsWithin60Days").await;
    world.pass(60);
    world.until::<CprSource>("register", "AccessExpiring", "True AccessExpired").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_again_writes_nothing_where_nothing_changed() {
    let mut world = Steered::new().await;
    world.install().await;
    let versions = async || {
        let source = world.api::<CprSource>().get("register").await.unwrap().resource_version();
        let consumer = world.api::<ConsumerSystem>().get("sample").await.unwrap().resource_version();
        (source, consumer, world.api::<CprSubscription>().get("clients").await.unwrap().resource_version())
    };
    let looks = async || {
        let mut text = String::new();
        let mut registry = prometheus_client::registry::Registry::default();
        world.context.metrics.register(&mut registry);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let counts = text.lines().filter(|line| line.starts_with("controller_runtime_reconcile_total"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    let settled = within_patience(async || {
        let before = versions().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        (before == versions().await).then_some(before)
    });
    let settled = settled.await.expect("statuses come to rest");
    let before = looks().await;
    world.context.clock.advance(Duration::from_secs(1300));
    within_patience(async || (looks().await >= before + 2).then_some(())).await.expect("they were looked at again");
    assert_eq!(versions().await, settled);
    world.stop().await;
}
