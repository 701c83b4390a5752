//! The real program with nothing but the rights and the settings that the chart gives it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::account::Account;
use super::helm::{Release, chart};
use crate::support::cluster::{self, TestNamespace};
use crate::support::world::{Said, World, secret};

/// What the tests' cluster has already, and what needs a node.
const BESIDE: &str = "crds.install=false,admissionPolicy.enabled=false,replicaCount=0,persistence.enabled=false";

/// A world whose program runs as a release of the chart would have it run.
struct Installed {
    world: World,
    release: Release,
    /// Namespace of the release.
    namespace: String,
    /// Its service account.
    account: Account,
}

fn kubeconfig() -> PathBuf {
    std::env::var_os("KUBECONFIG").expect("the world was made").into()
}

impl Installed {
    /// Installs the chart into a namespace; into that of the resources where none is given.
    async fn new(world: World, namespace: Option<&TestNamespace>, values: &str) -> Self {
        let namespace = namespace.unwrap_or(&world.namespace).name().to_owned();
        let release = Release::new(&kubeconfig(), &namespace);
        release.apply(&chart(), &["--set", BESIDE, "--set", values]).unwrap();
        let account = Account::of(&world.client, &kubeconfig(), &namespace, "cpr-cpr-operator").await;
        let mut installed = Self { world: world.on_sqlite(), release, namespace, account };
        installed.configure().await;
        installed
    }

    /// Has the program started with the rendered settings and the account's token; only where files lie is the test's own.
    async fn configure(&mut self) {
        let maps: Api<ConfigMap> = Api::namespaced(self.world.client.clone(), &self.namespace);
        let rendered = maps.get("cpr-cpr-operator-settings").await.unwrap().data.unwrap();
        let folder = self.world.data();
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.with_file_name("settings.toml");
        std::fs::write(&file, &rendered["settings.toml"]).unwrap();
        self.world.through = vec!["env".to_owned(), format!("CPR_CONFIG={}", file.display())];
        self.world.kubeconfig = Some(self.account.kubeconfig());
        self.world.settings.push(format!("admin.socket={}", folder.join("admin.sock").display()));
        self.world.settings.push(format!("operator.lease_namespace={}", self.namespace));
    }

    /// Starts the program, and waits until all manifests work.
    async fn until_ready(&mut self) {
        self.world.start();
        self.world.install().await;
        self.world.until_ready().await;
    }

