//! An installation that makes workers: the operator, a tenant's namespace, and the platform's, in which workers run.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::delivery::verify;
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::operator::workers::names::{self, Role};
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::settings::workers::WorkerSettings;
use cpr_operator::store;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::steered::{Kind, Steered, within_patience};
use crate::support::cluster::{self, TestNamespace};
use crate::support::logins;
use crate::support::server::Server;

/// ConfigMap that owns everything.
pub const ANCHOR: &str = "release-anchor";

/// The installation.
pub struct Site {
    pub world: Steered,
    platform: TestNamespace,
    /// With the address of the server on which the store lies, if it does.
    folder: TempDir,
}

impl Site {
    /// One at work, without any resource.
    pub async fn new() -> Self {
        let mut site = Self::laid_out().await;
        site.world.start();
        site
    }

    /// The same with its store on a server, on which workers share a login.
    pub async fn on(server: &Server) -> Self {
        let mut site = Self::laid_out().await;
        // Another store leads from here on: if the first has come to lead, its claim goes.
        let leases: Api<Lease> = Api::namespaced(site.world.client.clone(), site.world.namespace());
        let _ = leases.delete("cpr-operator", &DeleteParams::default()).await;
        logins::make(&server.url()).await;
        let url_file = site.folder.path().join("url");
        std::fs::write(&url_file, server.url()).unwrap();
        let database = DatabaseSettings { url_file: Some(url_file), ..DatabaseSettings::default() };
        let path = site.folder.path().join("data");
        let settings = StoreSettings { path, root_key_file: None, accept_local_root_key: true, readers: 4 };
        let context = &mut site.world.context;
        context.store = store::open(&settings, &database, context.clock.now()).await.unwrap();
        context.database = database;
        let shared = server.url().replace("postgres@", "test_deliver:geheim@");
        let secret = json!({"metadata": {"name": "database"}, "stringData": {"url": shared}});
        let secret: Secret = serde_json::from_value(secret).unwrap();
        site.api::<Secret>().create(&PostParams::default(), &secret).await.unwrap();
        site.world.start();
        site
    }

    async fn laid_out() -> Self {
        let mut world = Steered::new().await;
        world.stop().await;
        let platform = cluster::namespace(&world.client, "platform").await;
        // Pods that do not keep the restricted standard would never come.
        let enforced = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        let namespaces: Api<Namespace> = Api::all(world.client.clone());
        namespaces.patch(platform.name(), &PatchParams::default(), &Patch::Merge(enforced)).await.unwrap();
        world.context.workers = settings(platform.name());
        let site = Self { world, platform, folder: TempDir::new().unwrap() };
        site.config_map(ANCHOR, json!({})).await;
        site.config_map("release-settings", json!({"settings.toml": ""})).await;
        site
    }

    /// One with a source, a consumer and a subscription, all taken in.
    pub async fn installed() -> Self {
        let site = Self::new().await;
        site.world.install_unready().await;
        site.prove("sample").await;
        site
    }

    /// Makes a ConfigMap in the platform's namespace.
    pub async fn config_map(&self, name: &str, data: Value) {
        let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": name}, "data": data})).unwrap();
        self.api::<ConfigMap>().create(&PostParams::default(), &map).await.unwrap();
    }

