//! What is made for a source and for a consumer, that it stays so, and what is left alone.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::operator::workers::names;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::super::steered::{WHSEC, source, within_patience};
use super::site::{ANCHOR, Site, args, file, image, owners};

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_and_a_source_get_workers_beside_the_operator() {
    let mut site = Site::installed().await;
    let (deliver, ingest) = (site.deliver("sample"), site.ingest("register"));
    let namespace = site.world.namespace().to_owned();

    let deployment = site.until_scaled(&deliver, 1).await;
    assert_eq!(args(&deployment)[..3], ["deliver", "--consumer", &format!("{namespace}/sample")]);
    assert_eq!(image(&deployment), "registry.example.org/cpr-operator:1");
    let account = site.until_made::<ServiceAccount>(&deliver).await;
    assert_eq!(owners(&account), [format!("ConfigMap {ANCHOR}")]);
    assert_eq!(account.automount_service_account_token, Some(false));
    assert_eq!(owners(&deployment), [format!("ServiceAccount {deliver}")]);
    assert_eq!(owners(&site.until_made::<NetworkPolicy>(&deliver).await), [format!("ServiceAccount {deliver}")]);
    let secret = site.until_made::<Secret>(&deliver).await;
    assert_eq!(file(&secret, &site.world.key("sample")), Some(format!(r#"{{"signing":["{WHSEC}"]}}"#)));
    assert_eq!(secret.data.unwrap().len(), 1, "nobody else's secrets");

    let reading = site.until_scaled(&ingest, 2).await;
    assert_eq!(args(&reading)[..3], ["ingest", "--source", &format!("{namespace}/register")]);
    site.until_made::<PodDisruptionBudget>(&ingest).await;
    assert!(site.api::<PodDisruptionBudget>().get_opt(&deliver).await.unwrap().is_none());
    let secret = site.until_made::<Secret>(&ingest).await;
    let content: Value = serde_json::from_str(&file(&secret, &site.world.key("register")).unwrap()).unwrap();
    assert_eq!(content, json!({"clientId": "a", "clientSecret": "canary"}));

    assert!(site.world.api::<Deployment>().list(&Default::default()).await.unwrap().items.is_empty());
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_of_a_source_are_told_apart_and_let_out_to_its_proxy_alone() {
    let mut site = Site::installed().await;
    let ingest = site.ingest("register");
    let labels = site.until_scaled(&ingest, 2).await.spec.template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels["cpr-operator.dev/source"], names::short(&site.world.key("register")));
    assert_eq!(labels["cpr-operator.dev/tenant"], site.world.namespace());
    let mut by_proxy = source();
    by_proxy["datafordeler"]["proxyUrl"] = json!("http://egress.example.org:3128");
    site.world.apply::<CprSource>("register", by_proxy).await;
    let ports = |policy: &NetworkPolicy| {
        let policy = serde_json::to_value(policy).unwrap();
        let rules = policy["spec"]["egress"].as_array().unwrap().clone();
        rules.last().unwrap()["ports"].as_array().unwrap().iter().map(|port| port["port"].clone()).collect::<Vec<_>>()
    };
    site.until::<NetworkPolicy>(&ingest, |policy| ports(policy) == [3128]).await;
    site.world.apply::<CprSource>("register", source()).await;
    site.until::<NetworkPolicy>(&ingest, |policy| ports(policy) == [1, 2]).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_of_pods_reaches_the_status_and_is_told() {
    let mut site = Site::installed().await;
    let deliver = site.deliver("sample");
    site.until_scaled(&deliver, 1).await;
    site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "Unknown Starting").await;
    site.world.until::<ConsumerSystem>("sample", "Ready", "Unknown Starting").await;
    assert_eq!(site.counted("sample").await, Some((1, 0)));
    site.until_ready(&deliver, 1).await;
    let said = site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "True Available").await;
    assert_eq!(said, "1 of 1 workers are ready");
    site.world.until::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
    assert_eq!(site.counted("sample").await, Some((1, 1)));
    site.until_ready(&site.ingest("register"), 2).await;
    site.world.until::<CprSource>("register", "Ready", "True Succeeded").await;
    let told = within_patience(async || {
        let events = site.world.api::<Event>().list(&Default::default()).await.unwrap().items;
        events.iter().any(|event| event.reason.as_deref() == Some("Available")).then_some(())
    });
    assert!(told.await.is_some());
    let measured = within_patience(async || {
        let deliver = site.metric(r#"cpr_operator_workers{role="deliver",state="ready"}"#) == Some(1);
        (deliver && site.metric(r#"cpr_operator_workers{role="ingest",state="ready"}"#) == Some(2)).then_some(())
    });
    assert!(measured.await.is_some(), "{}", site.metrics());
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_when_nothing_changed() {
    let mut site = Site::installed().await;
    site.until_ready(&site.deliver("sample"), 1).await;
    site.until_ready(&site.ingest("register"), 2).await;
    site.world.until::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
    site.world.until::<CprSource>("register", "Ready", "True Succeeded").await;
    let before = site.until_quiet().await;
    assert_eq!(before.len(), 9, "{before:?}");
    let patches = site.patches();
    site.world.stop().await;
    // A version of the operator that renders the same is no reason either.
    site.world.start();
    let leads = within_patience(async || {
        let text = site.metrics();
        text.contains(r#"leader_election_master_status{name="cpr-operator"} 1"#).then_some(())
    });
    leads.await.expect("it leads again");
    let patch = json!({"metadata": {"annotations": {"cpr-operator.dev/reconcile-at": "now"}}});
    let api = site.world.api::<ConsumerSystem>();
    api.patch("sample", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let answered = within_patience(async || {
        let status = api.get("sample").await.unwrap().status.unwrap();
        (status.last_handled_reconcile_at.as_deref() == Some("now")).then_some(())
    });
    answered.await.expect("it was looked at");
    assert_eq!(site.until_quiet().await, before);
    // The consumer's status, which says that the wish was answered. What was said before the start is not unsaid meanwhile.
    assert_eq!(site.patches() - patches, 1);
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_of_ours_is_changed_back_and_what_they_add_stays() {
    let mut site = Site::installed().await;
    let deliver = site.deliver("sample");
    site.until_scaled(&deliver, 1).await;
    site.until_ready(&deliver, 1).await;
    let theirs = json!({
        "metadata": {"annotations": {"example.org/note": "theirs"}, "labels": {"cpr-operator.dev/tenant": "stolen"}},
        "spec": {"replicas": 3, "minReadySeconds": 7, "template": {"spec": {"containers": [
            {"name": "deliver", "image": "registry.example.org/other:1", "tty": true}]}}},
    });
    let api = site.api::<Deployment>();
    api.patch(&deliver, &PatchParams::default(), &Patch::Strategic(theirs)).await.unwrap();
    let repaired = site
        .until(&deliver, |deployment: &Deployment| {
            deployment.spec.replicas == Some(1)
                && image(deployment) == "registry.example.org/cpr-operator:1"
                && deployment.labels()["cpr-operator.dev/tenant"] == site.world.namespace()
        })
        .await;
    assert_eq!(repaired.annotations()["example.org/note"], "theirs");
    assert_eq!(repaired.spec.min_ready_seconds, Some(7));
    assert_eq!(repaired.spec.template.spec.unwrap().containers[0].tty, Some(true));

    let emptied = json!({"data": null});
    site.api::<Secret>().patch(&deliver, &PatchParams::default(), &Patch::Merge(emptied)).await.unwrap();
    let key = site.world.key("sample");
    site.until(&deliver, |secret: &Secret| file(secret, &key).is_some_and(|content| content.contains(WHSEC))).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_deletes_is_made_again() {
    let mut site = Site::installed().await;
    let deliver = site.deliver("sample");
    let before = site.until_scaled(&deliver, 1).await;
    site.api::<NetworkPolicy>().delete(&deliver, &DeleteParams::default()).await.unwrap();
    site.until_made::<NetworkPolicy>(&deliver).await;
    // With the account goes all that it owns.
    let account = site.until_made::<ServiceAccount>(&deliver).await;
    site.api::<ServiceAccount>().delete(&deliver, &DeleteParams::default()).await.unwrap();
    let anew = site.until(&deliver, |anew: &ServiceAccount| anew.uid() != account.uid()).await;
    let is_of_anew = |deployment: &Deployment| {
        deployment.metadata.owner_references.iter().flatten().all(|owner| Some(&owner.uid) == anew.uid().as_ref())
    };
    let after = site.until(&deliver, |deployment: &Deployment| is_of_anew(deployment)).await;
    assert_eq!(args(&after), args(&before));
    site.until(&deliver, |secret: &Secret| owners(secret) == [format!("ServiceAccount {deliver}")]).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_reaches_the_worker_without_a_restart_and_a_spoilt_one_does_not() {
    let mut site = Site::installed().await;
    let (deliver, key) = (site.deliver("sample"), site.world.key("sample"));
    site.until_scaled(&deliver, 1).await;
    site.until_quiet().await;
    let before = site.api::<Deployment>().get(&deliver).await.unwrap();
    let other = "whsec_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    site.world.secret("signing", Some("signing"), json!({"a": WHSEC, "b": other})).await;
    let both = Some(format!(r#"{{"signing":["{WHSEC}","{other}"]}}"#));
    site.until(&deliver, |secret: &Secret| file(secret, &key) == both).await;

    site.world.secret("signing", Some("signing"), json!({"a": "whsec_canary"})).await;
    site.world.until::<ConsumerSystem>("sample", "SecretsResolved", "False KeyMalformed").await;
    site.until_quiet().await;
    assert_eq!(file(&site.until_made::<Secret>(&deliver).await, &key), both, "the last good ones stay");
    // Also where the operator that knew the good ones is gone.
    site.world.stop().await;
    site.world.start();
    site.world.until::<ConsumerSystem>("sample", "SecretsResolved", "False KeyMalformed").await;
    site.until_quiet().await;
    assert_eq!(file(&site.until_made::<Secret>(&deliver).await, &key), both);

    site.world.delete::<Secret>("signing").await;
    site.until(&deliver, |secret: &Secret| file(secret, &key).as_deref() == Some(r#"{"signing":[]}"#)).await;
    let after = site.api::<Deployment>().get(&deliver).await.unwrap();
    assert_eq!(before.metadata.generation, after.metadata.generation);
    site.world.stop().await;
}
