//! What remains of what was done: Kubernetes Events, audit entries, metrics, rows. None holds what a Secret holds.

use std::collections::BTreeSet;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use k8s_openapi::api::events::v1::Event;
use serde_json::Value;

use super::{World, given};
use crate::support::files;

/// Stands in every Secret of these tests.
const CANARY: &str = "c4n4rybird";

impl World {
    /// The public parts of all audit entries, as text.
    async fn record(&self) -> Vec<String> {
        let mut conn = self.context.store.main.read().await.unwrap();
        let sql = "SELECT CAST(public AS TEXT) FROM audit_entry ORDER BY rowid";
        sqlx::query_scalar(sql).fetch_all(&mut *conn).await.unwrap()
    }

    /// Of each audit entry about the three resources: its type, and the class where there is one.
    async fn recorded(&self) -> BTreeSet<String> {
        let entries = self.record().await;
        let entries = entries.iter().map(|entry| serde_json::from_str::<Value>(entry).unwrap());
        entries.map(|e| [e["type"].as_str(), e["class"].as_str()].map(Option::unwrap_or_default).join(" ")).collect()
    }

    async fn events(&self) -> Vec<Event> {
        self.api::<Event>().list(&Default::default()).await.unwrap().items
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_was_refused_and_ended_is_recorded() {
    let world = World::ready().await;
    world.apply::<ConsumerSystem>("sample", given::consumer(&["Status"])).await;
    world.wait::<CprSubscription>("clients", "Ready", "False FieldsNotGranted").await;
    world.delete::<CprSubscription>("clients").await;
    world.until("it ends", async || world.live("clients").await.is_none()).await;

    let recorded = world.recorded().await;
    for expected in
        ["configuration ", "subscription.started ", "refusal FieldsNotGranted", "subscription.ended Deleted"]
    {
        assert!(recorded.contains(expected), "{expected} is not in {recorded:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_record_hold_no_secret() {
    let world = World::ready().await;
    let client = [("clientId", CANARY), ("clientSecret", CANARY)];
    world.secret("client", Some("source"), &client).await;
    world.secret("signing", Some("signing"), &[("first", given::SIGNING), ("second", CANARY)]).await;
    world.wait::<ConsumerSystem>("sample", "SecretsResolved", "False KeyMalformed").await;
    world.secret("client", Some("source"), &client[..1]).await;
    world.wait::<CprSource>("register", "SecretsResolved", "False KeyMissing").await;
    let told = async || world.events().await.iter().any(|event| event.reason.as_deref() == Some("KeyMissing"));
    world.until("the last of it is told", told).await;

    let mut kept = vec![world.metrics(), serde_json::to_string(&world.events().await).unwrap()];
    kept.push(world.get::<CprSource>("register").await.to_string());
    kept.push(world.get::<ConsumerSystem>("sample").await.to_string());
    kept.extend(world.record().await);
    for text in kept {
        assert!(!text.contains(CANARY), "{text}");
    }
    for (file, bytes) in files::bytes(&world.folder.path().join("data")) {
        assert!(!bytes.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()), "{file}");
    }
}
