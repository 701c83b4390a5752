//! What is not made, and how that is said.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::settings::workers::WorkerSettings;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::ResourceExt;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::super::steered::{Steered, consumer};
use super::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_made_under_the_name_is_not_taken() {
    let mut site = Site::new().await;
    let deliver = site.deliver("sample");
    let theirs = json!({"metadata": {"name": deliver}, "data": {"theirs": "eA=="}});
    let theirs: Secret = serde_json::from_value(theirs).unwrap();
    site.api::<Secret>().create(&PostParams::default(), &theirs).await.unwrap();
    site.world.install_unready().await;
    let said = site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "False NameTaken").await;
    assert!(said.contains(&deliver) && said.contains("removed or renamed"), "{said}");
    let kept = site.api::<Secret>().get(&deliver).await.unwrap();
    assert!(kept.data.unwrap().contains_key("theirs") && kept.metadata.labels.is_none());
    assert!(site.api::<Deployment>().get_opt(&deliver).await.unwrap().is_none());

    site.api::<Secret>().delete(&deliver, &DeleteParams::default()).await.unwrap();
    site.until_scaled(&deliver, 1).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_another_resource_under_the_same_name_is_not_taken() {
    let mut site = Site::new().await;
    let deliver = site.deliver("sample");
    // As if two resources had the same hash.
    let labels = json!({"cpr-operator.dev/anchor": super::site::ANCHOR, "app.kubernetes.io/component": "deliver"});
    let metadata =
        json!({"name": deliver, "labels": labels, "annotations": {"cpr-operator.dev/of": "elsewhere/sample"}});
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": metadata})).unwrap();
    site.api::<ServiceAccount>().create(&PostParams::default(), &account).await.unwrap();
    site.world.install_unready().await;
    site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "False NameTaken").await;
    let kept = site.api::<ServiceAccount>().get(&deliver).await.unwrap();
    assert_eq!(kept.annotations()["cpr-operator.dev/of"], "elsewhere/sample");
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_a_ceiling_is_said_and_leaves_the_worker_as_it_is() {
    let mut site = Site::installed().await;
    let deliver = site.deliver("sample");
    site.until_scaled(&deliver, 1).await;
    site.until_ready(&deliver, 1).await;
    let before = site.api::<Deployment>().get(&deliver).await.unwrap();
    let mut spec = consumer(&["Number", "Name", "Status"]);
    spec["workers"] = json!({"resources": {"limits": {"memory": "64Gi"}}});
    site.world.apply::<ConsumerSystem>("sample", spec.clone()).await;
    let said = site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "False CeilingExceeded").await;
    assert!(said.contains("64Gi") && said.contains("2Gi") && said.contains("workers.max_memory"), "{said}");
    site.world.until::<ConsumerSystem>("sample", "Ready", "False CeilingExceeded").await;
    assert_eq!(site.counted("sample").await, Some((1, 1)), "what runs goes on");
    let after = site.api::<Deployment>().get(&deliver).await.unwrap();
    assert_eq!(before.metadata.generation, after.metadata.generation);
    spec["workers"] = json!({"resources": {"limits": {"memory": "2Gi"}}});
    site.world.apply::<ConsumerSystem>("sample", spec).await;
    site.until_ready(&deliver, 1).await;
    site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "True Available").await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_refuses_is_said_with_its_words() {
    let mut site = Site::new().await;
    site.world.stop().await;
    site.world.context.workers.pod_labels = [("not a label".to_owned(), "x".to_owned())].into();
    site.world.start();
    site.world.install_unready().await;
    let said = site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "False ClusterRefuses").await;
    assert!(said.contains("Deployment") && said.contains("not a label"), "{said}");
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_makes_no_workers_says_so_and_is_ready() {
    let mut world = Steered::new().await;
    assert!(!WorkerSettings::default().are_made());
    world.install().await;
    world.until::<ConsumerSystem>("sample", "WorkersAvailable", "True NotProvisioned").await;
    let consumer = world.api::<ConsumerSystem>().get("sample").await.unwrap();
    assert_eq!(consumer.status.unwrap().workers, None);
    world.stop().await;
}