    async fn end(mut self) {
        self.world.stop().await;
        self.release.run(&["uninstall", super::helm::RELEASE]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_the_chart_are_enough_and_not_more() {
    let world = World::new("chart").await;
    let mut installed = Installed::new(world, None, "rbac.aggregate=false").await;
    installed.until_ready().await;
    assert_nothing_was_refused(&installed).await;
    assert_not_more(&installed).await;
    installed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_follows_a_namespace_that_is_not_its_own() {
    let world = World::new("chart-team").await;
    let own = cluster::namespace(&world.client, "chart-own").await;
    let followed = format!("watchNamespaces={{{}}},rbac.aggregate=false", world.namespace.name());
    let mut installed = Installed::new(world, Some(&own), &followed).await;
    installed.until_ready().await;
    assert_nothing_was_refused(&installed).await;
    let (team, account) = (installed.world.namespace.name(), &installed.account);
    assert!(account.may("get", "secrets", team).await);
    assert!(!account.may("get", "secrets", own.name()).await, "only what is followed");
    assert!(!account.may("create", "leases.coordination.k8s.io", team).await);
    assert!(account.may("update", "leases.coordination.k8s.io/cpr-cpr-operator", own.name()).await);
    installed.end().await;
}

/// Every request of the program was allowed, and each right was used: statuses, Secrets, Events, the Lease.
async fn assert_nothing_was_refused(installed: &Installed) {
    let world = &installed.world;
    let told = world.until("Events", async || {
        let events = world.dump("Event").await;
        events.contains("\"reportingComponent\":\"cpr-operator").then_some(())
    });
    assert!(told.await.is_some(), "{}", world.dump("Event").await);
    let (_, metrics) = world.ask("/metrics").await;
    let requests: Vec<_> = metrics.lines().filter(|line| line.starts_with("rest_client_requests_total{")).collect();
    for method in ["GET", "PATCH", "POST", "PUT"] {
        assert!(requests.iter().any(|line| line.contains(&format!("method=\"{method}\""))), "{method}: {requests:?}");
    }
    assert!(!requests.iter().any(|line| line.contains("code=\"403\"")), "{requests:?}\n{}", world.log());
    assert!(!world.log().contains("not permitted"), "{}", world.log());
}

/// What the account may not, as the API server itself says.
async fn assert_not_more(installed: &Installed) {
    let (world, account) = (&installed.world, &installed.account);
    let (own, client) = (world.namespace.name(), account.client().await);
    let other = cluster::namespace(&world.client, "chart-other").await;
    let hidden = secret("hidden", "source", json!({ "clientId": "a", "clientSecret": "b" }));
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), other.name());
    secrets.create(&PostParams::default(), &serde_json::from_value(hidden).unwrap()).await.unwrap();
    let theirs: Api<Secret> = Api::namespaced(client.clone(), other.name());
    for refused in [theirs.get("hidden").await.err(), theirs.list(&Default::default()).await.err()] {
        assert!(matches!(refused, Some(kube::Error::Api(status)) if status.is_forbidden()));
    }
    assert!(Api::<Secret>::namespaced(client.clone(), own).get("register").await.is_ok());
    assert!(Api::<Secret>::all(client).list(&Default::default()).await.is_err());
    for (verb, resource) in [
        ("create", "secrets"),
        ("update", "secrets"),
        ("delete", "secrets"),
        ("update", "configmaps"),
        ("get", "pods"),
        ("create", "pods"),
        ("create", "deployments.apps"),
        ("create", "serviceaccounts"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
        ("update", "consumersystems.cpr-operator.dev"),
        ("delete", "cprsources.cpr-operator.dev"),
        ("update", "cprsubscriptions.cpr-operator.dev/status"),
        ("update", "leases.coordination.k8s.io/another"),
        ("delete", "leases.coordination.k8s.io/cpr-cpr-operator"),
    ] {
        assert!(!account.may(verb, resource, own).await, "{verb} {resource}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_of_the_cluster_extend_to_our_kinds_and_tools_ask_for_them() {
    let world = World::new("chart-roles").await;
    let mut installed = Installed::new(world, None, "rbac.aggregate=true").await;
    installed.world.settings.push("admin.operating_system_users=false".to_owned());
    installed.until_ready().await;
    let own = installed.namespace.clone();
    let consumers = "consumersystems.cpr-operator.dev";
    for (role, sees, writes, tools) in
        [("view", true, false, false), ("edit", true, true, false), ("admin", true, true, true)]
    {
        let person = person(&installed.world, role).await;
        // The roles are put together by a controller.
        let there = async || person.may("get", consumers, &own).await.then_some(());
        assert!(installed.world.until("aggregation", there).await.is_some(), "{role}");
        assert_eq!(person.may("get", consumers, &own).await, sees, "{role}");
        assert_eq!(person.may("delete", consumers, &own).await, writes, "{role}");
        let said = deliveries(&installed.world, &person).await;
        assert_eq!(said.code == Some(0), tools, "{role}: {said:?}");
        assert!(tools || said.err.contains("may not get consumersystems/deliveries"), "{role}: {said:?}");
    }
    installed.end().await;
}

/// A service account of the namespace, bound to one of the cluster's roles there.
async fn person(world: &World, role: &str) -> Account {
    let (client, namespace) = (&world.client, world.namespace.name());
    let account: ServiceAccount = serde_json::from_value(json!({ "metadata": { "name": role } })).unwrap();
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &account).await.unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": role },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": role, "namespace": namespace }],
    }))
    .unwrap();
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &binding).await.unwrap();
    Account::of(client, &kubeconfig(), namespace, role).await
}

async fn deliveries(world: &World, person: &Account) -> Said {
    let consumer = format!("{}/casework", world.namespace.name());
    let token = person.token_file();
    world.tool(&["deliveries", "--consumer", &consumer, "--token-file", token.to_str().unwrap()], "").await
}

/// Pods of both modes are accepted where only restricted ones are.
#[tokio::test]
async fn its_pods_keep_the_restricted_standard() {
    let client: Client = cluster::cluster().await;
    let own = cluster::namespace(&client, "restricted").await;
    let label = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.patch(own.name(), &Default::default(), &kube::api::Patch::Merge(&label)).await.unwrap();
    for values in ["mode=AllInOne", super::helm::CLUSTER] {
        let rendered = super::helm::objects(&super::helm::template(&["--set", values]).unwrap());
        let deployment = rendered.into_iter().find(|object| object["kind"] == "Deployment").unwrap();
        let mut spec = deployment["spec"]["template"]["spec"].clone();
        spec["serviceAccountName"] = json!("default");
        let pod = |spec: Value| serde_json::from_value(json!({ "metadata": { "name": "a" }, "spec": spec })).unwrap();
        let api: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), own.name());
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        api.create(&dry_run, &pod(spec.clone())).await.unwrap();
        spec["containers"][0]["securityContext"] = json!({});
        let refused = api.create(&dry_run, &pod(spec)).await.unwrap_err();
        assert!(refused.to_string().contains("violates PodSecurity"), "{refused}");
    }
}
