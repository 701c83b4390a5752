//! The operator with a store of its own and a namespace of its own; the stages that it works with are played by the test.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::delivery::credentials::SigningBook;
use cpr_operator::domain::compiled;
use cpr_operator::domain::field_group::FieldGroup;
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::ingest::credentials::CredentialBook;
use cpr_operator::operator::connect::ClusterConfig;
use cpr_operator::operator::metrics::Metrics;
use cpr_operator::operator::{self, Context};
use cpr_operator::runtime::bell::Bells;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::lists::ListSettings;
use cpr_operator::settings::network::NetworkSettings;
use cpr_operator::settings::operator::OperatorSettings;
use cpr_operator::settings::register::RegisterSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::settings::workers::WorkerSettings;
use cpr_operator::store::consumer::{ConsumerState, EndpointState, SendingState};
use cpr_operator::store::source::{Contact, FeedState, SchemaState, SourceState};
use cpr_operator::store::{self, Store};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::cluster::{self, TestNamespace};

/// A signing secret of nobody.
pub const WHSEC: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// How long anything may take that a test waits for; a bound for failing, never a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kinds that tests handle.
pub trait Kind: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned {}

impl<K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned> Kind for K {}

/// The operator at work.
pub struct Steered {
    pub client: Client,
    pub context: Context,
    cluster: ClusterConfig,
    namespace: TestNamespace,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    _folder: TempDir,
}

impl Steered {
    /// An operator at work on an empty store, in an empty namespace.
    pub async fn new() -> Self {
        Self::on(cluster::cluster().await, ClusterConfig::Inferred).await
    }

    /// The same on the cluster of this client, which the operator reaches by `cluster`.
    pub async fn on(client: Client, cluster: ClusterConfig) -> Self {
        let namespace = cluster::namespace(&client, "operator").await;
        let clock = Clock::by_hand(jiff::Timestamp::now());
        let (folder, store) = new_store(&clock).await;
        let context = Context {
            store,
            clock,
            signing: SigningBook::default(),
            access: Default::default(),
            credentials: CredentialBook::default(),
            bells: Bells::default(),
            settings: settings(namespace.name()),
            network: NetworkSettings { allowed_networks: vec![] },
            workers: WorkerSettings::default(),
            database: DatabaseSettings::default(),
            lists: ListSettings { additions_per_hour: 200_000, unknown_per_hour: 500 },
            register: register_settings(),
            accept_local_root_key: true,
            metrics: Metrics::default(),
        };
        let mut new = Self { client, context, cluster, namespace, running: None, _folder: folder };
        new.start();
        new
    }

    /// Starts the operator.
    pub fn start(&mut self) {
        self.running = Some(start_on(&self.context, self.cluster.clone()));
    }

    /// Stops it and waits until it has given the Lease back.
    pub async fn stop(&mut self) {
        let (stop, running) = self.running.take().expect("it runs");
        stop.cancel();
        running.await.unwrap();
    }

    /// Name of the namespace.
    pub fn namespace(&self) -> &str {
        self.namespace.name()
    }

    /// The key of a resource.
    pub fn key(&self, name: &str) -> ResourceKey {
        ResourceKey::new(self.namespace(), name)
    }

