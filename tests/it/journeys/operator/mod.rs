//! The operator against a real API server: manifests become rows, credentials and conditions, and go again.
#![expect(clippy::unwrap_used, reason = "tests")]

mod conditions;
mod given;
mod leading;
mod life;
mod record;
mod rights;
mod secrets;
mod unreadable;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::names::USE_LABEL;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::delivery::credentials::SigningBook;
use cpr_operator::domain::compiled::Subscription;
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::ingest::credentials::CredentialBook;
use cpr_operator::operator::connect::ClusterConfig;
use cpr_operator::operator::metrics::Metrics;
use cpr_operator::operator::{self, Context};
use cpr_operator::runtime::bell::Bells;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::settings::network::NetworkSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store::consumer::ConsumerState;
use cpr_operator::store::source::SourceState;
use cpr_operator::store::subscription::SubscriptionRow;
use cpr_operator::store::{self, Store};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::{ByteString, NamespaceResourceScope};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::{Api, Client, Resource};
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::cluster::{self, TestNamespace};

/// How long anything may take that a test waits for; a bound for failing, never a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A kind of object that lives in a namespace.
trait Kind: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned {}

impl<K> Kind for K where K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{}

/// A namespace, a store, a clock, and the operator on them. Of the other stages there is only what they leave in the store.
struct World {
    client: Client,
    namespace: Arc<TestNamespace>,
    context: Context,
    registry: Registry,
    folder: TempDir,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl World {
    /// A world in which the operator runs and has nothing to do.
    async fn new() -> Self {
        let client = cluster::cluster().await;
        let namespace = Arc::new(cluster::namespace(&client, "operator").await);
        let mut world = Self::on(client, namespace).await;
        world.start();
        world
    }

    /// A second world in the same namespace with a store of its own, in which nothing runs yet.
    async fn beside(&self) -> Self {
        Self::on(self.client.clone(), Arc::clone(&self.namespace)).await
    }

    async fn on(client: Client, namespace: Arc<TestNamespace>) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::by_hand(Timestamp::now()));
        let mut registry = Registry::default();
        let context = Context {
            store: open(&folder, &clock).await,
            clock,
            signing: SigningBook::default(),
            credentials: CredentialBook::default(),
            bells: Bells::default(),
            settings: given::settings(namespace.name()),
            network: NetworkSettings { allowed_networks: vec![] },
            accept_local_root_key: true,
            metrics: Metrics::register(&mut registry),
        };
        Self { client, namespace, context, registry, folder, running: None }
    }

    /// A world in which a source, a consumer and a subscription were applied, their Secrets are there, and the references
    /// were found. The other stages have found nothing yet.
    async fn installed() -> Self {
        let world = Self::new().await;
        world.secret("client", Some("source"), given::CREDENTIALS).await;
        world.secret("signing", Some("signing"), &[("first", given::SIGNING)]).await;
        world.apply::<CprSource>("register", given::source("client")).await;
        world.apply::<ConsumerSystem>("sample", given::consumer(given::FIELDS)).await;
        world.apply::<CprSubscription>("clients", given::subscription(world.days_ahead(100))).await;
        world.wait::<CprSubscription>("clients", "ReferencesResolved", "True Resolved").await;
        world
    }

    /// The same, with findings of the other stages that are as they should be: all three are ready.
    async fn ready() -> Self {
        let world = Self::installed().await;
        world.register_found(given::register_works()).await;
        world.receiver_found(given::receiver_works()).await;
        world.wait::<CprSource>("register", "Ready", "True Succeeded").await;
        world.wait::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
        world.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
        world
    }

    fn start(&mut self) {
        let stop = CancellationToken::new();
        let operator = operator::run(self.context.clone(), ClusterConfig::Inferred, stop.clone());
        self.running = Some((stop, tokio::spawn(operator)));
    }

    async fn stop(&mut self) {
        let (stop, operator) = self.running.take().unwrap();
        stop.cancel();
        operator.await.unwrap();
    }

    fn key(&self, name: &str) -> ResourceKey {
        ResourceKey::new(self.namespace.name(), name)
    }

    /// The date so many days from now by the world's clock.
    fn days_ahead(&self, days: i64) -> Date {
        self.context.clock.today().saturating_add(days.days())
    }

    fn pass_days(&self, days: u64) {
        self.context.clock.advance(Duration::from_secs(days * 24 * 3600));
    }
}

