//! Objects that cannot be read: said to be so, and no hindrance to others.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::domain::field_group::FieldGroup;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

use super::steered::{Steered, consumer, source, subscription, within_patience};

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_cannot_be_read_is_said_to_be_so_stops_no_other_and_gives_no_more_than_it_may() {
    let mut world = Steered::new().await;
    // As a definition of a newer version would, which has one level more. Others see no difference.
    let wider = json!([{"op": "add", "value": "Unheard",
        "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/payload/properties/level/enum/-"}]);
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let patch = Patch::Json::<()>(serde_json::from_value(wider).unwrap());
    definitions.patch("cprsubscriptions.cpr-operator.dev", &PatchParams::default(), &patch).await.unwrap();

    let api = world.dynamic::<CprSubscription>();
    let mut spec = subscription(&world.day(100));
    spec["payload"] = json!({"level": "Unheard"});
    let odd = json!({"apiVersion": "cpr-operator.dev/v1alpha1", "kind": "CprSubscription", "metadata": {"name": "odd"}, "spec": spec});
    let odd: DynamicObject = serde_json::from_value(odd).unwrap();
    let made = within_patience(async || api.create(&PostParams::default(), &odd).await.ok()).await;
    assert!(made.is_some(), "the wider definition is served");
    let status = within_patience(async || {
        let status = api.get("odd").await.unwrap().data["status"].clone();
        (status["waiting"] == "NotUnderstood").then_some(status)
    });
    let status = status.await.expect("said");
    let stalled = status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Stalled").unwrap();
    assert!(stalled["message"].as_str().unwrap().contains("cpr-operator crds"), "{status:#}");
    // Others are not hindered. One that was in force gives no more than its consumer may have.
    world.install().await;
    let mut spec = subscription(&world.day(100));
    spec["payload"] = json!({"level": "Unheard"});
    world.apply::<CprSubscription>("clients", spec).await;
    let said = async || (api.get("clients").await.unwrap().data["status"]["waiting"] == "NotUnderstood").then_some(());
    assert!(within_patience(said).await.is_some());
    assert!(world.compiled("clients").await.unwrap().granted.contains(FieldGroup::Name));
    world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Status"])).await;
    let narrowed = async || (!world.compiled("clients").await?.granted.contains(FieldGroup::Name)).then_some(());
    assert!(within_patience(narrowed).await.is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_cannot_be_read_is_written_anew() {
    let mut world = Steered::new().await;
    world.apply::<CprSource>("register", source()).await;
    world.until::<CprSource>("register", "SecretsResolved", "False SecretNotFound").await;
    // A time that the API server takes and that lies beyond our calendar.
    let broken = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Forged", "message": "",
        "lastTransitionTime": "9999-12-31T23:59:59Z"}]}});
    let api = world.dynamic::<CprSource>();
    api.patch_status("register", &PatchParams::default(), &Patch::Merge(broken)).await.unwrap();
    let annotated = json!({"metadata": {"annotations": {"cpr-operator.dev/reconcile-at": "now"}}});
    api.patch("register", &PatchParams::default(), &Patch::Merge(annotated)).await.unwrap();
    let mended = within_patience(async || {
        let source: CprSource = api.get("register").await.unwrap().try_parse().ok()?;
        let status = source.status?;
        (status.last_handled_reconcile_at.as_deref() == Some("now")
            && status.waiting.as_deref() == Some("SecretNotFound"))
        .then_some(())
    });
    assert!(mended.await.is_some(), "{:#}", api.get("register").await.unwrap().data["status"]);
    world.stop().await;
}
