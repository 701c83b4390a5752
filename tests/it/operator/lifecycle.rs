//! From a manifest to rows and conditions, and back.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::store;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::steered::{Steered, consumer, source, subscription, within_patience};

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_is_missing_is_named_and_taken_up_when_it_comes() {
    let mut world = Steered::new().await;
    world.apply::<CprSubscription>("clients", subscription(&world.day(100))).await;
    let said = world.until::<CprSubscription>("clients", "Ready", "False SourceNotFound").await;
    assert!(said.contains("register") && said.contains("create it"), "{said}");
    world.apply::<CprSource>("register", source()).await;
    let said = world.until::<CprSubscription>("clients", "Ready", "False ConsumerNotFound").await;
    assert!(said.contains("sample") && said.contains("create it"), "{said}");
    assert!(world.compiled("clients").await.is_none());
    world.apply::<ConsumerSystem>("sample", consumer(&["Name", "Status"])).await;
    world.until::<CprSubscription>("clients", "ReferencesResolved", "True Resolved").await;
    assert!(world.compiled("clients").await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_leaves_nothing_in_use_and_is_taken_up_again_within_the_grace() {
    let mut world = Steered::new().await;
    world.install().await;
    world.delete::<ConsumerSystem>("sample").await;
    world.until::<CprSubscription>("clients", "Ready", "False ConsumerNotFound").await;
    assert!(world.compiled("clients").await.is_none(), "nobody is there to be told anything");
    assert!(gone(async || world.context.signing.get(&world.key("sample")).is_none()).await);

    let before = store::consumer::find(&mut world.context.store.main.read().await.unwrap(), &world.key("sample")).await;
    world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Name", "Status"])).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    let after = store::consumer::find(&mut world.context.store.main.read().await.unwrap(), &world.key("sample")).await;
    let (before, after) = (before.unwrap().unwrap(), after.unwrap().unwrap());
    assert_eq!(before.id, after.id, "the same consumer, and so the same references of persons");
    assert_ne!(before.uid, after.uid);
    assert!(world.context.signing.get(&world.key("sample")).is_some());

    world.delete::<CprSubscription>("clients").await;
    assert!(gone(async || world.compiled("clients").await.is_none()).await);
    world.delete::<CprSource>("register").await;
    assert!(gone(async || world.context.credentials.get(&world.key("register")).is_none()).await);
    world.stop().await;
}

async fn gone(is_gone: impl AsyncFn() -> bool) -> bool {
    within_patience(async || is_gone().await.then_some(())).await.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_deleted_under_a_subscription_is_missed_and_comes_back() {
    let mut world = Steered::new().await;
    world.install().await;
    world.delete::<CprSource>("register").await;
    world.until::<CprSubscription>("clients", "Ready", "False SourceNotFound").await;
    let kept = world.compiled("clients").await;
    assert!(kept.is_some(), "the consumer still may have what it gives");
    world.apply::<CprSource>("register", source()).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert_eq!(world.compiled("clients").await, kept);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_annotation_is_answered_and_nothing_else_is_written() {
    let mut world = Steered::new().await;
    world.install().await;
    let shown = async |wish: &str| {
        let patch = json!({"metadata": {"annotations": {"cpr-operator.dev/reconcile-at": wish}}});
        let api = world.api::<CprSource>();
        api.patch("register", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        within_patience(async || {
            let source = api.get("register").await.unwrap();
            let status = source.status.unwrap();
            (status.last_handled_reconcile_at.as_deref() == Some(wish)).then_some(status)
        })
        .await
        .expect("answered")
    };
    let (first, second) = (shown("first").await, shown("second").await);
    assert_eq!(first.conditions, second.conditions);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_that_is_suspended_says_so_and_resumes() {
    let mut world = Steered::new().await;
    world.install().await;
    let suspended = |mut spec: serde_json::Value| {
        spec["suspend"] = json!(true);
        spec
    };
    let (fields, review) = (["Number", "Name", "Status"], world.day(100));
    world.apply::<CprSource>("register", suspended(source())).await;
    world.until::<CprSource>("register", "Ready", "False Suspended").await;
    world.apply::<ConsumerSystem>("sample", suspended(consumer(&fields))).await;
    world.until::<ConsumerSystem>("sample", "Ready", "False Suspended").await;
    world.apply::<CprSubscription>("clients", suspended(subscription(&review))).await;
    world.until::<CprSubscription>("clients", "Ready", "False Suspended").await;
    assert!(world.compiled("clients").await.unwrap().suspended);
    world.apply::<CprSource>("register", source()).await;
    world.until::<CprSource>("register", "Ready", "True Succeeded").await;
    world.apply::<ConsumerSystem>("sample", consumer(&fields)).await;
    world.until::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
    world.apply::<CprSubscription>("clients", subscription(&review)).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert!(!world.compiled("clients").await.unwrap().suspended);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_what_went_wrong_once_and_nothing_where_nothing_did() {
    let mut world = Steered::new().await;
    world.install().await;
    world
        .apply::<CprSubscription>("clients", {
            let mut spec = subscription(&world.day(100));
            spec["purpose"] = json!("other");
            spec
        })
        .await;
    world.until::<CprSubscription>("clients", "Ready", "False PurposeNotFound").await;
    let wrong = within_patience(async || {
        let events = world.api::<Event>().list(&Default::default()).await.unwrap().items;
        events.iter().any(|event| event.reason.as_deref() == Some("PurposeNotFound")).then_some(events)
    })
    .await
    .expect("told");
    let warnings: Vec<_> = wrong
        .iter()
        .filter(|event| event.type_.as_deref() == Some("Warning"))
        .filter(|event| event.regarding.as_ref().unwrap().name.as_deref() == Some("clients"))
        .filter_map(|event| event.reason.as_deref())
        .filter(|reason| !reason.ends_with("NotFound") && !reason.ends_with("NotReady"))
        .collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(!serde_json::to_string(&wrong).unwrap().contains("canary"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_not_served_from_a_root_key_beside_the_database_until_that_is_accepted() {
    let mut world = Steered::new().await;
    world.stop().await;
    world.context.accept_local_root_key = false;
    world.start();
    let production = json!({"environment": "Production", "datafordeler": {"credentialsRef": {"name": "client"}}});
    world.apply::<CprSource>("register", production).await;
    let said = world.until::<CprSource>("register", "Ready", "False RootKeyLocal").await;
    assert!(said.contains("store.root_key_file") && said.contains("store.accept_local_root_key"), "{said}");
    let told = async || {
        let events = world.api::<Event>().list(&Default::default()).await.unwrap().items;
        events.iter().any(|event| event.reason.as_deref() == Some("RootKeyLocal")).then_some(())
    };
    assert!(within_patience(told).await.is_some());
    let stored =
        async || store::source::find(&mut world.context.store.main.read().await.unwrap(), &world.key("register")).await;
    assert!(stored().await.unwrap().is_none());
    world.stop().await;
    world.context.accept_local_root_key = true;
    world.start();
    world.until::<CprSource>("register", "Ready", "False SecretNotFound").await;
    world.stop().await;
}
