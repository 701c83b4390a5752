//! Definitions that are newer than the program, and definitions that go and come back.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::crds;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::operator::connect::ClusterConfig;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::steered::{Steered, consumer, source, subscription, within_patience};
use crate::support::cluster;
use crate::support::plane::Plane;

fn definitions(plane: &Plane) -> Api<CustomResourceDefinition> {
    Api::all(plane.client.clone())
}

/// Puts a field into the spec of every definition that this program has never heard of.
async fn install_newer(plane: &Plane) {
    for crd in crds::all() {
        let mut newer = serde_json::to_value(&crd).unwrap();
        for version in newer["spec"]["versions"].as_array_mut().unwrap() {
            let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
            spec["future"] = json!({ "type": "object", "properties": { "wish": { "type": "string" } } });
        }
        let apply = PatchParams::apply("a-newer-program").force();
        definitions(plane).patch(&crd.name_any(), &apply, &Patch::Apply(&newer)).await.unwrap();
    }
}

fn with_future(mut spec: Value) -> Value {
    spec["future"] = json!({ "wish": "something" });
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_may_be_newer_and_may_go_and_come_back() {
    let plane = Plane::start().await;
    cluster::install(plane.client.clone()).await;
    let mut world = Steered::on(plane.client.clone(), ClusterConfig::Given(Box::new(plane.config.clone()))).await;
    world.install().await;

    install_newer(&plane).await;
    let fields = ["Number", "Name", "Status"];
    let accepted = within_patience(async || {
        world.apply::<CprSource>("register", with_future(source())).await;
        let kept = world.dynamic::<CprSource>().get("register").await.unwrap();
        kept.data["spec"].get("future").map(drop)
    });
    assert!(accepted.await.is_some(), "the API server keeps the new field");
    world.apply::<ConsumerSystem>("sample", with_future(consumer(&fields))).await;
    world.apply::<CprSubscription>("clients", with_future(subscription(&world.day(90)))).await;
    world.until::<CprSource>("register", "Ready", "True Succeeded").await;
    world.until::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    let kept = world.dynamic::<CprSubscription>().get("clients").await.unwrap();
    assert_eq!(kept.data["spec"]["future"]["wish"], "something", "what is not understood is left alone");

    for crd in crds::all() {
        definitions(&plane).delete(&crd.name_any(), &DeleteParams::default()).await.unwrap();
    }
    let ended = within_patience(async || world.compiled("clients").await.is_none().then_some(())).await;
    assert!(ended.is_some(), "the objects went with their definitions, and that is said as any deletion");
    let gone = within_patience(async || {
        let left = definitions(&plane).list(&Default::default()).await.unwrap();
        left.items.is_empty().then_some(())
    });
    assert!(gone.await.is_some(), "nothing of ours holds a definition");

    cluster::install(plane.client.clone()).await;
    world.install().await;
    assert!(world.compiled("clients").await.is_some(), "the operator survived, and takes up what was there");
    world.stop().await;
    drop(world);
    plane.stop().await;
}
