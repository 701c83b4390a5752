//! Upgrades take workers in turns.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::settings::workers::Share;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::super::steered::{consumer, within_patience};
use super::site::{Site, image};

const NEW: &str = "registry.example.org/cpr-operator:2";

/// Consumers of these names, each with a worker that is ready.
async fn with_consumers(names: &[&str]) -> Site {
    let site = Site::new().await;
    for name in names {
        site.world.apply::<ConsumerSystem>(name, consumer(&["Name"])).await;
    }
    for name in names {
        site.until_scaled(&site.deliver(name), 1).await;
        site.until_ready(&site.deliver(name), 1).await;
    }
    site.until_quiet().await;
    site
}

/// Starts the operator with another image.
async fn upgrade(site: &mut Site, to: &str) {
    site.world.stop().await;
    site.world.context.workers.image = to.to_owned();
    site.world.start();
}

/// Which of these have the new image.
async fn upgraded<'a>(site: &Site, names: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        let deployment = site.api::<Deployment>().get(&site.deliver(name)).await.unwrap();
        if image(&deployment) == NEW {
            found.push(*name);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_keep_their_image_until_their_turn_and_go_in_order() {
    let names = ["a", "b", "c", "d"];
    let mut site = with_consumers(&names).await;
    site.world.context.workers.max_rolling = Share::Count(2);
    upgrade(&mut site, NEW).await;
    let two = within_patience(async || (upgraded(&site, &names).await == ["a", "b"]).then_some(())).await;
    assert!(two.is_some(), "{:?}", upgraded(&site, &names).await);
    site.until_quiet().await;
    assert_eq!(upgraded(&site, &names).await, ["a", "b"], "the others wait for their turn");
    assert_eq!(site.metric(r#"cpr_operator_workers_rolling{role="deliver"}"#), Some(2));
    assert_eq!(site.metric(r#"cpr_operator_workers_waiting{role="deliver"}"#), Some(2));
    // The old pods are there until the new ones are ready.
    site.world.until::<ConsumerSystem>("a", "WorkersAvailable", "True Available").await;

    site.until_ready(&site.deliver("b"), 1).await;
    site.until(&site.deliver("c"), |deployment: &Deployment| image(deployment) == NEW).await;
    assert_eq!(upgraded(&site, &names).await, ["a", "b", "c"]);

    // One that waits is scaled all the same.
    let mut spec = consumer(&["Name"]);
    spec["workers"] = json!({"min": 2});
    site.world.apply::<ConsumerSystem>("d", spec).await;
    let waiting = site.until_scaled(&site.deliver("d"), 2).await;
    assert_ne!(image(&waiting), NEW);
    for name in ["a", "c"] {
        site.until_ready(&site.deliver(name), 1).await;
    }
    site.until(&site.deliver("d"), |deployment: &Deployment| image(deployment) == NEW).await;
    site.until_ready(&site.deliver("d"), 2).await;
    let done = async || site.metric(r#"cpr_operator_workers_rolling{role="deliver"}"#) == Some(0);
    assert!(within_patience(async || done().await.then_some(())).await.is_some());
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_never_starts_does_not_keep_a_better_one_from_coming() {
    let names = ["a", "b"];
    let mut site = with_consumers(&names).await;
    upgrade(&mut site, "registry.example.org/cpr-operator:broken").await;
    let broken = |deployment: &Deployment| image(deployment).ends_with(":broken");
    site.until(&site.deliver("a"), broken).await;
    site.until_quiet().await;
    assert!(!broken(&site.api::<Deployment>().get(&site.deliver("b")).await.unwrap()));
    upgrade(&mut site, NEW).await;
    site.until(&site.deliver("a"), |deployment: &Deployment| image(deployment) == NEW).await;
    assert_eq!(upgraded(&site, &names).await, ["a"], "the one that hangs comes first");
    site.until_ready(&site.deliver("a"), 1).await;
    site.until(&site.deliver("b"), |deployment: &Deployment| image(deployment) == NEW).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_worker_reads_replace_its_pods_and_others_do_not() {
    let mut site = with_consumers(&["a"]).await;
    let deliver = site.deliver("a");
    let generation = async |site: &Site| site.api::<Deployment>().get(&deliver).await.unwrap().metadata.generation;
    let before = generation(&site).await;
    let set = async |site: &Site, text: &str| {
        let data: BTreeMap<_, _> = [("settings.toml", text)].into();
        let patch = Patch::Merge(json!({"data": data}));
        site.api::<ConfigMap>().patch("release-settings", &PatchParams::default(), &patch).await.unwrap();
    };
    site.world.stop().await;
    set(&site, "[operator]\nconcurrency = 9\n").await;
    site.world.start();
    site.world.apply::<ConsumerSystem>("b", consumer(&["Name"])).await;
    site.until_scaled(&site.deliver("b"), 1).await;
    site.until_quiet().await;
    assert_eq!(generation(&site).await, before);
    site.world.stop().await;
    set(&site, "[delivery]\nflush_results = 400\n").await;
    site.world.start();
    site.until(&deliver, |deployment: &Deployment| deployment.metadata.generation > before).await;
    site.world.stop().await;
}
