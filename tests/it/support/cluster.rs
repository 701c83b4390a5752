//! A real API server, our definitions in it, and namespaces of a test's own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::{crds, names};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::config::KubeConfigOptions;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config, ResourceExt};
use tokio::sync::OnceCell;

/// Installing happens once in a process, whichever test comes first.
static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A client of the API server that `KUBECONFIG` names, with our definitions installed. It belongs to the test's own runtime.
pub async fn cluster() -> Client {
    let client = client().await;
    INSTALLED.get_or_init(|| install(client.clone())).await;
    client
}

async fn client() -> Client {
    assert!(
        std::env::var_os("KUBECONFIG").is_some(),
        "this test needs an API server: run `make test`, or set KUBECONFIG to one that may be filled with test objects"
    );
    let config = Config::from_kubeconfig(&KubeConfigOptions::default()).await.expect("KUBECONFIG can be read");
    Client::try_from(config).expect("a client for KUBECONFIG")
}

/// Puts our definitions into a cluster and waits until they hold.
pub async fn install(client: Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let apply = PatchParams::apply(names::FIELD_MANAGER).force();
    for crd in crds::all() {
        let name = crd.name_any();
        api.patch(&name, &apply, &Patch::Apply(&crd)).await.expect("the definition is accepted");
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(Duration::from_secs(30), established).await.expect("established in time").unwrap();
    }
}

/// A namespace of a test's own; deleted with all that is in it when dropped.
pub struct TestNamespace {
    name: String,
}

impl TestNamespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Makes a namespace whose name begins with `prefix`.
pub async fn namespace(client: &Client, prefix: &str) -> TestNamespace {
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("{prefix}-{}", &suffix[..8]);
    let namespace: Namespace = serde_json::from_value(serde_json::json!({ "metadata": { "name": name } })).unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.expect("a namespace can be made");
    TestNamespace { name }
}

impl Drop for TestNamespace {
    /// Asks for the deletion and does not wait for its end. The test's runtime may be gone already, so it has its own.
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        let deletion = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let api: Api<Namespace> = Api::all(client().await);
                match api.delete(&name, &DeleteParams::background()).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
                    deleted => deleted.map(drop),
                }
            })
        });
        let deleted = deletion.join().is_ok_and(|outcome| outcome.is_ok());
        assert!(deleted || std::thread::panicking(), "a test's namespace could not be deleted");
    }
}