    /// The API of a kind in the platform's namespace.
    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.world.client.clone(), self.platform.name())
    }

    /// The worker of the tenant's consumer.
    pub fn deliver(&self, name: &str) -> String {
        names::worker(Role::Deliver, &self.world.key(name))
    }

    /// The worker of the tenant's source.
    pub fn ingest(&self, name: &str) -> String {
        names::worker(Role::Ingest, &self.world.key(name))
    }

    /// The worker that the tenant's consumers share.
    pub fn shared(&self) -> String {
        names::worker(Role::Deliver, &names::shared(self.world.namespace()))
    }

    /// Writes that a consumer's address has proved itself, as its worker does.
    pub async fn prove(&self, name: &str) {
        let mut tx = self.world.context.store.main.begin().await.unwrap();
        let row = store::consumer::find(&mut tx, &self.world.key(name)).await.unwrap().unwrap();
        let fingerprint = verify::fingerprint(&row.compiled.unwrap().delivery);
        let now = self.world.context.clock.now();
        store::consumer::write_verified(&mut tx, row.id, &fingerprint, now).await.unwrap();
        store::consumer::write_state(&mut tx, row.id, &super::super::steered::consumer_state()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Waits until an object of the platform's namespace fits.
    pub async fn until<K: Kind>(&self, name: &str, fits: impl Fn(&K) -> bool) -> K {
        let api = self.api::<K>();
        let mut last = None;
        let found = within_patience(async || {
            last = api.get_opt(name).await.unwrap();
            last.clone().filter(|object| fits(object))
        });
        let found = found.await;
        found.unwrap_or_else(|| panic!("{} {name} never came to be as wanted: {last:#?}", K::kind(&())))
    }

    /// Waits until an object is there.
    pub async fn until_made<K: Kind>(&self, name: &str) -> K {
        self.until(name, |_| true).await
    }

    /// Waits until there is no object of that name.
    pub async fn until_gone<K: Kind>(&self, name: &str) {
        let api = self.api::<K>();
        let gone = within_patience(async || api.get_opt(name).await.unwrap().is_none().then_some(())).await;
        gone.unwrap_or_else(|| panic!("{} {name} never went", K::kind(&())));
    }

    /// Waits until a Deployment is to have so many replicas.
    pub async fn until_scaled(&self, name: &str, replicas: i32) -> Deployment {
        self.until(name, |deployment: &Deployment| deployment.spec.replicas == Some(replicas)).await
    }

    /// Says of every pod of a worker that it is ready, as the kubelet does.
    pub async fn make_ready(&self, name: &str) {
        let api = self.api::<Pod>();
        let list = ListParams::default().labels(&format!("{}={name}", names::WORKER));
        let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        for pod in api.list(&list).await.unwrap() {
            let patched = api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&ready)).await;
            assert!(patched.is_ok() || matches!(&patched, Err(kube::Error::Api(s)) if s.is_not_found()), "{patched:?}");
        }
    }

    /// Keeps saying so until a Deployment counts that many ready pods of its present form and no other pods.
    pub async fn until_ready(&self, name: &str, replicas: i32) {
        let done = within_patience(async || {
            self.make_ready(name).await;
            let deployment = self.api::<Deployment>().get_opt(name).await.unwrap()?;
            let status = deployment.status.unwrap_or_default();
            let counts = [status.replicas, status.updated_replicas, status.ready_replicas];
            let is_seen = status.observed_generation == deployment.metadata.generation;
            (is_seen && counts == [Some(replicas); 3]).then_some(())
        });
        done.await.unwrap_or_else(|| panic!("{name} was never ready"));
    }

    /// What tells whether anything was written: of each object its name with uid, version and generation.
    pub async fn versions(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        self.note::<ServiceAccount>(&mut all).await;
        self.note::<Secret>(&mut all).await;
        self.note::<NetworkPolicy>(&mut all).await;
        self.note::<Deployment>(&mut all).await;
        self.note::<PodDisruptionBudget>(&mut all).await;
        all
    }

    async fn note<K: Kind>(&self, all: &mut BTreeMap<String, String>) {
        let list = ListParams::default().labels(&names::selector(ANCHOR));
        for object in self.api::<K>().list(&list).await.unwrap() {
            let ObjectMeta { uid, resource_version, generation, .. } = object.meta();
            let name = format!("{} {}", K::kind(&()), object.name_any());
            all.insert(name, format!("{uid:?} {resource_version:?} {generation:?}"));
        }
    }

    /// Waits until nothing has been written for a while, and gives what there is.
    pub async fn until_quiet(&self) -> BTreeMap<String, String> {
        let mut last = self.versions().await;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(600)).await;
            let now = self.versions().await;
            if now == last {
                return now;
            }
            last = now;
        }
    }

    /// The operator's metrics as text.
    pub fn metrics(&self) -> String {
        let mut registry = Registry::default();
        self.world.context.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    /// A metric by its line up to the value.
    pub fn metric(&self, line: &str) -> Option<i64> {
        let text = self.metrics();
        text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok())
    }

    /// How often the operator asked for something to be patched.
    pub fn patches(&self) -> i64 {
        let text = self.metrics();
        let lines = text.lines().filter(|line| line.contains(r#"method="PATCH""#));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum()
    }

    /// `status.workers` of a consumer, as desired and ready.
    pub async fn counted(&self, name: &str) -> Option<(i32, i32)> {
        let status = self.world.api::<ConsumerSystem>().get(name).await.unwrap().status?;
        status.workers.map(|workers| (workers.desired, workers.ready))
    }
}

/// What a worker's Secret holds for a resource, if it holds anything.
pub fn file(secret: &Secret, of: &ResourceKey) -> Option<String> {
    let content = secret.data.as_ref()?.get(&format!("{}_{}.json", of.namespace, of.name))?;
    Some(String::from_utf8(content.0.clone()).unwrap())
}

/// The arguments of a Deployment's pods.
pub fn args(deployment: &Deployment) -> Vec<String> {
    container(deployment)["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

/// The image of a Deployment's pods.
pub fn image(deployment: &Deployment) -> String {
    container(deployment)["image"].as_str().unwrap().to_owned()
}

fn container(deployment: &Deployment) -> Value {
    serde_json::to_value(&deployment.spec.template.spec.as_ref().unwrap().containers[0]).unwrap()
}

/// Names of those who own an object.
pub fn owners<K: Kind + Debug>(object: &K) -> Vec<String> {
    let owners = object.meta().owner_references.iter().flatten();
    owners.map(|owner| format!("{} {}", owner.kind, owner.name)).collect()
}

fn settings(platform: &str) -> WorkerSettings {
    WorkerSettings {
        image: "registry.example.org/cpr-operator:1".into(),
        namespace: platform.to_owned(),
        anchor: ANCHOR.into(),
        settings_config_map: "release-settings".into(),
        database_secret: "database".into(),
        root_key_secret: "root-key".into(),
        ..WorkerSettings::default()
    }
}
