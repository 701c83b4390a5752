//! The operator against a real API server: a manifest becomes rows, credentials and conditions, and back.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::delivery::credentials::SigningBook;
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::ingest::credentials::CredentialBook;
use cpr_operator::operator::connect::ClusterConfig;
use cpr_operator::operator::metrics::Metrics;
use cpr_operator::operator::{self, Context};
use cpr_operator::runtime::bell::Bells;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::settings::network::NetworkSettings;
use cpr_operator::settings::operator::OperatorSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store;
use cpr_operator::store::consumer::{ConsumerState, EndpointState, SendingState};
use cpr_operator::store::source::{Contact, FeedState, SchemaState, SourceState};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::object::HasStatus;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::cluster;

struct World {
    client: Client,
    ns: cluster::TestNamespace,
    context: Context,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
    registry: prometheus_client::registry::Registry,
}

async fn world() -> World {
    let client = cluster::cluster().await;
    let ns = cluster::namespace(&client, "op").await;
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::by_hand(jiff::Timestamp::now());
    let settings =
        StoreSettings { path: folder.path().join("s"), root_key_file: None, accept_local_root_key: true, readers: 4 };
    let store = store::open(&settings, clock.now()).await.unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    let context = Context {
        store,
        clock,
        signing: SigningBook::default(),
        credentials: CredentialBook::default(),
        bells: Bells::default(),
        settings: OperatorSettings {
            enabled: true,
            namespaces: vec![ns.name().to_owned()],
            lease_namespace: ns.name().to_owned(),
            lease_name: "cpr-operator".into(),
            lease_duration: Duration::from_secs(15),
            concurrency: 4,
            resync: Duration::from_secs(600),
            status_interval: Duration::from_secs(600),
            status_writes_per_second: 2,
        },
        network: NetworkSettings { allowed_networks: vec![] },
        accept_local_root_key: true,
        metrics: Metrics::register(&mut registry),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(operator::run(context.clone(), ClusterConfig::Inferred, stop.clone()));
    World { client, ns, context, stop, running, _folder: folder, registry }
}

impl World {
    fn api<K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.ns.name())
    }
    fn key(&self, name: &str) -> ResourceKey {
        ResourceKey::new(self.ns.name(), name)
    }
    async fn apply<K>(&self, name: &str, spec: Value)
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let body =
            json!({"apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec});
        self.api::<K>().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&body)).await.unwrap();
    }
    async fn secret(&self, name: &str, label: Option<&str>, data: Value) {
        let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": label.map(|l| json!({"cpr-operator.dev/use": l}))}, "stringData": data});
        let _ = self.api::<Secret>().delete(name, &DeleteParams::default()).await;
        self.api::<Secret>().create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
    }
    async fn wait<K>(&self, name: &str, type_: &str, expected: &str)
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + HasStatus
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + serde::Serialize,
    {
        let began = std::time::Instant::now();
        loop {
            let object = serde_json::to_value(self.api::<K>().get(name).await.unwrap()).unwrap();
            let generation = object["metadata"]["generation"].clone();
            let found = object["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|c| c["type"] == type_ && c["observedGeneration"] == generation)
                .map(|c| format!("{} {}", c["status"].as_str().unwrap(), c["reason"].as_str().unwrap()));
            if found.as_deref() == Some(expected) {
                println!("{:>6} ms  {name} {type_} {expected}", began.elapsed().as_millis());
                return;
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{name} {type_}: wanted {expected}, have {found:?}\n{:#}",
                object["status"]
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    async fn until(&self, what: &str, check: impl AsyncFn() -> bool) {
        let began = std::time::Instant::now();
        while !check().await {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!("{:>6} ms  {what}", began.elapsed().as_millis());
    }
    async fn compiled(&self, name: &str) -> Option<cpr_operator::domain::compiled::Subscription> {
        let mut conn = self.context.store.main.read().await.unwrap();
        store::subscription::find(&mut conn, &self.key(name)).await.unwrap().filter(|r| r.ended_at.is_none())?.compiled
    }
}

fn source() -> Value {
    json!({"environment": "Test", "datafordeler": {"endpoints": {"graphql": "http://127.0.0.1:1", "auth": "http://127.0.0.1:2"}, "credentialsRef": {"name": "client"}}})
}
fn consumer(fields: Value) -> Value {
    json!({"displayName": "Sample", "owner": {"organisation": "Example", "cvr": "12345678", "contact": "it@example.org"},
        "sector": "Public", "environment": "Test",
        "purposes": [{"id": "case-work", "legalBases": ["GDPR-6-1-e"], "description": "Case work"}],
        "fields": fields, "protectedPersons": "Mask",
        "delivery": {"url": "http://127.0.0.1:1/events", "signingSecretRef": {"name": "signing"}}})
}
fn subscription(review: &str) -> Value {
    json!({"sourceRef": {"name": "register"}, "consumerRef": {"name": "sample"}, "purpose": "case-work",
        "select": {"municipalities": ["0851"]}, "payload": {"level": "Fields", "fields": ["Name"]}, "reviewBy": review})
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_become_rows_and_conditions_and_go() {
    let w = world().await;
    let today = w.context.clock.today();
    let review = today.saturating_add(jiff::Span::new().days(100)).to_string();
    w.apply::<CprSubscription>("clients", subscription(&review)).await;
    w.wait::<CprSubscription>("clients", "Ready", "False SourceNotFound").await;
    w.apply::<CprSource>("register", source()).await;
    w.wait::<CprSource>("register", "SecretsResolved", "False SecretNotFound").await;
    w.wait::<CprSubscription>("clients", "Ready", "False ConsumerNotFound").await;
    w.apply::<ConsumerSystem>("sample", consumer(json!(["Number", "Name", "Status"]))).await;
    w.wait::<CprSubscription>("clients", "ReferencesResolved", "True Resolved").await;
    assert!(w.compiled("clients").await.is_some());
    w.secret("client", None, json!({"clientId": "a", "clientSecret": "canary"})).await;
    w.secret("client", Some("source"), json!({"clientId": "a"})).await;
    w.wait::<CprSource>("register", "SecretsResolved", "False KeyMissing").await;
    w.secret("client", Some("source"), json!({"clientId": "a", "clientSecret": "canary"})).await;
    w.wait::<CprSource>("register", "SecretsResolved", "True Resolved").await;
    assert!(w.context.credentials.get(&w.key("register")).is_some());
    let whsec = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    w.secret("signing", Some("signing"), json!({"a": whsec})).await;
    w.wait::<ConsumerSystem>("sample", "SecretsResolved", "True Resolved").await;
    assert_eq!(w.context.signing.get(&w.key("sample")).unwrap().secrets.len(), 1);
    w.api::<Secret>()
        .patch("signing", &PatchParams::default(), &Patch::Merge(json!({"stringData": {"b": "whsec_bad"}})))
        .await
        .unwrap();
    w.wait::<ConsumerSystem>("sample", "SecretsResolved", "False KeyMalformed").await;
    assert!(w.context.signing.get(&w.key("sample")).is_some());
    w.api::<Secret>()
        .patch("signing", &PatchParams::default(), &Patch::Merge(json!({"data": {"b": null}})))
        .await
        .unwrap();
    w.wait::<ConsumerSystem>("sample", "SecretsResolved", "True Resolved").await;

    // Stage findings.
    let mut tx = w.context.store.main.begin().await.unwrap();
    let id = store::source::find(&mut tx, &w.key("register")).await.unwrap().unwrap().id;
    let state = SourceState {
        contact: Some(Contact {
            reason: "Succeeded".into(),
            message: String::new(),
            reached: true,
            accepted: Some(true),
        }),
        import: Some(310),
        schema: Some(SchemaState {
            read: true,
            offered: FieldGroup::ALL.into_iter().collect(),
            message: "read".into(),
        }),
        feed: Some(FeedState { reason: "Healthy".into(), message: "fine".into() }),
        lookup_by_person_id: Some(true),
        unread: 0,
    };
    store::source::write_state(&mut tx, id, &state).await.unwrap();
    let id = store::consumer::find(&mut tx, &w.key("sample")).await.unwrap().unwrap().id;
    let state = ConsumerState {
        endpoint: Some(EndpointState { verified: true, reason: "Verified".into(), message: String::new() }),
        sending: Some(SendingState { reason: "Delivering".into(), message: String::new() }),
        dead_letters: false,
        backlog_expiring: false,
    };
    store::consumer::write_state(&mut tx, id, &state).await.unwrap();
    tx.commit().await.unwrap();
    w.wait::<CprSource>("register", "Ready", "True Succeeded").await;
    w.wait::<ConsumerSystem>("sample", "Ready", "True Succeeded").await;
    w.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;

    // Steady: no writes, even when asked by resync of everything.
    let versions = async || {
        (
            w.api::<CprSource>().get("register").await.unwrap().resource_version(),
            w.api::<ConsumerSystem>().get("sample").await.unwrap().resource_version(),
            w.api::<CprSubscription>().get("clients").await.unwrap().resource_version(),
        )
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = versions().await;
    w.context.clock.advance(Duration::from_secs(1300));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(before, versions().await);

    // Asked by annotation.
    w.api::<CprSource>()
        .patch(
            "register",
            &PatchParams::default(),
            &Patch::Merge(json!({"metadata": {"annotations": {"cpr-operator.dev/reconcile-at": "now"}}})),
        )
        .await
        .unwrap();
    w.until("annotation answered", async || {
        w.api::<CprSource>().get("register").await.unwrap().status.unwrap().last_handled_reconcile_at.as_deref()
            == Some("now")
    })
    .await;

    // Narrowed consumer: the subscription asks too much now; what is kept gives no more.
    w.apply::<ConsumerSystem>("sample", consumer(json!(["Number", "Status"]))).await;
    w.wait::<CprSubscription>("clients", "ReferencesResolved", "False FieldsNotGranted").await;
    let kept = w.compiled("clients").await.unwrap();
    assert_eq!(kept.fields, GroupSet::EMPTY);
    w.apply::<ConsumerSystem>("sample", consumer(json!(["Number", "Name", "Status"]))).await;
    w.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;

    // Too late a review.
    w.apply::<CprSubscription>("clients", subscription("2099-01-01")).await;
    w.wait::<CprSubscription>("clients", "Stalled", "True ReviewTooLate").await;
    assert!(w.compiled("clients").await.is_some());
    w.apply::<CprSubscription>("clients", subscription(&review)).await;
    w.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;

    // Deleted, and created again within the grace.
    w.api::<ConsumerSystem>().delete("sample", &DeleteParams::default()).await.unwrap();
    w.wait::<CprSubscription>("clients", "Ready", "False ConsumerNotFound").await;
    w.until("secrets gone", async || w.context.signing.get(&w.key("sample")).is_none()).await;
    assert!(w.compiled("clients").await.is_none());
    w.apply::<ConsumerSystem>("sample", consumer(json!(["Number", "Name", "Status"]))).await;
    w.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    w.until("secrets back", async || w.context.signing.get(&w.key("sample")).is_some()).await;

    // Unreadable.
    let crds: Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> =
        Api::all(w.client.clone());
    let loosen = json!([{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/payload/properties/level/enum"}]);
    crds.patch(
        "cprsubscriptions.cpr-operator.dev",
        &PatchParams::default(),
        &Patch::Json::<()>(serde_json::from_value(loosen).unwrap()),
    )
    .await
    .unwrap();
    let mut odd = subscription(&review);
    odd["payload"] = json!({"level": "Other"});
    let body = json!({"apiVersion": "cpr-operator.dev/v1alpha1", "kind": "CprSubscription", "metadata": {"name": "odd", "namespace": w.ns.name()}, "spec": odd});
    let ar = kube::api::ApiResource::erase::<CprSubscription>(&());
    let dynamic: Api<kube::api::DynamicObject> = Api::namespaced_with(w.client.clone(), w.ns.name(), &ar);
    let began = std::time::Instant::now();
    while let Err(e) = dynamic.create(&PostParams::default(), &serde_json::from_value(body.clone()).unwrap()).await {
        assert!(began.elapsed() < Duration::from_secs(10), "{e}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    w.until("unreadable told", async || dynamic.get("odd").await.unwrap().data["status"]["waiting"] == "NotUnderstood")
        .await;
    println!("{:#}", dynamic.get("odd").await.unwrap().data["status"]);
    let v = dynamic.get("odd").await.unwrap().resource_version();
    dynamic
        .patch("odd", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"annotations": {"x": "y"}}})))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("unreadable versions {:?} {:?}", v, dynamic.get("odd").await.unwrap().resource_version());
    w.apply::<CprSubscription>("clients", {
        let mut s = subscription(&review);
        s["suspend"] = json!(true);
        s
    })
    .await;
    w.wait::<CprSubscription>("clients", "Ready", "False Suspended").await;
    w.apply::<CprSubscription>("clients", subscription(&review)).await;
    w.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    dynamic.delete("odd", &DeleteParams::default()).await.unwrap();

    // By the clock.
    w.context.clock.advance(Duration::from_secs(101 * 86400));
    w.wait::<CprSubscription>("clients", "ReviewDue", "True ReviewDue").await;
    w.context.clock.advance(Duration::from_secs(31 * 86400));
    w.wait::<CprSubscription>("clients", "Expired", "True ReviewOverdue").await;
    assert!(w.compiled("clients").await.is_none());
    let review = w.context.clock.today().saturating_add(jiff::Span::new().days(100)).to_string();
    w.apply::<CprSubscription>("clients", subscription(&review)).await;
    w.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;

    w.api::<CprSubscription>().delete("clients", &DeleteParams::default()).await.unwrap();
    w.until("subscription ended", async || w.compiled("clients").await.is_none()).await;
    w.api::<CprSource>().delete("register", &DeleteParams::default()).await.unwrap();
    w.until("credentials gone", async || w.context.credentials.get(&w.key("register")).is_none()).await;

    let events = w.api::<Event>().list(&Default::default()).await.unwrap();
    let text = serde_json::to_string(&events.items).unwrap();
    println!("{} events", events.items.len());
    for e in &events.items {
        println!("  {:?} {:?} {:?}", e.type_, e.reason, e.note);
    }
    assert!(!text.contains("canary") && events.items.len() > 5);
    w.stop.cancel();
    w.running.await.unwrap();
    let mut metrics = String::new();
    prometheus_client::encoding::text::encode(&mut metrics, &w.registry).unwrap();
    for line in metrics.lines().filter(|l| !l.starts_with('#') && !l.contains("bucket")) {
        println!("{line}");
    }
    let mut conn = w.context.store.main.read().await.unwrap();
    let entries: Vec<(String,)> =
        sqlx::query_as("SELECT CAST(public AS TEXT) FROM audit_entry").fetch_all(&mut *conn).await.unwrap();
    for (e,) in &entries {
        let v: Value = serde_json::from_str(e).unwrap();
        println!("{} {} {:?}", v["type"], v["resource"], v.get("class"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_while_nobody_looked_is_ended_and_another_store_is_kept_out() {
    let w = world().await;
    w.apply::<CprSource>("register", source()).await;
    w.apply::<ConsumerSystem>("sample", consumer(json!(["Number", "Name", "Status"]))).await;
    let review = w.context.clock.today().saturating_add(jiff::Span::new().days(100)).to_string();
    w.apply::<CprSubscription>("clients", subscription(&review)).await;
    w.wait::<CprSubscription>("clients", "ReferencesResolved", "True Resolved").await;
    w.stop.cancel();
    w.running.await.unwrap();
    let api: Api<CprSubscription> = Api::namespaced(w.client.clone(), w.ns.name());
    api.delete("clients", &DeleteParams::default()).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(operator::run(w.context.clone(), ClusterConfig::Inferred, stop.clone()));
    let began = std::time::Instant::now();
    loop {
        let mut conn = w.context.store.main.read().await.unwrap();
        let row =
            store::subscription::find(&mut conn, &ResourceKey::new(w.ns.name(), "clients")).await.unwrap().unwrap();
        if row.deleted_at.is_some() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{} ms orphan ended", began.elapsed().as_millis());
    stop.cancel();
    running.await.unwrap();
    // Another store.
    let folder = tempfile::tempdir().unwrap();
    let settings =
        StoreSettings { path: folder.path().join("s"), root_key_file: None, accept_local_root_key: true, readers: 4 };
    let other = store::open(&settings, w.context.clock.now()).await.unwrap();
    let id = other.id.clone();
    let context = Context { store: other, ..w.context.clone() };
    let stop = CancellationToken::new();
    let running = tokio::spawn(operator::run(context.clone(), ClusterConfig::Inferred, stop.clone()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(store::source::all(&mut *context.store.main.read().await.unwrap()).await.unwrap().is_empty());
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(w.client.clone(), w.ns.name());
    leases
        .patch(
            "cpr-operator",
            &PatchParams::default(),
            &Patch::Merge(json!({"metadata": {"annotations": {"cpr-operator.dev/adopt-store": id}}})),
        )
        .await
        .unwrap();
    let began = std::time::Instant::now();
    while store::source::all(&mut *context.store.main.read().await.unwrap()).await.unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{} ms adopted", began.elapsed().as_millis());
    stop.cancel();
    running.await.unwrap();
}
