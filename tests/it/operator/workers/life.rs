//! When workers come, stop and go.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::store::consumer::{ConsumerState, SendingState};
use cpr_operator::store::{self, sql};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::super::steered::{consumer, consumer_state, within_patience};
use super::site::{ANCHOR, Site};

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_has_a_worker_until_its_address_is_proved_and_then_while_it_has_subscriptions() {
    let mut site = Site::new().await;
    let deliver = site.deliver("sample");
    site.world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Name", "Status"])).await;
    site.until_scaled(&deliver, 1).await;
    site.prove("sample").await;
    site.until_scaled(&deliver, 0).await;
    let said = site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "True Stopped").await;
    assert!(said.contains("no live subscription"), "{said}");

    site.world.install_unready().await;
    site.until_scaled(&deliver, 1).await;
    site.until_ready(&deliver, 1).await;
    site.world.until::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;

    // What is left to send is sent: that the subscription ended.
    site.world.delete::<CprSubscription>("clients").await;
    let pending = async || routes(&site).await == 1;
    assert!(within_patience(async || pending().await.then_some(())).await.is_some());
    site.until_quiet().await;
    site.until_scaled(&deliver, 1).await;
    let mut tx = site.world.context.store.main.begin().await.unwrap();
    sql::query("DELETE FROM route").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    site.world.context.clock.advance(Duration::from_secs(31));
    site.until_scaled(&deliver, 0).await;
    site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "True Stopped").await;
    site.world.stop().await;
}

async fn routes(site: &Site) -> i64 {
    let mut conn = site.world.context.store.main.read().await.unwrap();
    sql::query_scalar("SELECT count(*) FROM route").fetch_one(&mut conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn more_are_made_where_more_are_asked_for() {
    let mut site = Site::installed().await;
    let deliver = site.deliver("sample");
    site.until_scaled(&deliver, 1).await;
    let mut spec = consumer(&["Number", "Name", "Status"]);
    spec["workers"] = json!({"min": 3, "resources": {"limits": {"memory": "1Gi"}}, "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "dedicated", "value": "cpr", "effect": "NoSchedule"}]});
    site.world.apply::<ConsumerSystem>("sample", spec).await;
    let is_so = |deployment: &Deployment| {
        let pod = serde_json::to_value(&deployment.spec.template.spec).unwrap();
        pod["containers"][0]["resources"]["limits"]["memory"] == "1Gi"
            && pod["nodeSelector"]["kubernetes.io/arch"] == "amd64"
            && pod["tolerations"][0]["value"] == "cpr"
    };
    site.until(&deliver, is_so).await;
    site.until_scaled(&deliver, 3).await;
    site.until_made::<PodDisruptionBudget>(&deliver).await;
    // Fewer are enough when there was no backlog for a while.
    site.world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Name", "Status"])).await;
    site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "Unknown Starting").await;
    for fewer in [2, 1] {
        site.until_quiet().await;
        site.world.context.clock.advance(Duration::from_secs(601));
        site.until_scaled(&deliver, fewer).await;
    }
    site.until_gone::<PodDisruptionBudget>(&deliver).await;
    // What was asked for and is not any more is taken out again.
    let is_plain = |deployment: &Deployment| deployment.spec.template.spec.as_ref().unwrap().node_selector.is_none();
    site.until_ready(&deliver, 1).await;
    site.until(&deliver, is_plain).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_with_its_resource_also_if_nobody_was_there_to_see() {
    let mut site = Site::installed().await;
    let (deliver, ingest) = (site.deliver("sample"), site.ingest("register"));
    site.until_scaled(&deliver, 1).await;
    site.until_scaled(&ingest, 2).await;
    site.world.delete::<ConsumerSystem>("sample").await;
    site.until_gone::<Deployment>(&deliver).await;
    site.until_gone::<Secret>(&deliver).await;
    site.until_gone::<NetworkPolicy>(&deliver).await;
    site.until_gone::<ServiceAccount>(&deliver).await;
    site.world.stop().await;
    site.world.delete::<CprSource>("register").await;
    site.world.start();
    site.until_gone::<Deployment>(&ingest).await;
    site.until_gone::<ServiceAccount>(&ingest).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_installation_or_nobody_knows_of_is_left_alone() {
    let mut site = Site::installed().await;
    site.until_scaled(&site.deliver("sample"), 1).await;
    let others = [
        ("of-another-installation", json!({"cpr-operator.dev/anchor": "other-anchor"}), "tenant/gone"),
        ("of-a-namespace-that-is-not-watched", json!({"cpr-operator.dev/anchor": ANCHOR}), "elsewhere/gone"),
    ];
    for (name, mut labels, of) in others.clone() {
        labels["app.kubernetes.io/component"] = json!("deliver");
        let metadata = json!({"name": name, "labels": labels, "annotations": {"cpr-operator.dev/of": of}});
        let account: ServiceAccount = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        site.api::<ServiceAccount>().create(&PostParams::default(), &account).await.unwrap();
    }
    site.world.stop().await;
    site.world.start();
    site.world.delete::<ConsumerSystem>("sample").await;
    site.until_gone::<ServiceAccount>(&site.deliver("sample")).await;
    for (name, ..) in others {
        assert!(site.api::<ServiceAccount>().get_opt(name).await.unwrap().is_some(), "{name}");
    }
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_anchor_everything_goes_and_that_is_said() {
    let mut site = Site::installed().await;
    let deliver = site.deliver("sample");
    site.until_scaled(&deliver, 1).await;
    site.api::<ConfigMap>().delete(ANCHOR, &DeleteParams::default()).await.unwrap();
    site.until_gone::<Deployment>(&deliver).await;
    site.until_gone::<Secret>(&deliver).await;
    let said = site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "False InstallationIncomplete").await;
    assert!(said.contains(ANCHOR), "{said}");
    site.config_map(ANCHOR, json!({})).await;
    // Looked for every 15 seconds: nothing else may tell of it any more.
    site.world.context.clock.advance(Duration::from_secs(16));
    site.until_scaled(&deliver, 1).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_behind_gets_more_workers_where_more_help() {
    let mut site = Site::installed().await;
    let deliver = site.deliver("sample");
    site.until_scaled(&deliver, 1).await;
    let behind = async |strained| {
        let mut tx = site.world.context.store.main.begin().await.unwrap();
        let row = store::consumer::find(&mut tx, &site.world.key("sample")).await.unwrap().unwrap();
        let sending = SendingState { reason: "Backlogged".into(), message: String::new() };
        let state = ConsumerState { sending: Some(sending), strained, ..consumer_state() };
        store::consumer::write_state(&mut tx, row.id, &state).await.unwrap();
        tx.commit().await.unwrap();
        site.world.until::<ConsumerSystem>("sample", "Delivering", "False Backlogged").await;
        site.until_quiet().await;
        site.world.context.clock.advance(Duration::from_secs(61));
    };
    behind(false).await;
    site.until_quiet().await;
    site.until_scaled(&deliver, 1).await;
    behind(true).await;
    site.until_scaled(&deliver, 2).await;
    site.until_made::<PodDisruptionBudget>(&deliver).await;
    // The next to lead goes on with what there is.
    site.world.stop().await;
    site.world.start();
    site.until_quiet().await;
    site.until_scaled(&deliver, 2).await;
    site.world.stop().await;
}
