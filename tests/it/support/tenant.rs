//! A tenant: a namespace, and a user of the API server who may write our manifests there and nothing else.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::cluster::{self, TestNamespace};

const PATIENCE: Duration = Duration::from_secs(90);

/// A tenant.
pub struct Tenant {
    pub namespace: TestNamespace,
    admin: Client,
    own: Client,
}

impl Tenant {
    /// A tenant in a namespace whose name begins with `prefix`.
    pub async fn new(admin: &Client, prefix: &str) -> Self {
        let namespace = cluster::namespace(admin, prefix).await;
        let name = namespace.name();
        for manifest in rights(name) {
            put(admin, name, manifest).await.unwrap();
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), name);
        let request: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": []}})).unwrap();
        let token = accounts.create_token_request("tenant", &PostParams::default(), &request).await.unwrap();
        let mut config = Config::from_kubeconfig(&KubeConfigOptions::default()).await.unwrap();
        let token = Some(token.status.unwrap().token.unwrap().into());
        config.auth_info = AuthInfo { token, ..AuthInfo::default() };
        let own = Client::try_from(config).unwrap();
        Self { namespace, admin: admin.clone(), own }
    }

    /// Applies a manifest as the tenant; what the API server says where it refuses.
    pub async fn put(&self, manifest: Value) -> Result<(), String> {
        put(&self.own, self.namespace.name(), manifest).await
    }

    /// Applies a manifest as the tenant in another namespace.
    pub async fn put_in(&self, namespace: &str, manifest: Value) -> Result<(), String> {
        put(&self.own, namespace, manifest).await
    }

    /// Reads an object of any namespace as the tenant.
    pub async fn read(&self, namespace: &str, kind: &str, name: &str) -> Result<Value, String> {
        let object = api(&self.own, namespace, kind).get(name).await.map_err(|error| error.to_string())?;
        Ok(serde_json::to_value(object).unwrap())
    }

    /// Deletes an object as the tenant.
    pub async fn delete(&self, kind: &str, name: &str) {
        api(&self.own, self.namespace.name(), kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Applies a manifest in the tenant's namespace as whoever looks after its Secrets.
    pub async fn given(&self, manifest: Value) {
        put(&self.admin, self.namespace.name(), manifest).await.unwrap();
    }

    /// The status of a resource of the tenant.
    pub async fn status(&self, kind: &str, name: &str) -> Value {
        self.read(self.namespace.name(), kind, name).await.unwrap()["status"].clone()
    }

    /// Waits until a condition of the present generation has this status and reason, and gives its message.
    pub async fn until(&self, kind: &str, name: &str, type_: &str, expected: &str) -> String {
        let began = Instant::now();
        let mut last = Value::Null;
        while began.elapsed() < PATIENCE {
            last = self.read(self.namespace.name(), kind, name).await.unwrap();
            let conditions = last["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let generation = &last["metadata"]["generation"];
            let found = conditions.iter().find(|c| c["type"] == type_ && c["observedGeneration"] == *generation);
            let shown = found.map(|c| format!("{} {}", c["status"].as_str().unwrap(), c["reason"].as_str().unwrap()));
            if shown.as_deref() == Some(expected) {
                return found.unwrap()["message"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("{kind} {name}: {type_} {expected} never came\n{:#}", last["status"]);
    }
}

/// A user who may write our kinds, and may not read a Secret.
fn rights(namespace: &str) -> [Value; 3] {
    let kinds = ["cprsources", "consumersystems", "cprsubscriptions"];
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let group = "rbac.authorization.k8s.io";
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tenant"}}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": "tenant"},
            "rules": [{"apiGroups": ["cpr-operator.dev"], "resources": kinds, "verbs": verbs}]}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": "tenant"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "tenant"},
            "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": namespace}]}),
    ]
}

fn api(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let gvk = match kind {
        "Secret" | "ServiceAccount" => GroupVersionKind::gvk("", "v1", kind),
        "Role" | "RoleBinding" => GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind),
        _ => GroupVersionKind::gvk("cpr-operator.dev", "v1alpha1", kind),
    };
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&gvk))
}

async fn put(client: &Client, namespace: &str, manifest: Value) -> Result<(), String> {
    let kind = manifest["kind"].as_str().unwrap();
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let params = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply("tenant").force()
    };
    let put = api(client, namespace, kind).patch(name, &params, &Patch::Apply(&manifest)).await;
    put.map(drop).map_err(|error| error.to_string())
}
