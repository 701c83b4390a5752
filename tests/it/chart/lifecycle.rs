//! A release from its installation to its end, on a control plane of its own: what stays, what goes, and what people changed.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::account::Account;
use super::helm::{RELEASE, Release, chart, helm, objects};
use crate::published::server::{CONSUMER, Mode, SOURCE, SUBSCRIPTION, Server, yaml};
use crate::support::cluster;
use crate::support::plane::Plane;

/// There are no nodes, so nothing is waited for that needs a pod.
const NO_PODS: &str = "replicaCount=0,persistence.enabled=false";

/// A control plane, a namespace in it, and the release there.
struct Site {
    plane: Plane,
    server: Server,
    release: Release,
}

impl Site {
    async fn new() -> Self {
        let plane = Plane::start().await;
        let namespace = cluster::namespace(&plane.client, "release").await;
        let release = Release::new(&plane.kubeconfig, namespace.name());
        Self { server: Server { client: plane.client.clone(), namespace }, plane, release }
    }

    fn namespace(&self) -> &str {
        self.server.namespace.name()
    }

    fn client(&self) -> Client {
        self.plane.client.clone()
    }

    fn install(&self, chart: &Path) -> Result<String, String> {
        self.release.apply(chart, &["--set", NO_PODS])
    }

    /// An object as it is now, if it is there.
    async fn get(&self, object: &Value) -> Option<Value> {
        let found = self.api(object).get_opt(object["metadata"]["name"].as_str().unwrap()).await.unwrap();
        found.map(|found| serde_json::to_value(found).unwrap())
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let version = object["apiVersion"].as_str().unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, object["kind"].as_str().unwrap()));
        match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client(), namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        }
    }

    /// Everything that the release has now, as it was rendered.
    fn manifest(&self) -> Vec<Value> {
        objects(&self.release.run(&["get", "manifest", RELEASE]).unwrap())
    }

    /// Versions of everything that the release has, by kind and name.
    async fn versions(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for object in self.manifest() {
            let now = self.get(&object).await.unwrap_or_else(|| panic!("{object} is not there"));
            let key = format!("{} {}", object["kind"], object["metadata"]["name"]);
            found.insert(key, now["metadata"]["resourceVersion"].as_str().unwrap().to_owned());
        }
        found
    }

    /// Changes an object as a person with an editor would.
    async fn edit(&self, object: &Value, patch: Value) {
        let by = PatchParams { field_manager: Some("a-person".to_owned()), ..PatchParams::default() };
        let name = object["metadata"]["name"].as_str().unwrap();
        self.api(object).patch(name, &by, &Patch::Merge(&patch)).await.unwrap();
    }

    fn of(&self, kind: &str, name: &str) -> Value {
        let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": self.namespace() } })
    }

    fn deployment(&self) -> Value {
        self.of("Deployment", "cpr-cpr-operator")
    }
}

