//! What clusters do to pods, and servers to databases.

use anyhow::{Result, ensure};
use cpr_operator::operator::workers::names::Role;
use jiff::Timestamp;

use super::PODS;
use crate::pods;
use crate::site::Site;
use crate::tools::kubectl;

/// A pod that delivers is killed without time to finish.
pub async fn kill_deliver(site: &Site) -> Result<String> {
    kill(site, &pods::of(Role::Deliver, "casework"), 1).await
}

/// Both pods that read are killed, the one that works and the one that stands by.
pub async fn kill_ingest(site: &Site) -> Result<String> {
    kill(site, &pods::of(Role::Ingest, "register"), 2).await
}

async fn kill(site: &Site, selector: &str, count: usize) -> Result<String> {
    let before = pods::until_ready(&site.client, selector, count).await?;
    let since = Timestamp::now();
    kubectl(&["delete", "pods", "-n", "cpr-system", "--selector", selector, "--grace-period", "0", "--force"]).await?;
    site.note_violence(since);
    let after = pods::until_ready(&site.client, selector, count).await?;
    ensure!(!after.keys().any(|name| before.contains_key(name)), "other pods, but found {after:?}");
    Ok(format!("{count} replaced, {}", site.goes_on().await?))
}

/// All pods leave a node, and come back to it or not.
pub async fn drain(site: &Site) -> Result<String> {
    kubectl(&["drain", "node-1", "--delete-emptydir-data", "--timeout", "150s"]).await?;
    pods::until_ready(&site.client, "", PODS).await?;
    let left: Vec<_> =
        pods::list(&site.client, "").await?.into_iter().filter(|pod| pods::node(pod) == "node-1").collect();
    ensure!(left.is_empty(), "no pod on the drained node, but found {}", left.len());
    let found = site.goes_on().await?;
    kubectl(&["uncordon", "node-1"]).await?;
    Ok(format!("{PODS} pods on the other, {found}"))
}

/// The database ends without warning and comes back; no process ends for it.
pub async fn crash_database(site: &Site) -> Result<String> {
    let before = pods::uids(&site.client, "").await?;
    let since = Timestamp::now();
    site.database.crash().await?;
    site.note_violence(since);
    let found = site.goes_on().await?;
    let after = pods::until_ready(&site.client, "", PODS).await?;
    ensure!(before == after, "the same pods, but found {after:?} after {before:?}");
    Ok(format!("the same pods, {found}"))
}
