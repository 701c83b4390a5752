//! Manifests as text, and how they are put to the API server.
#![expect(clippy::unwrap_used, reason = "tests")]

use kube::Client;
use serde_json::Value;

use crate::support::cluster::{TestNamespace, cluster, namespace};

/// The smallest source that passes.
pub const SOURCE: &str = "
apiVersion: cpr-operator.dev/v1alpha1
kind: CprSource
metadata: { name: register }
spec:
  environment: Test
  datafordeler:
    endpoints: { graphql: 'http://register.example.org', auth: 'http://register.example.org' }
    credentialsRef: { name: register-credentials }
";

/// The smallest consumer that passes.
pub const CONSUMER: &str = "
apiVersion: cpr-operator.dev/v1alpha1
kind: ConsumerSystem
metadata: { name: receiver }
spec:
  displayName: Receiver
  owner: { organisation: Fictitious Municipality, cvr: '00000000', contact: operations@example.org }
  sector: Public
  environment: Test
  purposes: [{ id: case-work, legalBases: [GDPR-6-1-e], description: Case work }]
  fields: [Status, Name]
  protectedPersons: Mask
  delivery: { url: 'https://receiver.example.org/events', signingSecretRef: { name: receiver-signing } }
";

/// The smallest subscription that passes.
pub const SUBSCRIPTION: &str = "
apiVersion: cpr-operator.dev/v1alpha1
kind: CprSubscription
metadata: { name: clients }
spec:
  sourceRef: { name: register }
  consumerRef: { name: receiver }
  purpose: case-work
  select: { municipalities: ['0851'] }
  reviewBy: '2027-06-01'
";

/// YAML as a value.
pub fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// `base` with `patch` laid over it: objects are merged, null removes, everything else replaces.
pub fn patched(base: &str, patch: &str) -> Value {
    let mut manifest = yaml(base);
    if !patch.is_empty() {
        merge(&mut manifest, yaml(patch));
    }
    manifest
}

fn merge(into: &mut Value, patch: Value) {
    let Value::Object(changes) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Default::default());
    }
    let members = into.as_object_mut().expect("made an object above");
    for (name, change) in changes {
        match change {
            Value::Null => drop(members.remove(&name)),
            change => merge(members.entry(name).or_insert(Value::Null), change),
        }
    }
}

/// How a manifest is put to the API server.
#[derive(Clone, Copy)]
pub enum Mode {
    /// Nothing is kept.
    DryRun,
    /// The object is made.
    Create,
}

/// The API server, with a namespace to put manifests in.
pub struct Server {
    pub client: Client,
    pub namespace: TestNamespace,
}

impl Server {
    /// Opens a namespace of the test's own.
    pub async fn open(prefix: &str) -> Self {
        let client = cluster().await;
        let namespace = namespace(&client, prefix).await;
        Self { client, namespace }
    }

    /// The path of a manifest's collection.
    pub fn path(&self, manifest: &Value) -> String {
        let plural = match manifest["kind"].as_str().unwrap() {
            "CprSource" => "cprsources",
            "ConsumerSystem" => "consumersystems",
            "CprSubscription" => "cprsubscriptions",
            "Secret" => "secrets",
            other => panic!("{other} is no kind that is tested here"),
        };
        let version = manifest["apiVersion"].as_str().unwrap();
        let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
        format!("{root}/namespaces/{}/{plural}", self.namespace.name())
    }

    /// Puts a manifest to the API server, with strict validation. What it keeps, or what it says.
    pub async fn put(&self, manifest: &Value, mode: Mode) -> Result<Value, String> {
        let dry_run = if matches!(mode, Mode::DryRun) { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldValidation=Strict{dry_run}", self.path(manifest));
        self.send("POST", &path, manifest).await
    }

    /// Lays a merge patch over an object that is there. What would be kept, or what the API server says.
    pub async fn update(&self, manifest: &Value, patch: &str) -> Result<Value, String> {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        self.send("PATCH", &format!("{}/{name}?dryRun=All", self.path(manifest)), &yaml(patch)).await
    }

    /// Sends a request and reads the answer; an error becomes its message.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = http::Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.body(serde_json::to_vec(body).unwrap()).unwrap();
        self.client.request(request).await.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => panic!("{method} {path}: {other}"),
        })
    }
}
