//! The pods of the installation.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::operator::workers::names::{self, Role};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use crate::tools::until;

/// The operator's own pods.
pub const OPERATOR: &str = "app.kubernetes.io/component=operator";

/// What selects the pods of a worker.
pub fn of(role: Role, name: &str) -> String {
    format!("{}={}", names::WORKER, names::worker(role, &ResourceKey::new("town", name)))
}

/// The pods that fit a selector; an empty one fits all.
pub async fn list(client: &Client, selector: &str) -> Result<Vec<Pod>> {
    let api: Api<Pod> = Api::namespaced(client.clone(), "cpr-system");
    Ok(api.list(&ListParams::default().labels(selector)).await?.items)
}

/// Uids by name.
pub async fn uids(client: &Client, selector: &str) -> Result<BTreeMap<String, String>> {
    let pods = list(client, selector).await?;
    Ok(pods.into_iter().map(|pod| (pod.name_any(), pod.uid().unwrap_or_default())).collect())
}

/// Waits until there are so many pods, all of them ready and none on its way out, and gives their uids by name.
pub async fn until_ready(client: &Client, selector: &str, count: usize) -> Result<BTreeMap<String, String>> {
    until_all(client, selector, &format!("{count} pods {selector}, ready"), count, is_ready).await
}

/// Waits until there are so many pods and each is so.
pub async fn until_all(
    client: &Client,
    selector: &str,
    what: &str,
    count: usize,
    is_so: impl Fn(&Pod) -> bool,
) -> Result<BTreeMap<String, String>> {
    until(what, async || {
        let pods = list(client, selector).await?;
        let found: Vec<String> = pods.iter().map(describe).collect();
        ensure!(pods.len() == count && pods.iter().all(&is_so), "{}", found.join("; "));
        Ok(pods.iter().map(|pod| (pod.name_any(), pod.uid().unwrap_or_default())).collect())
    })
    .await
}

/// How often containers of the present pods were started again.
pub async fn restarts(client: &Client) -> Result<i32> {
    let pods = list(client, "").await?;
    Ok(pods.iter().flat_map(statuses).map(|status| status.restart_count).sum())
}

/// The image of a pod.
pub fn image(pod: &Pod) -> &str {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    container.and_then(|container| container.image.as_deref()).unwrap_or_default()
}

/// The node of a pod.
pub fn node(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

/// Whether a pod works, and is not on its way out.
pub fn is_ready(pod: &Pod) -> bool {
    let is_leaving = pod.metadata.deletion_timestamp.is_some();
    !is_leaving && !statuses(pod).is_empty() && statuses(pod).iter().all(|status| status.ready)
}

fn statuses(pod: &Pod) -> &[ContainerStatus] {
    let status = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
    status.unwrap_or_default()
}

fn describe(pod: &Pod) -> String {
    let leaving = if pod.metadata.deletion_timestamp.is_some() { " leaving" } else { "" };
    let states = statuses(pod).iter().map(|status| {
        let state = serde_json::to_string(&status.state).unwrap_or_default();
        format!("ready {}, restarts {}, {state}", status.ready, status.restart_count)
    });
    format!("{} {} on {}{leaving}: {}", pod.name_any(), image(pod), node(pod), states.collect::<String>())
}
