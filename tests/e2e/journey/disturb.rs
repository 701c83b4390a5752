//! What clusters do to pods, and servers to databases.

use std::path::Path;

use anyhow::{Result, ensure};
use cpr_operator::operator::workers::names::Role;
use jiff::Timestamp;

use super::PODS;
use crate::pods;
use crate::site::Site;
use crate::tools::{kubectl, run, until};

/// Processes of each role end without warning, and their containers are started again in the same pods.
pub async fn kill_processes(site: &Site) -> Result<String> {
    let before = pods::uids(&site.client, "").await?;
    let since = Timestamp::now();
    let roles = [["deliver", "town/casework"], ["ingest", "town/register"], ["operator", "--config"]];
    let pids: Vec<String> = roles.iter().flat_map(processes).collect();
    run(Path::new("/bin/sh"), &["-c", &format!("kill -KILL {}", pids.join(" "))], "").await?;
    until("each container was started again", async || {
        let restarts = pods::restarts(&site.client).await?;
        ensure!(usize::try_from(restarts)? == pids.len(), "{restarts} of {}", pids.len());
        Ok(())
    })
    .await?;
    site.violence.note(since);
    let after = pods::until_ready(&site.client, "", PODS).await?;
    ensure!(before == after, "the same pods, but found {after:?} after {before:?}");
    let found = site.arrives().await?;
    let restarts = pods::restarts(&site.client).await?;
    ensure!(
        usize::try_from(restarts)? == pids.len(),
        "each started again once, but found {restarts} of {}",
        pids.len()
    );
    Ok(format!("{} started again, {found}", pids.len()))
}

/// The product's processes in pods with these words among their arguments. What runs outside of the cluster is not seen here.
fn processes(words: &[&str; 2]) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok()?.parse::<u32>().ok());
    let fits = |pid: &u32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line: Vec<&str> = line.split('\0').collect();
        line[0] == "/usr/local/bin/cpr-operator" && words.iter().all(|word| line.contains(word))
    };
    pids.filter(fits).map(|pid| pid.to_string()).collect()
}

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
    site.violence.note(since);
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
    let found = site.goes_on().await?;
    // The pooler refuses for a while after the server has come back.
    site.violence.note(since);
    let after = pods::until_ready(&site.client, "", PODS).await?;
    ensure!(before == after, "the same pods, but found {after:?} after {before:?}");
    Ok(format!("the same pods, {found}"))
}
