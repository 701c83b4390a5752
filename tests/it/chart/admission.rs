//! CPR numbers in manifests, put to a real API server with the chart's admission policies.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::helm::{Release, chart};
use crate::published::server::{Mode, Server, yaml};
use crate::support::cluster;
use crate::support::plane::Plane;

/// A source with each field.
const SOURCE: &str = "
apiVersion: cpr-operator.dev/v1alpha1
kind: CprSource
metadata: { name: register, labels: { team: a }, annotations: { note: a } }
spec:
  environment: Test
  access: { expiresAt: '2027-05-11T00:00:00Z' }
  datafordeler:
    allowedNetworks: [10.0.0.0/8]
    caBundleRef: { name: ca, key: ca.crt }
    credentialsRef: { name: register-credentials }
    endpoints: { graphql: 'http://register.example.org', auth: 'http://register.example.org' }
    proxyUrl: http://egress.example.org:3128
    schemaApiKeyRef: { name: schema, key: apiKey }
  events: { pollInterval: 60s }
  grants: [{ namespace: team, sector: Public, fields: [Name], municipalities: ['0851'], protectedPersons: Mask, hosts: [a.example.org] }]
  workers: { resources: { requests: { cpu: 50m, memory: 64Mi }, limits: { cpu: '1', memory: 1Gi } }, nodeSelector: { a: b }, tolerations: [{ key: a, value: b }] }
";

