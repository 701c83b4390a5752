//! The demo's side of the cluster: definitions, namespaces of its own, manifests, and conditions.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config, ResourceExt};

use crate::api::{crds, names};
use crate::cli::say;

/// A cluster with our definitions.
pub struct Cluster {
    client: Client,
    made: Vec<String>,
}

impl Cluster {
    /// Connects to the cluster of `KUBECONFIG` and installs the definitions.
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
        Ok(Self { client, made: Vec::new() })
    }

    /// Makes a namespace whose name begins with `prefix`; [`Self::clean`] deletes it. Gives its name.
    pub async fn add_namespace(&mut self, prefix: &str) -> anyhow::Result<String> {
        let generated = serde_json::from_value(serde_json::json!({ "metadata": { "generateName": prefix } }))?;
        let made: Namespace = Api::all(self.client.clone()).create(&PostParams::default(), &generated).await?;
        self.made.push(made.name_any());
        Ok(made.name_any())
    }

    /// Applies manifests in a namespace.
    pub async fn apply(&self, namespace: &str, objects: Vec<DynamicObject>) -> anyhow::Result<()> {
        for object in objects {
            let types = object.types.clone().context("a manifest without kind")?;
            let name = object.name_any();
            let params = PatchParams::apply("a-platform-team").force();
            let api = self.api(namespace, &types.api_version, &types.kind);
            api.patch(&name, &params, &Patch::Apply(&object))
                .await
                .with_context(|| format!("{} {name}", types.kind))?;
        }
        Ok(())
    }

    fn api(&self, namespace: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    /// A condition of one of our resources that speaks of what the resource says now.
    pub async fn condition(&self, of: &Resource<'_>, type_: &str) -> anyhow::Result<Option<Condition>> {
        let object = self.api(of.namespace, "cpr-operator.dev/v1alpha1", of.kind).get_status(of.name).await?;
        let told = object.data["status"]["conditions"].clone();
        let told: Vec<Condition> = serde_json::from_value(told).unwrap_or_default();
        let present = |one: &Condition| one.type_ == type_ && one.observed_generation == object.metadata.generation;
        Ok(told.into_iter().find(present))
    }

    /// Deletes the demo's namespaces, without waiting for their end.
    pub async fn clean(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in &self.made {
            if let Err(error) = namespaces.delete(name, &DeleteParams::background()).await {
                say(&format!("The namespace {name} could not be deleted: {error}"));
            }
        }
    }
}

/// One of our resources.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}
