//! How the kinds behave in an API server: defaults, null, unknown fields, immutability, columns, category, status.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::conditions::{ConditionType, OF_CONSUMER, OF_SOURCE, OF_SUBSCRIPTION, Status, set, waiting};
use cpr_operator::api::consumer::{ConsumerSystem, ConsumerSystemStatus};
use cpr_operator::api::delivery::{Circuit, DeliveryStatus};
use cpr_operator::api::names::{GROUP, VERSION};
use cpr_operator::api::source::{Capability, CprSource, CprSourceStatus, Cursor};
use cpr_operator::api::subscription::{CprSubscription, CprSubscriptionStatus};
use cpr_operator::api::workers::WorkersStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::server::{CONSUMER, Mode, SOURCE, SUBSCRIPTION, Server, patched, yaml};

/// A path to a field and what stands there by default.
type Default = (&'static str, Value);

fn defaults() -> [(&'static str, Vec<Default>); 3] {
    let source = vec![
        ("/spec/datafordeler/sector", json!("Public")),
        ("/spec/datafordeler/municipalityCodes", json!("Both")),
        ("/spec/events", json!({ "pollInterval": "60s", "calendar": "Weekdays" })),
        ("/spec/suspend", json!(false)),
    ];
    let consumer = vec![
        ("/spec/delivery/verification", json!("Echo")),
        ("/spec/delivery/timeout", json!("10s")),
        ("/spec/delivery/maxInFlight", json!(32)),
        ("/spec/delivery/retry", json!({ "initial": "5s", "max": "1h", "giveUpAfter": "168h" })),
        ("/spec/suspend", json!(false)),
    ];
    let subscription = vec![
        ("/spec/select/everyone", json!(false)),
        ("/spec/payload", json!({ "level": "Reference" })),
        ("/spec/followInactive", json!("2160h")),
        ("/spec/suspend", json!(false)),
    ];
    [(SOURCE, source), (CONSUMER, consumer), (SUBSCRIPTION, subscription)]
}

/// Puts `value` at `path`, making the objects on the way.
fn place(manifest: &mut Value, path: &str, value: Value) {
    let at = path.trim_start_matches('/').split('/').fold(manifest, |at, name| &mut at[name]);
    *at = value;
}

#[tokio::test]
async fn defaults_are_applied() {
    let server = Server::open("defaults").await;
    for (base, fields) in defaults() {
        let kept = server.put(&yaml(base), Mode::DryRun).await.unwrap();
        for (path, value) in fields {
            assert_eq!(kept.pointer(path), Some(&value), "{path}");
        }
    }
}

#[tokio::test]
async fn defaults_complete_what_is_given_in_part() {
    let server = Server::open("partly").await;
    let cases = [
        (
            CONSUMER,
            "spec: { delivery: { retry: { max: 2h } } }",
            "/spec/delivery/retry",
            json!({ "initial": "5s", "max": "2h", "giveUpAfter": "168h" }),
        ),
        (
            SOURCE,
            "spec: { events: { calendar: Daily } }",
            "/spec/events",
            json!({ "pollInterval": "60s", "calendar": "Daily" }),
        ),
        (SOURCE, "spec: { events: {} }", "/spec/events", json!({ "pollInterval": "60s", "calendar": "Weekdays" })),
        (
            SOURCE,
            "spec: { grants: [{ namespace: b, sector: Private, fields: [Status], protectedPersons: Deny, hosts: [a.example.org] }] }",
            "/spec/grants/0/everyone",
            json!(false),
        ),
        (SUBSCRIPTION, "spec: { payload: {} }", "/spec/payload", json!({ "level": "Reference" })),
    ];
    for (base, patch, path, value) in cases {
        let kept = server.put(&patched(base, patch), Mode::DryRun).await.unwrap();
        assert_eq!(kept.pointer(path), Some(&value), "{patch}");
    }
}

#[tokio::test]
async fn an_explicit_null_does_not_skip_a_default() {
    let server = Server::open("null").await;
    for (base, fields) in defaults() {
        for (path, value) in fields {
            let mut manifest = yaml(base);
            place(&mut manifest, path, Value::Null);
            let kept = server.put(&manifest, Mode::DryRun).await.unwrap_or_else(|m| panic!("{path}: {m}"));
            assert_eq!(kept.pointer(path), Some(&value), "{path}");
        }
    }
}

#[tokio::test]
async fn what_has_no_effect_yet_is_refused() {
    let server = Server::open("unknown").await;
    let fields = [
        (SOURCE, "spec: { cprOffice: {} }", "spec.cprOffice"),
        (SOURCE, "spec: { events: { mode: Stream } }", "spec.events.mode"),
        (SOURCE, "spec: { lookups: { maxAge: 24h } }", "spec.lookups"),
        (CONSUMER, "spec: { municipalities: ['0851'] }", "spec.municipalities"),
        (CONSUMER, "spec: { workers: { image: other } }", "spec.workers.image"),
        (SOURCE, "spec: { workers: { min: 1 } }", "spec.workers.min"),
        (CONSUMER, "spec: { lookup: {} }", "spec.lookup"),
        (SUBSCRIPTION, "spec: { consumerRef: { namespace: other } }", "spec.consumerRef.namespace"),
        (
            CONSUMER,
            "spec: { delivery: { signingSecretRef: { namespace: other } } }",
            "spec.delivery.signingSecretRef.namespace",
        ),
        (SUBSCRIPTION, "spec: { events: { relatives: true } }", "spec.events.relatives"),
    ];
    for (base, patch, field) in fields {
        let message = server.put(&patched(base, patch), Mode::DryRun).await.expect_err(field);
        assert!(message.contains(&format!("unknown field \"{field}\"")), "{field}: {message}");
    }
}

#[tokio::test]
async fn references_of_a_subscription_stay_and_the_rest_may_change() {
    let server = Server::open("immutable").await;
    let manifest = yaml(SUBSCRIPTION);
    server.put(&manifest, Mode::Create).await.unwrap();
    for field in ["sourceRef", "consumerRef"] {
        let message =
            server.update(&manifest, &format!("spec: {{ {field}: {{ name: other }} }}")).await.expect_err(field);
        assert!(message.contains(&format!("spec.{field}")), "{message}");
        assert!(message.contains("cannot be changed: make another subscription"), "{message}");
    }
    let message = server.update(&manifest, "spec: { sourceRef: { namespace: other } }").await.expect_err("namespace");
    assert!(message.contains("cannot be changed: make another subscription"), "{message}");
    let patch = "spec: { purpose: other, select: { municipalities: ['0101'] }, suspend: true }";
    server.update(&manifest, patch).await.unwrap();
}

#[tokio::test]
async fn kubectl_get_cpr_finds_every_kind() {
    let server = Server::open("category").await;
    let found = server.send("GET", &format!("/apis/{GROUP}/{VERSION}"), &Value::Null).await.unwrap();
    for (kind, short) in [("CprSource", "cprsrc"), ("ConsumerSystem", "cprcon"), ("CprSubscription", "cprsub")] {
        let resources = found["resources"].as_array().unwrap();
        let is_kind = |r: &&Value| r["kind"] == kind && !r["name"].as_str().unwrap().contains('/');
        let resource = resources.iter().find(is_kind).unwrap();
        assert_eq!(resource["categories"], json!(["cpr"]), "{kind}");
        assert_eq!(resource["shortNames"], json!([short]), "{kind}");
        assert_eq!(resource["namespaced"], json!(true), "{kind}");
    }
}

#[tokio::test]
async fn columns_tell_whether_it_works_and_what_it_waits_for() {
    let server = Server::open("columns").await;
    let expected = [
        (SOURCE, "Credentials", "register-credentials"),
        (CONSUMER, "URL", "https://receiver.example.org/events"),
        (SUBSCRIPTION, "Consumer", "receiver"),
    ];
    for (base, column, value) in expected {
        let manifest = yaml(base);
        let made = server.put(&manifest, Mode::Create).await.unwrap();
        let path = format!("{}/{}", server.path(&manifest), made["metadata"]["name"].as_str().unwrap());
        let status = json!({ "status": { "waiting": "SecretMissing", "conditions": [condition("Ready", "False")] } });
        server.send("PATCH", &format!("{path}/status"), &status).await.unwrap();
        let expected = [("Ready", "False"), ("Waiting", "SecretMissing"), (column, value)];
        assert_eq!(shown(&server, &path).await, expected.map(|(name, cell)| (name.to_owned(), cell.to_owned())));
    }
}

fn condition(type_: &str, status: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": "Tested", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"
    })
}