/// A consumer with each field.
const CONSUMER: &str = "
apiVersion: cpr-operator.dev/v1alpha1
kind: ConsumerSystem
metadata: { name: receiver, labels: { team: a }, annotations: { note: a } }
spec:
  displayName: Receiver
  owner: { organisation: Fictitious Municipality, cvr: '00000000', contact: operations@example.org }
  sector: Public
  environment: Test
  purposes: [{ id: case-work, legalBases: [GDPR-6-1-e], description: Case work }]
  fields: [Status, Name]
  protectedPersons: Mask
  delivery:
    url: https://receiver.example.org/events
    signingSecretRef: { name: receiver-signing }
    allowedNetworks: [10.0.0.0/8]
    caBundleRef: { name: ca, key: ca.crt }
    clientCertificateRef: { name: certificate }
    oauth2: { tokenUrl: https://login.example.org/token, clientCredentialsRef: { name: client }, scope: events, audience: receiver }
    timeout: 10s
    retry: { initial: 5s, max: 1h, giveUpAfter: 168h }
  workers: { resources: { requests: { cpu: 50m, memory: 64Mi }, limits: { cpu: '1', memory: 1Gi } }, nodeSelector: { a: b }, tolerations: [{ key: a, value: b }] }
";

/// A subscription with each field that can stand beside the others.
const SUBSCRIPTION: &str = "
apiVersion: cpr-operator.dev/v1alpha1
kind: CprSubscription
metadata: { name: clients, labels: { team: a }, annotations: { note: a } }
spec:
  sourceRef: { name: register, namespace: authority }
  consumerRef: { name: receiver }
  purpose: case-work
  select: { municipalities: ['0851'], personsSecretRef: { name: list, key: numbers } }
  reviewBy: '2027-06-01'
  expiresAt: '2028-01-01T00:00:00Z'
  followOnMove: 720h
  followInactive: 720h
";

const KINDS: [(&str, &str); 3] =
    [("consumersystems", CONSUMER), ("cprsources", SOURCE), ("cprsubscriptions", SUBSCRIPTION)];

/// What is said of a number.
const SAID: &str = "ten digits that could be a CPR number in ";

/// Texts with a number; all of them are fictitious.
const NUMBERS: [&str; 12] = [
    "0101701234",
    "010170-1234",
    "010170 1234",
    "about 311299-0000 and more",
    "(290200-4321)",
    "cpr0101701234",
    "0101701234x",
    "610170-1234",
    "911299-9999",
    "800588 1111",
    "123 0101701234",
    "https://a.example.org/p/0101701234?x",
];

/// Texts without one, however near.
const OTHERS: [&str; 14] = [
    "",
    "00000000",
    "0001701234",
    "3201701234",
    "6001701234",
    "9201701234",
    "0100701234",
    "0113701234",
    "01017012345",
    "10101701234",
    "010170.1234",
    "010170--1234",
    "2027-05-11T10:00:00Z",
    "+45 70 10 11 12",
];

/// A control plane with the chart in it.
async fn installed() -> (Plane, Server) {
    let plane = Plane::start().await;
    let namespace = cluster::namespace(&plane.client, "admission").await;
    let release = Release::new(&plane.kubeconfig, namespace.name());
    release.apply(&chart(), &["--set", "replicaCount=0,persistence.enabled=false"]).unwrap();
    let server = Server { client: plane.client.clone(), namespace };
    // A policy holds a moment after it was made.
    let (began, bad) = (Instant::now(), with(&yaml(CONSUMER), "spec.displayName", NUMBERS[0]));
    for kind in [SOURCE, CONSUMER, SUBSCRIPTION] {
        let bad = with(&yaml(kind), "metadata.annotations", NUMBERS[0]);
        while server.put(&bad, Mode::DryRun).await.is_ok() {
            assert!(began.elapsed() < Duration::from_secs(30), "the policy never held");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(server.put(&bad, Mode::DryRun).await.is_err());
    (plane, server)
}

/// The manifest with another text in a field such as `spec.purposes[].id`.
fn with(manifest: &Value, field: &str, text: &str) -> Value {
    let mut changed = manifest.clone();
    let (mut place, mut parts) = (&mut changed, field.split('.').peekable());
    while let Some(part) = parts.next() {
        let (key, is_list) = part.strip_suffix("[]").map_or((part, false), |key| (key, true));
        let is_map = matches!(field, "metadata.labels" | "metadata.annotations" | "spec.workers.nodeSelector");
        if is_map && parts.peek().is_none() {
            place[key]["added"] = json!(text);
            return changed;
        }
        let there = place.get(key).is_some() || key == "generateName";
        assert!(there, "the manifest of this test has no {field}: add it");
        place = if is_list { &mut place[key][0] } else { &mut place[key] };
    }
    *place = json!(text);
    changed
}

/// The fields that the policy of a kind looks into.
fn fields(resource: &str) -> Vec<String> {
    let text = std::fs::read_to_string(chart().join(format!("admission/{resource}.yaml"))).unwrap();
    let read = yaml(&text);
    let parts = ["metadata", "spec"].map(|part| read[part].as_array().unwrap().clone()).concat();
    parts.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_refused_in_every_field_and_what_is_none_is_not() {
    let (plane, server) = installed().await;
    for (resource, manifest) in KINDS {
        let manifest = yaml(manifest);
        server.put(&manifest, Mode::DryRun).await.unwrap();
        every_field(&server, resource, &manifest).await;
        every_form(&server, &manifest).await;
        changes(&server, &manifest).await;
    }
    large(&server).await;
    plane.stop().await;
}

/// The schema refuses some before the policy is asked; none gets in.
async fn every_field(server: &Server, resource: &str, manifest: &Value) {
    let mut told = Vec::new();
    for field in fields(resource) {
        // Names of objects may not hold blanks, and all of these are names to somebody.
        let said = server.put(&with(manifest, &field, "n0101701234n"), Mode::DryRun).await.unwrap_err();
        if said.contains(SAID) {
            assert!(said.contains(&format!("{SAID}{field}: ")), "{field}: {said}");
            // The API server itself says which object it refuses.
            let ours = said.split_once(SAID).unwrap().1;
            assert!(!ours.contains("0101701234"), "{said}");
            told.push(field);
        }
    }
    for field in ["metadata.name", "metadata.generateName", "metadata.labels", "metadata.annotations"] {
        assert!(told.iter().any(|told| told == field), "{resource} {field}: {told:?}");
    }
    assert!(told.iter().filter(|field| field.starts_with("spec")).count() > 3, "{resource}: {told:?}");
}

async fn every_form(server: &Server, manifest: &Value) {
    for text in NUMBERS {
        let said = server.put(&with(manifest, "metadata.annotations", text), Mode::DryRun).await.unwrap_err();
        assert!(said.contains(SAID), "{text}: {said}");
    }
    for text in OTHERS {
        server
            .put(&with(manifest, "metadata.annotations", text), Mode::DryRun)
            .await
            .unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

/// A resource that is there cannot be given one either.
async fn changes(server: &Server, manifest: &Value) {
    server.put(manifest, Mode::Create).await.unwrap();
    server.update(manifest, "metadata: { annotations: { other: b } }").await.unwrap();
    for patch in ["metadata: { annotations: { b: 010170-1234 } }", "metadata: { labels: { b-0101701234: b } }"] {
        let said = server.update(manifest, patch).await.unwrap_err();
        assert!(said.contains(SAID), "{said}");
    }
}

/// The largest resources that can be written cost no more than a policy may.
async fn large(server: &Server) {
    let note = "010170 123 ".repeat(262_000 / 11);
    let mut consumer = with(&yaml(CONSUMER), "metadata.annotations", &note);
    let purpose = |number: usize| {
        json!({ "id": format!("{}-{number}", "p".repeat(59)), "legalBases": ["GDPR-6-1-a", "GDPR-6-1-b", "GDPR-6-1-c", "GDPR-6-1-e"],
            "description": "d".repeat(1024) })
    };
    consumer["spec"]["purposes"] = (10..42).map(purpose).collect();
    let mut source = with(&yaml(SOURCE), "metadata.annotations", &note);
    let grant = |number: usize| {
        json!({ "namespace": format!("{}-{number}", "n".repeat(59)), "sector": "Public", "fields": ["Name"], "protectedPersons": "Mask",
            "hosts": (10..42).map(|host| format!("{host}.{}.example.org", "h".repeat(60))).collect::<Vec<_>>() })
    };
    source["spec"]["grants"] = (10..42).map(grant).collect();
    for mut manifest in [consumer, source, with(&yaml(SUBSCRIPTION), "metadata.annotations", &note)] {
        manifest["metadata"]["name"] = json!("large");
        server.put(&manifest, Mode::DryRun).await.unwrap_or_else(|error| panic!("{}: {error}", manifest["kind"]));
    }
}
