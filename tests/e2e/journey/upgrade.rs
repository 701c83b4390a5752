//! Every pod is replaced: by one of another image, by one of the former again, by one with other settings.

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::PODS;
use crate::database::Way;
use crate::pods;
use crate::site::Site;
use crate::tools::{helm, root};

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

/// To settings by which all go through a pooler, but for the one connection on which each listens.
pub async fn behind_pooler(site: &Site) -> Result<String> {
    site.database.hand_addresses(Way::Pooler).await?;
    let chart = root().join("charts/cpr-operator").display().to_string();
    let pooler = "database.pooler=true,database.listenUrl=true";
    let upgrade = ["upgrade", "cpr", &chart, "--reset-then-reuse-values", "--set", pooler, "--wait", "--timeout", "3m"];
    replaced(site, &upgrade, "cpr-operator:0.1.0").await
}

async fn replaced(site: &Site, command: &[&str], image: &str) -> Result<String> {
    let before = pods::uids(&site.client, "").await?;
    helm(command).await?;
    let is_new = |pod: &Pod| pods::image(pod) == image && !before.contains_key(&pod.name_any()) && pods::is_ready(pod);
    pods::until_all(&site.client, "", &format!("every pod is another, of {image}"), PODS, is_new).await?;
    Ok(format!("{PODS} pods replaced, {}", site.goes_on().await?))
}