/// Name and content of the columns that `kubectl get` shows between name and age.
async fn shown(server: &Server, path: &str) -> Vec<(String, String)> {
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let request = http::Request::get(path).header("accept", accept).body(Vec::new()).unwrap();
    let table: Value = server.client.request(request).await.unwrap();
    let columns = table["columnDefinitions"].as_array().unwrap();
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    let is_shown =
        |(column, _): &(&Value, &Value)| column["priority"] == 0 && column["name"] != "Name" && column["name"] != "Age";
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    columns.iter().zip(cells).filter(is_shown).map(|(c, v)| (text(&c["name"]), text(v))).collect()
}

/// Every condition of a kind, as the operator would set it.
fn all_of(types: &[ConditionType]) -> Vec<Condition> {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let mut conditions = Vec::new();
    for type_ in types.iter().chain(&[ConditionType::Reconciling, ConditionType::Stalled]) {
        set(&mut conditions, *type_, Status::True, "Tested", "It was tested.", 1, now);
    }
    conditions
}

/// Writes a status and reads the object back as the operator does.
async fn written<K: DeserializeOwned>(server: &Server, base: &str, status: impl serde::Serialize) -> K {
    let manifest = yaml(base);
    let made = server.put(&manifest, Mode::Create).await.unwrap();
    let path = format!("{}/{}/status", server.path(&manifest), made["metadata"]["name"].as_str().unwrap());
    let kept = server.send("PATCH", &format!("{path}?fieldValidation=Strict"), &json!({ "status": status })).await;
    serde_json::from_value(kept.unwrap()).unwrap()
}

