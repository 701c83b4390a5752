//! A service account of a cluster, as the program in a pod would be.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The account, with a token.
pub struct Account {
    /// Its token.
    pub token: SecretString,
    kubeconfig: Kubeconfig,
    folder: TempDir,
}

impl Account {
    /// The account `name` of a namespace of the cluster that a kubeconfig leads to.
    pub async fn of(admin: &Client, kubeconfig: &Path, namespace: &str, name: &str) -> Self {
        let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), namespace);
        let request: TokenRequest = serde_json::from_value(json!({ "spec": { "audiences": [] } })).unwrap();
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
        let token = SecretString::from(answer.status.unwrap().token.unwrap());
        let mut kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        kubeconfig.auth_infos[0].auth_info = Some(AuthInfo { token: Some(token.clone()), ..AuthInfo::default() });
        Self { token, kubeconfig, folder: TempDir::new().unwrap() }
    }

    /// A kubeconfig with which a program is this account.
    pub fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("kubeconfig");
        std::fs::write(&path, serde_json::to_string(&self.kubeconfig).unwrap()).unwrap();
        path
    }

    /// A file with its token.
    pub fn token_file(&self) -> PathBuf {
        let path = self.folder.path().join("token");
        std::fs::write(&path, self.token.expose_secret()).unwrap();
        path
    }

    /// A client that is this account.
    pub async fn client(&self) -> Client {
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(self.kubeconfig.clone(), &options).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// Whether the API server lets it: `verb`, such as `get`, on `resource`, such as `secrets`, `leases.coordination.k8s.io/NAME` or
    /// `cprsources.cpr-operator.dev/status`.
    pub async fn may(&self, verb: &str, resource: &str, namespace: &str) -> bool {
        let (resource, name) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let mut asked = json!({ "verb": verb, "group": group, "resource": resource, "namespace": namespace });
        asked[if name == "status" { "subresource" } else { "name" }] = json!(name);
        let review: Value = json!({ "spec": { "resourceAttributes": asked } });
        let review: SelfSubjectAccessReview = serde_json::from_value(review).unwrap();
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client().await);
        api.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
    }
}
