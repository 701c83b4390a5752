//! How it ends, and what stays.

use anyhow::{Context, Result, ensure};
use cpr_operator::operator::workers::names::Role;

use crate::pods;
use crate::site::Site;
use crate::tools::{helm, kubectl, until};

/// What the platform team made beside the release, and what every namespace has.
const BESIDE: [&str; 8] = [
    "secret/database",
    "secret/database-deliver",
    "secret/database-ingest",
    "secret/root-key",
    "service/database",
    "serviceaccount/default",
    "configmap/kube-root-ca.crt",
    "endpointslice.discovery.k8s.io/database",
];

/// The kinds of objects that a release or a worker has in its namespace.
const KINDS: &str = "deployments,replicasets,pods,secrets,configmaps,services,serviceaccounts,networkpolicies,\
                     poddisruptionbudgets,roles,rolebindings,endpointslices";

/// Our kinds.
const OURS: &str = "cprsources,consumersystems,cprsubscriptions";

/// The end is told, and then there is nothing to do for the consumer's worker.
pub async fn delete_subscription(site: &Site) -> Result<String> {
    let receiver = &site.receivers[1];
    kubectl(&["delete", "-n", "town", "cprsubscription", receiver.name, "--timeout", "60s"]).await?;
    until("subscription.ended", async || {
        let told = receiver.consumer.received().into_iter().any(|one| one.accepted && one.kind == "subscription.ended");
        ensure!(told, "{:?}", receiver.consumer.report());
        Ok(())
    })
    .await?;
    pods::until_ready(&site.client, &pods::of(Role::Deliver, receiver.name), 0).await?;
    Ok("its end was told, and its worker has no pods".to_owned())
}

/// All of the release and all workers go; definitions and resources stay.
pub async fn uninstall(_site: &Site) -> Result<String> {
    let resources = names(&["get", OURS, "-n", "town"]).await?;
    let definitions = names(&["get", "crd"]).await?;
    helm(&["uninstall", "cpr", "--wait", "--timeout", "2m"]).await?;
    until("nothing of the release and of the workers", async || {
        let left = names(&["get", KINDS, "-n", "cpr-system"]).await?;
        let left: Vec<_> = left.iter().filter(|name| !BESIDE.contains(&name.as_str())).collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await?;
    for (what, arguments, before) in
        [("resources", &["get", OURS, "-n", "town"][..], &resources), ("definitions", &["get", "crd"], &definitions)]
    {
        let after = names(arguments).await?;
        ensure!(after == *before && !after.is_empty(), "the same {what}, but found {after:?} after {before:?}");
    }
    Ok(format!("nothing is left but {} resources and {} definitions", resources.len(), definitions.len()))
}

/// Without an operator, what stayed can be deleted all the same.
pub async fn delete_resources() -> Result<String> {
    kubectl(&["delete", "namespace", "town", "--timeout", "60s"]).await.context("the tenant's namespace")?;
    let definitions = names(&["get", "crd"]).await?;
    for definition in &definitions {
        kubectl(&["delete", definition, "--timeout", "60s"]).await?;
    }
    Ok(format!("the tenant's namespace and {} definitions are gone", definitions.len()))
}

async fn names(arguments: &[&str]) -> Result<Vec<String>> {
    let said = kubectl(&[arguments, &["-o", "name"]].concat()).await?;
    Ok(said.lines().map(str::to_owned).collect())
}