    /// The API of a kind in the namespace.
    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    /// The same API for objects that may not be readable as what they are.
    pub fn dynamic<K: Kind>(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), self.namespace(), &ApiResource::erase::<K>(&()))
    }

    /// Applies a resource.
    pub async fn apply<K: Kind>(&self, name: &str, spec: Value) {
        let body =
            json!({"apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec});
        self.dynamic::<K>().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&body)).await.unwrap();
    }

    /// Applies a Secret with or without the label; it holds these keys alone.
    pub async fn secret(&self, name: &str, label: Option<&str>, data: Value) {
        let labels = label.map_or(json!({}), |label| json!({"cpr-operator.dev/use": label}));
        let metadata = json!({"name": name, "labels": labels});
        // As data: keys of stringData would stay when they are left out.
        let encoded = data.as_object().unwrap().iter().map(|(k, v)| (k, BASE64_STANDARD.encode(v.as_str().unwrap())));
        let data: BTreeMap<_, _> = encoded.collect();
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
        self.api::<Secret>().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&body)).await.unwrap();
    }

    /// Deletes an object.
    pub async fn delete<K: Kind>(&self, name: &str) {
        self.api::<K>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until a condition of the present generation shows this status and reason, and gives its message.
    pub async fn until<K: Kind + serde::Serialize>(&self, name: &str, type_: &str, expected: &str) -> String {
        self.shown::<K>(name, type_, expected, Duration::ZERO).await
    }

    /// The same while the clock runs, for what is looked for now and then.
    pub async fn until_found<K: Kind + serde::Serialize>(&self, name: &str, type_: &str, expected: &str) -> String {
        self.shown::<K>(name, type_, expected, Duration::from_secs(16)).await
    }

    async fn shown<K: Kind + serde::Serialize>(
        &self,
        name: &str,
        type_: &str,
        expected: &str,
        meanwhile: Duration,
    ) -> String {
        let mut last = Value::Null;
        let found = within_patience(async || {
            self.context.clock.advance(meanwhile);
            last = serde_json::to_value(self.api::<K>().get(name).await.unwrap()).unwrap();
            let generation = &last["metadata"]["generation"];
            let all = last["status"]["conditions"].as_array()?;
            let found = all.iter().find(|c| c["type"] == type_ && c["observedGeneration"] == *generation)?;
            let shown = format!("{} {}", found["status"].as_str()?, found["reason"].as_str()?);
            (shown == expected).then(|| found["message"].as_str().unwrap_or_default().to_owned())
        })
        .await;
        found.unwrap_or_else(|| panic!("{name} {type_}: {expected} never came\n{:#}", last["status"]))
    }

    /// The compiled form of a live subscription.
    pub async fn compiled(&self, name: &str) -> Option<compiled::Subscription> {
        let mut conn = self.context.store.main.read().await.unwrap();
        let row = store::subscription::find(&mut conn, &self.key(name)).await.unwrap();
        row.filter(|row| row.ended_at.is_none())?.compiled
    }

    /// Source, consumer, subscription and their Secrets, taken in, with stages that found nothing wrong.
    pub async fn install(&self) {
        self.install_unready().await;
        self.until::<CprSource>("register", "Ready", "True Succeeded").await;
        self.until::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
        self.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    }

    /// The same without waiting until all is well.
    pub async fn install_unready(&self) {
        self.secret("client", Some("source"), json!({"clientId": "a", "clientSecret": "canary"})).await;
        self.secret("signing", Some("signing"), json!({"a": WHSEC})).await;
        self.apply::<CprSource>("register", source()).await;
        self.apply::<ConsumerSystem>("sample", consumer(&["Number", "Name", "Status"])).await;
        self.apply::<CprSubscription>("clients", subscription(&self.day(100))).await;
        self.until::<CprSubscription>("clients", "ReferencesResolved", "True Resolved").await;
        self.play_stages().await;
    }

    /// Writes what ingest and delivery write when all is well.
    pub async fn play_stages(&self) {
        let mut tx = self.context.store.main.begin().await.unwrap();
        let source = store::source::find(&mut tx, &self.key("register")).await.unwrap().unwrap();
        store::source::write_state(&mut tx, source.id, &source_state()).await.unwrap();
        let consumer = store::consumer::find(&mut tx, &self.key("sample")).await.unwrap().unwrap();
        store::consumer::write_state(&mut tx, consumer.id, &consumer_state()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The date so many days after the present.
    pub fn day(&self, days: i64) -> String {
        self.context.clock.today().saturating_add(jiff::Span::new().days(days)).to_string()
    }

    /// Turns the clock.
    pub fn pass(&self, days: u64) {
        self.context.clock.advance(Duration::from_secs(days * 86_400));
    }
}

/// Asks again and again until there is an answer; none when patience ends.
pub async fn within_patience<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    None
}

/// Starts an operator.
pub fn start(context: &Context) -> (CancellationToken, JoinHandle<()>) {
    start_on(context, ClusterConfig::Inferred)
}

fn start_on(context: &Context, cluster: ClusterConfig) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(operator::run(context.clone(), cluster, stop)))
}

