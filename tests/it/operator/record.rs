//! What the record keeps of what resources gave, were refused and took back.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::store::audit_entry;
use serde_json::Value;

use super::steered::{Steered, consumer, within_patience};

/// Of each audit entry its type, and the class where there is one.
async fn recorded(world: &Steered) -> BTreeSet<String> {
    let mut conn = world.context.store.main.read().await.unwrap();
    let entries = audit_entry::read(&mut conn, 0, 10_000).await.unwrap();
    let entries = entries.iter().map(|entry| serde_json::from_slice::<Value>(&entry.public).unwrap());
    entries.map(|e| [e["type"].as_str(), e["class"].as_str()].map(Option::unwrap_or_default).join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_was_refused_and_ended_is_recorded() {
    let mut world = Steered::new().await;
    world.install().await;
    world.apply::<ConsumerSystem>("sample", consumer(&["Status"])).await;
    world.until::<CprSubscription>("clients", "Ready", "False FieldsNotGranted").await;
    world.delete::<CprSubscription>("clients").await;
    let ended = within_patience(async || world.compiled("clients").await.is_none().then_some(())).await;
    assert!(ended.is_some(), "it ends");

    let recorded = recorded(&world).await;
    for expected in
        ["configuration ", "subscription.started ", "refusal FieldsNotGranted", "subscription.ended Deleted"]
    {
        assert!(recorded.contains(expected), "{expected} is not in {recorded:?}");
    }
    world.stop().await;
}