#[tokio::test]
async fn a_status_is_kept_whole_and_read_back() {
    let server = Server::open("status").await;
    let at = Time(Timestamp::from_second(1_800_000_000).unwrap());
    let conditions = all_of(OF_SOURCE);
    let status = CprSourceStatus {
        observed_generation: Some(1),
        last_handled_reconcile_at: Some("now".into()),
        waiting: waiting(&conditions),
        cursor: Some(Cursor { import_sequence: 310 }),
        capabilities: vec![Capability::Events, Capability::ReadByNumber, Capability::ReadByPersonId],
        workers: Some(WorkersStatus { desired: 2, ready: 1 }),
        conditions,
    };
    assert_eq!(written::<CprSource>(&server, SOURCE, &status).await.status, Some(status));

    let delivery = DeliveryStatus {
        pending: 12,
        parked: 1,
        dead_lettered: 2,
        last_delivered_at: Some(at),
        circuit: Circuit::Open,
    };
    let status = ConsumerSystemStatus {
        delivery: Some(delivery),
        subscriptions: Some(3),
        workers: Some(WorkersStatus { desired: 1, ready: 0 }),
        conditions: all_of(OF_CONSUMER),
        ..ConsumerSystemStatus::default()
    };
    assert_eq!(written::<ConsumerSystem>(&server, CONSUMER, &status).await.status, Some(status));

    let status = CprSubscriptionStatus {
        subjects: Some(217_432),
        conditions: all_of(OF_SUBSCRIPTION),
        ..CprSubscriptionStatus::default()
    };
    assert_eq!(written::<CprSubscription>(&server, SUBSCRIPTION, &status).await.status, Some(status));
}

#[tokio::test]
async fn subscriptions_are_found_by_their_references() {
    let server = Server::open("selectable").await;
    let manifest = yaml(SUBSCRIPTION);
    server.put(&manifest, Mode::Create).await.unwrap();
    for (selector, found) in [("spec.sourceRef.name=register", 1), ("spec.consumerRef.name=other", 0)] {
        let path = format!("{}?fieldSelector={selector}", server.path(&manifest));
        let list = server.send("GET", &path, &Value::Null).await.unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{selector}");
    }
}