/// A store with an id of its own.
pub async fn new_store(clock: &Clock) -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let settings = StoreSettings { path, root_key_file: None, accept_local_root_key: true, readers: 4 };
    let store =
        store::open(&settings, &crate::support::database::settings(&settings.path).await, clock.now()).await.unwrap();
    (folder, store)
}

fn settings(namespace: &str) -> OperatorSettings {
    OperatorSettings {
        enabled: true,
        namespaces: vec![namespace.to_owned()],
        lease_namespace: namespace.to_owned(),
        lease_name: "cpr-operator".into(),
        lease_duration: Duration::from_secs(15),
        concurrency: 4,
        resync: Duration::from_secs(600),
        status_interval: Duration::from_secs(600),
        status_writes_per_second: 2,
    }
}

fn register_settings() -> RegisterSettings {
    RegisterSettings {
        requests_per_second: 20,
        timeout: Duration::from_secs(20),
        page_size: 100,
        batch: 100,
        schema_max_age: Duration::from_secs(3600),
        circuit_failures: 5,
        circuit_max: Duration::from_secs(60),
    }
}

/// What ingest finds where all is well.
pub fn source_state() -> SourceState {
    let offered = FieldGroup::ALL.into_iter().collect();
    SourceState {
        contact: Some(Contact {
            reason: "Succeeded".into(),
            message: String::new(),
            reached: true,
            accepted: Some(true),
        }),
        import: Some(310),
        schema: Some(SchemaState { read: true, offered, message: String::new() }),
        feed: Some(FeedState { reason: "Healthy".into(), message: "fine".into() }),
        lookup_by_person_id: Some(true),
        unread: 0,
        ..SourceState::default()
    }
}

/// What delivery finds where all is well.
pub fn consumer_state() -> ConsumerState {
    ConsumerState {
        endpoint: Some(EndpointState { verified: true, reason: "Verified".into(), message: String::new() }),
        sending: Some(SendingState { reason: "Delivering".into(), message: String::new() }),
        strained: false,
        dead_letters: false,
        backlog_expiring: false,
    }
}

/// The smallest source.
pub fn source() -> Value {
    let endpoints = json!({"graphql": "http://127.0.0.1:1", "auth": "http://127.0.0.1:2"});
    json!({"environment": "Test", "datafordeler": {"endpoints": endpoints, "credentialsRef": {"name": "client"}}})
}

/// The smallest consumer that may have these groups.
pub fn consumer(fields: &[&str]) -> Value {
    json!({
        "displayName": "Sample",
        "owner": {"organisation": "Example", "cvr": "00000000", "contact": "it@example.org"},
        "sector": "Public", "environment": "Test",
        "purposes": [{"id": "case-work", "legalBases": ["GDPR-6-1-e"], "description": "Case work"}],
        "fields": fields, "protectedPersons": "Mask",
        "delivery": {"url": "http://127.0.0.1:1/events", "signingSecretRef": {"name": "signing"}},
    })
}

/// The smallest subscription that gives something, to be reviewed at a date.
pub fn subscription(review: &str) -> Value {
    json!({
        "sourceRef": {"name": "register"}, "consumerRef": {"name": "sample"}, "purpose": "case-work",
        "select": {"municipalities": ["0851"]},
        "payload": {"level": "Fields", "fields": ["Name"]},
        "reviewBy": review,
    })
}
