//! Objects that cannot be read: said to be so, and no hindrance to others.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;

use super::steered::{Steered, source, subscription, within_patience};

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_cannot_be_read_is_said_to_be_so_and_stops_no_other() {
    let mut world = Steered::new().await;
    // As a definition of a newer version would, which has one level more. Others see no difference.
    let wider = json!([{"op": "add", "value": "Unheard",
        "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/payload/properties/level/enum/-"}]);
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let patch = Patch::Json::<()>(serde_json::from_value(wider).unwrap());
    definitions.patch("cprsubscriptions.cpr-operator.dev", &PatchParams::default(), &patch).await.unwrap();

    let api: Api<DynamicObject> =
        Api::namespaced_with(world.client.clone(), world.namespace(), &ApiResource::erase::<CprSubscription>(&()));
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
    world.install().await;
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
    let erased = ApiResource::erase::<CprSource>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), world.namespace(), &erased);
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