/// What users do with objects.
impl World {
    fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    async fn apply<K: Kind>(&self, name: &str, spec: Value) {
        let (version, kind) = (K::api_version(&()), K::kind(&()));
        let manifest = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name }, "spec": spec });
        self.apply_whole::<K>(name, &manifest).await;
    }

    /// Makes a Secret what is given; a label or key that is left out goes.
    async fn secret(&self, name: &str, usage: Option<&str>, data: &[(&str, &str)]) {
        let labels = usage.map(|usage| BTreeMap::from([(USE_LABEL.to_owned(), usage.to_owned())]));
        let metadata = ObjectMeta { name: Some(name.to_owned()), labels, ..ObjectMeta::default() };
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), bytes(text))).collect();
        self.apply_whole::<Secret>(name, &Secret { metadata, data: Some(data), ..Secret::default() }).await;
    }

    async fn apply_whole<K: Kind>(&self, name: &str, manifest: &(impl serde::Serialize + Debug)) {
        let params = PatchParams::apply("a-platform-team").force();
        self.api::<K>().patch(name, &params, &Patch::Apply(manifest)).await.expect("the manifest is accepted");
    }

    async fn annotate<K: Kind>(&self, name: &str, annotation: &str, value: &str) {
        let patch = json!({ "metadata": { "annotations": { annotation: value } } });
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    async fn delete<K: Kind>(&self, name: &str) {
        self.api::<K>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    async fn get<K: Kind + serde::Serialize>(&self, name: &str) -> Value {
        serde_json::to_value(self.api::<K>().get(name).await.unwrap()).unwrap()
    }
}

/// What the other stages leave in the store, and what they find there.
impl World {
    async fn register_found(&self, state: SourceState) {
        let mut tx = self.context.store.main.begin().await.unwrap();
        let row = store::source::find(&mut tx, &self.key("register")).await.unwrap().unwrap();
        store::source::write_state(&mut tx, row.id, &state).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn receiver_found(&self, state: ConsumerState) {
        let mut tx = self.context.store.main.begin().await.unwrap();
        let row = store::consumer::find(&mut tx, &self.key("sample")).await.unwrap().unwrap();
        store::consumer::write_state(&mut tx, row.id, &state).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn row(&self, name: &str) -> Option<SubscriptionRow> {
        let mut conn = self.context.store.main.read().await.unwrap();
        store::subscription::find(&mut conn, &self.key(name)).await.unwrap()
    }

    /// The form by which a subscription gives something; none where it has ended or gives nothing.
    async fn live(&self, name: &str) -> Option<Subscription> {
        self.row(name).await.filter(|row| row.ended_at.is_none())?.compiled
    }

    async fn source_names(&self) -> Vec<String> {
        let mut conn = self.context.store.main.read().await.unwrap();
        store::source::all(&mut conn).await.unwrap().into_iter().map(|row| row.key.name).collect()
    }
}

/// Waiting and counting.
impl World {
    /// Waits until a condition of the present generation has this status and reason; gives its message.
    async fn wait<K: Kind + serde::Serialize>(&self, name: &str, type_: &str, expected: &str) -> String {
        let began = Instant::now();
        loop {
            let object = self.get::<K>(name).await;
            let found = condition(&object, type_);
            if found.as_ref().is_some_and(|c| format!("{} {}", c.status, c.reason) == expected) {
                return found.unwrap().message;
            }
            let status = &object["status"];
            assert!(began.elapsed() < PATIENCE, "{name}: {type_} is not {expected}: {found:?}\n{status:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until something holds.
    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the operator says of itself.
    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// The sum over a metric's series that have a label.
    fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.metrics();
        let series = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
        series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    }

    /// How often each kind was looked at.
    fn looks(&self) -> [u64; 3] {
        ["cprsource", "consumersystem", "cprsubscription"]
            .map(|kind| self.metric("controller_runtime_reconcile_total", &format!("controller=\"{kind}\"")))
    }

    /// Has every resource looked at once more, by the clock or for its Secret, and waits until that is over.
    async fn look_again(&self) {
        let before = self.looks();
        self.context.clock.advance(self.context.settings.status_interval * 2);
        self.annotate::<Secret>("client", "touched", &self.context.clock.now().to_string()).await;
        let all = async || self.looks().iter().zip(before).all(|(now, before)| *now > before);
        self.until("all are looked at again", all).await;
    }
}

async fn open(folder: &TempDir, clock: &Clock) -> Store {
    let path = folder.path().join("data");
    let settings = StoreSettings { path, root_key_file: None, accept_local_root_key: true, readers: 4 };
    store::open(&settings, clock.now()).await.unwrap()
}

/// A condition that speaks of the present generation.
fn condition(object: &Value, type_: &str) -> Option<Condition> {
    let all: Vec<Condition> = serde_json::from_value(object["status"]["conditions"].clone()).unwrap_or_default();
    let generation = object["metadata"]["generation"].as_i64();
    all.into_iter().find(|condition| condition.type_ == type_ && condition.observed_generation == generation)
}
