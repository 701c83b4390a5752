//! Workers made by the real program with nothing but the rights and the settings that the chart gives it.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::operator::workers::names::{self, Role};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use serde_json::json;

use super::account::Account;
use super::helm::{CLUSTER, RELEASE, Release, chart};
use crate::support::cluster;
use crate::support::world::World;

/// What the tests' cluster has already, and what needs a node.
const BESIDE: &str = "crds.install=false,admissionPolicy.enabled=false,replicaCount=0,rbac.aggregate=false";

/// The release's settings, with which the program is started; only where files lie is the test's own.
async fn configure(world: &mut World, own: &str) {
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), own);
    let rendered = maps.get("cpr-cpr-operator-settings").await.unwrap().data.unwrap();
    let folder = world.data();
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.with_file_name("settings.toml");
    std::fs::write(&file, &rendered["settings.toml"]).unwrap();
    world.through = vec!["env".to_owned(), format!("CPR_CONFIG={}", file.display())];
    world.settings.push(format!("admin.socket={}", folder.join("admin.sock").display()));
    world.settings.push(format!("operator.lease_namespace={own}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_and_settings_of_the_chart_are_enough_to_make_workers() {
    let mut world = World::new("chart-workers").await;
    let own = cluster::namespace(&world.client, "chart-own").await;
    let kubeconfig: std::path::PathBuf = std::env::var_os("KUBECONFIG").expect("the world was made").into();
    let release = Release::new(&kubeconfig, own.name());
    let followed = format!("watchNamespaces={{{}}}", world.namespace.name());
    release.apply(&chart(), &["--set", BESIDE, "--set", CLUSTER, "--set", &followed]).unwrap();
    let account = Account::of(&world.client, &kubeconfig, own.name(), "cpr-cpr-operator").await;
    world.kubeconfig = Some(account.kubeconfig());
    configure(&mut world, own.name()).await;
    world.make_root_key();
    let _operator = world.spawn(&["operator"], "operator").await;
    world.install().await;

    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), own.name());
    let worker = |role, name| names::worker(role, &ResourceKey::new(world.namespace.name(), name));
    let (deliver, ingest) = (worker(Role::Deliver, "casework"), worker(Role::Ingest, "register"));
    for (name, replicas) in [(&deliver, 1), (&ingest, 2)] {
        let made = async || deployments.get_opt(name).await.unwrap().filter(|d| d.spec.replicas == Some(replicas));
        let made = world.until(name, made).await.unwrap_or_else(|| panic!("{name} never came\n{}", world.log()));
        let labels = made.spec.template.metadata.unwrap().labels.unwrap();
        assert_eq!(labels["app.kubernetes.io/instance"], RELEASE, "its metrics are found by this");
    }
    // What is there is changed, and taken away again.
    let mut more = world.consumer_system("casework");
    more["spec"]["workers"] = json!({"min": 2});
    world.apply(more).await;
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(world.client.clone(), own.name());
    let two = async || budgets.get_opt(&deliver).await.unwrap();
    assert!(world.until("a budget", two).await.is_some(), "{}", world.log());
    world.delete("ConsumerSystem", "casework").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(world.client.clone(), own.name());
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), own.name());
    let gone = async || {
        let is_gone = accounts.get_opt(&deliver).await.unwrap().is_none();
        (is_gone && secrets.get_opt(&deliver).await.unwrap().is_none()).then_some(())
    };
    assert!(world.until("gone", gone).await.is_some(), "{}", world.log());

    let (_, metrics) = world.ask("/metrics").await;
    let requests: Vec<_> = metrics.lines().filter(|line| line.starts_with("rest_client_requests_total{")).collect();
    assert!(!requests.iter().any(|line| line.contains("code=\"403\"")), "{requests:?}\n{}", world.log());
    assert!(!world.log().contains("not permitted"), "{}", world.log());

    // With the release goes the anchor, and with it every worker.
    release.run(&["uninstall", RELEASE]).unwrap();
    let gone = async || deployments.get_opt(&ingest).await.unwrap().is_none().then_some(());
    assert!(world.until("gone with the release", gone).await.is_some(), "{}", world.log());
}
