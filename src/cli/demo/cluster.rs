//! The demo's side of the cluster: definitions, a namespace of its own, the samples, and waiting for Ready.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config, ResourceExt};
use tokio::process::Child;

use crate::api::{crds, names};
use crate::cli::say;

const SAMPLES: &[&str] = &[
    include_str!("../../../config/samples/secrets.yaml"),
    include_str!("../../../config/samples/source.yaml"),
    include_str!("../../../config/samples/consumer.yaml"),
    include_str!("../../../config/samples/subscription.yaml"),
];

/// The resources whose readiness the demo waits for.
const AWAITED: &[(&str, &str)] =
    &[("CprSource", "datafordeler"), ("ConsumerSystem", "casework"), ("CprSubscription", "casework-citizens")];

/// A cluster with our definitions, and a namespace of the demo's own.
pub struct Cluster {
    client: Client,
    namespace: String,
}

/// The signing secret of the samples.
pub fn signing_secret() -> String {
    let line = SAMPLES[0].lines().find_map(|line| line.trim().strip_prefix("first: "));
    line.unwrap_or_default().to_owned()
}

impl Cluster {
    /// Connects to the cluster of `KUBECONFIG` and installs what the demo needs.
    pub async fn prepare() -> anyhow::Result<Self> {
        let config = Config::infer().await.context("no cluster: run `make demo`, or set KUBECONFIG")?;
        let client = Client::try_from(config)?;
        let version = client.apiserver_version().await.context("the cluster of KUBECONFIG does not answer")?;
        say(&format!("Kubernetes {} answers", version.git_version));
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for crd in crds::all() {
            let name = crd.name_any();
            let apply = PatchParams::apply(names::FIELD_MANAGER).force();
            definitions.patch(&name, &apply, &Patch::Apply(&crd)).await.with_context(|| name.clone())?;
            let established = await_condition(definitions.clone(), &name, conditions::is_crd_established());
            tokio::time::timeout(Duration::from_secs(30), established).await.with_context(|| name.clone())??;
        }
        let generated = serde_json::from_value(serde_json::json!({ "metadata": { "generateName": "cpr-demo-" } }))?;
        let made: Namespace = Api::all(client.clone()).create(&PostParams::default(), &generated).await?;
        let namespace = made.name_any();
        say(&format!("Installed the definitions, made the namespace {namespace}"));
        Ok(Self { client, namespace })
    }

    /// The demo's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Applies the samples, with the addresses of the simulated register and consumer in place of the examples.
    pub async fn apply_samples(&self, register: &str, consumer: &str) -> anyhow::Result<()> {
        for sample in SAMPLES {
            let text = sample
                .replace("https://graphql.register.example.org", register)
                .replace("https://auth.register.example.org", register)
                .replace("https://casework.example.org/cpr/events", consumer)
                .replace("pollInterval: 10s", "pollInterval: 1s");
            for part in text.split("\n---\n") {
                let object: DynamicObject = serde_saphyr::from_str(part).context("sample")?;
                self.apply(object).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, object: DynamicObject) -> anyhow::Result<()> {
        let types = object.types.clone().context("a sample without kind")?;
        let name = object.name_any();
        let params = PatchParams::apply("a-platform-team").force();
        let applied = self.api(&types.api_version, &types.kind)?.patch(&name, &params, &Patch::Apply(&object)).await;
        applied.with_context(|| format!("{} {name}", types.kind)).map(|_| ())
    }

    fn api(&self, version: &str, kind: &str) -> anyhow::Result<Api<DynamicObject>> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Ok(Api::namespaced_with(self.client.clone(), &self.namespace, &resource))
    }

    /// Waits until all resources are Ready; says what still waits when patience ends or the operator does.
    pub async fn until_ready(&self, patience: Duration, operator: &mut Child) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let mut waiting = Vec::new();
            for (kind, name) in AWAITED {
                let object = self.api("cpr-operator.dev/v1alpha1", kind)?.get_status(name).await?;
                let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
                let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
                if ready.is_none_or(|condition| condition["status"] != "True") {
                    let why = ready.and_then(|condition| condition["message"].as_str()).unwrap_or("not seen yet");
                    waiting.push(format!("{kind} {name}: {why}"));
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if let Some(status) = operator.try_wait()? {
                bail!("the operator ended with {status}");
            }
            if began.elapsed() > patience {
                bail!("not ready: {}", waiting.join("; "));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Deletes the demo's namespace, without waiting for its end.
    pub async fn clean(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        if let Err(error) = namespaces.delete(&self.namespace, &DeleteParams::background()).await {
            say(&format!("The namespace {} could not be deleted: {error}", self.namespace));
        }
    }
}