/// The version before: a package with an object that is no more, without one that is new, and with poorer definitions.
fn previous(folder: &Path) -> PathBuf {
    let copy = folder.join("cpr-operator");
    copy_folder(&chart(), &copy);
    let change = |file: &str, from: &str, to: &str| {
        let path = copy.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    change("Chart.yaml", "version: 0.1.0", "version: 0.0.9");
    change("Chart.yaml", "appVersion: 0.1.0", "appVersion: 0.0.9");
    change("definitions/cprsources.yaml", "additionalPrinterColumns:", "additionalPrinterColumns: []\n    notThere:");
    let text = fs::read_to_string(copy.join("definitions/cprsources.yaml")).unwrap();
    let mut definition = yaml(&text);
    definition["spec"]["versions"][0].as_object_mut().unwrap().remove("notThere");
    fs::write(copy.join("definitions/cprsources.yaml"), definition.to_string()).unwrap();
    fs::remove_file(copy.join("templates/networkpolicy.yaml")).unwrap();
    let gone = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: gone, namespace: {{ .Release.Namespace }} }\n";
    fs::write(copy.join("templates/gone.yaml"), gone).unwrap();
    helm(&["package", copy.to_str().unwrap(), "--destination", folder.to_str().unwrap()]).unwrap();
    folder.join("cpr-operator-0.0.9.tgz")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_upgraded_rolled_back_and_ended_and_resources_stay() {
    let (site, folder) = (Site::new().await, TempDir::new().unwrap());
    site.install(&previous(folder.path())).unwrap();
    let resources = [SOURCE, CONSUMER, SUBSCRIPTION].map(yaml);
    let mut made = Vec::new();
    for resource in &resources {
        made.push(site.server.put(resource, Mode::Create).await.unwrap());
    }
    upgrade(&site).await;
    again(&site).await;
    roll_back(&site).await;
    site.install(&chart()).unwrap();
    end(&site).await;
    for resource in made {
        let now = site.get(&resource).await.expect("resources of our kinds stay");
        assert_eq!(now["metadata"]["uid"], resource["metadata"]["uid"]);
        assert_eq!(now["spec"], resource["spec"]);
    }
    come_back(&site).await;
    site.plane.stop().await;
}

/// What is old goes, what is new comes, and what a person added beside it stays.
async fn upgrade(site: &Site) {
    let columns = async || {
        let name = "cprsources.cpr-operator.dev";
        let kind = json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": name } });
        let found = site.get(&kind).await.unwrap();
        found["spec"]["versions"][0]["additionalPrinterColumns"].as_array().map_or(0, Vec::len)
    };
    let before = columns().await;
    assert!(site.get(&site.of("ConfigMap", "gone")).await.is_some());
    let person = json!({
        "metadata": { "annotations": { "example.org/owner": "a" }, "labels": { "example.org/cost": "b" } },
        "spec": { "revisionHistoryLimit": 3 },
    });
    site.edit(&site.deployment(), person).await;

    site.install(&chart()).unwrap();
    assert!(columns().await > before, "definitions are upgraded");
    assert!(site.get(&site.of("ConfigMap", "gone")).await.is_none());
    let deployment = site.get(&site.deployment()).await.unwrap();
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/version"], "0.1.0");
    assert_eq!(deployment["metadata"]["annotations"]["example.org/owner"], "a");
    assert_eq!(deployment["metadata"]["labels"]["example.org/cost"], "b");
    assert_eq!(deployment["spec"]["revisionHistoryLimit"], 3);
    assert!(site.manifest().iter().any(|object| object["kind"] == "NetworkPolicy"));
}

/// Another upgrade to the same writes nothing, so nobody else writes what is rendered.
async fn again(site: &Site) {
    let before = site.versions().await;
    site.install(&chart()).unwrap();
    assert_eq!(site.versions().await, before);
}

async fn roll_back(site: &Site) {
    site.release.run(&["rollback", RELEASE, "1", "--wait"]).unwrap();
    let deployment = site.get(&site.deployment()).await.unwrap();
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/version"], "0.0.9");
    assert!(site.get(&site.of("ConfigMap", "gone")).await.is_some());
    assert!(!site.manifest().iter().any(|object| object["kind"] == "NetworkPolicy"));
    assert_eq!(deployment["spec"]["revisionHistoryLimit"], 3);
}

/// All goes but the definitions.
async fn end(site: &Site) {
    let manifest = site.manifest();
    site.release.run(&["uninstall", RELEASE, "--wait"]).unwrap();
    let mut kept = 0;
    for object in manifest {
        let left = site.get(&object).await;
        let is_definition = object["kind"] == "CustomResourceDefinition";
        assert_eq!(left.is_some(), is_definition, "{} {}", object["kind"], object["metadata"]["name"]);
        kept += usize::from(is_definition);
    }
    assert!(kept > 2);
}

/// Under another name, with the definitions that the first one left.
async fn come_back(site: &Site) {
    let chart = chart();
    let arguments = ["install", "other", chart.to_str().unwrap(), "--set", NO_PODS, "--wait"];
    let refused = site.release.run(&arguments).unwrap_err();
    assert!(refused.contains("cpr-operator.dev") && refused.contains("meta.helm.sh/release-name"), "{refused}");
    site.release.run(&[&arguments[..], &["--take-ownership"]].concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_changed_in_a_field_of_the_chart_is_not_overwritten_unasked() {
    let site = Site::new().await;
    site.install(&chart()).unwrap();
    let person = json!({ "spec": { "template": { "spec": { "terminationGracePeriodSeconds": 5 } } } });
    site.edit(&site.deployment(), person).await;
    let grace = |now: &Value| now["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].clone();
    let refused = site.install(&chart()).unwrap_err();
    assert!(
        refused.contains("conflict with \"a-person\"") && refused.contains("terminationGracePeriodSeconds"),
        "{refused}"
    );
    assert_eq!(grace(&site.get(&site.deployment()).await.unwrap()), 5);
    site.release.apply(&chart(), &["--set", NO_PODS, "--force-conflicts"]).unwrap();
    assert_eq!(grace(&site.get(&site.deployment()).await.unwrap()), 90);
    rights_everywhere(&site).await;
    site.plane.stop().await;
}

/// The same release, following all namespaces.
async fn rights_everywhere(site: &Site) {
    let account = Account::of(&site.client(), &site.plane.kubeconfig, site.namespace(), "cpr-cpr-operator").await;
    let made: Namespace = serde_json::from_value(json!({ "metadata": { "name": "elsewhere" } })).unwrap();
    Api::all(site.client()).create(&Default::default(), &made).await.unwrap();
    let rights = async || {
        let mut found = Vec::new();
        for (verb, resource) in [
            ("list", "cprsources.cpr-operator.dev"),
            ("patch", "consumersystems.cpr-operator.dev/status"),
            ("get", "secrets"),
            ("create", "events.events.k8s.io"),
        ] {
            found.push(account.may(verb, resource, "elsewhere").await);
        }
        found
    };
    assert_eq!(rights().await, [false; 4]);
    site.release.apply(&chart(), &["--set", NO_PODS, "--set", "clusterWide=true"]).unwrap();
    // The API server learns of new roles a moment later.
    let began = Instant::now();
    while rights().await != [true; 4] {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", rights().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!account.may("create", "secrets", "elsewhere").await);
    assert!(!account.may("create", "leases.coordination.k8s.io", "elsewhere").await);
}
