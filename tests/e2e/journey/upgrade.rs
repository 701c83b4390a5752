//! Every pod is replaced by one of another image, and back again.

use anyhow::{Result, ensure};
use kube::ResourceExt;

use super::PODS;
use crate::pods;
use crate::site::Site;
use crate::tools::{helm, root, until};

/// To the second image.
pub async fn upgrade(site: &Site) -> Result<String> {
    let chart = root().join("charts/cpr-operator").display().to_string();
    let upgrade = [
        "upgrade",
        "cpr",
        &chart,
        "--reset-then-reuse-values",
        "--set",
        "image.tag=0.2.0",
        "--wait",
        "--timeout",
        "3m",
    ];
    replaced(site, &upgrade, "cpr-operator:0.2.0").await
}

/// To the first revision of the release.
pub async fn roll_back(site: &Site) -> Result<String> {
    replaced(site, &["rollback", "cpr", "1", "--wait", "--timeout", "3m"], "cpr-operator:0.1.0").await
}

async fn replaced(site: &Site, command: &[&str], image: &str) -> Result<String> {
    let before = pods::uids(&site.client, "").await?;
    helm(command).await?;
    until(&format!("every pod runs {image}"), async || {
        let pods = pods::list(&site.client, "").await?;
        let others: Vec<_> = pods.iter().filter(|pod| pods::image(pod) != image).map(|pod| pod.name_any()).collect();
        ensure!(others.is_empty() && pods.len() == PODS, "{} pods, of which others run {others:?}", pods.len());
        Ok(())
    })
    .await?;
    let after = pods::until_ready(&site.client, "", PODS).await?;
    ensure!(!after.keys().any(|name| before.contains_key(name)), "every pod replaced, but found {before:?}, {after:?}");
    Ok(format!("{PODS} pods replaced, {}", site.goes_on().await?))
}
