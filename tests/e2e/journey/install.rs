//! From nothing to a tenant whose resources work.

use anyhow::{Result, ensure};

use serde_json::Value;

use super::PODS;
use crate::manifests::{CONSUMER, SIGNING, SOURCE, fill};
use crate::pods::{self, OPERATOR};
use crate::site::{SECRET, Site};
use crate::tools::{apply, helm, kubectl, root, until};

/// The program as an image, twice.
pub async fn images(site: &Site) -> Result<String> {
    site.pack_images().await?;
    Ok("the program twice, as cpr-operator:0.1.0 and cpr-operator:0.2.0".to_owned())
}

/// The chart, on what a platform team prepares.
pub async fn chart(site: &Site) -> Result<String> {
    site.make_platform().await?;
    let (chart, values) = (root().join("charts/cpr-operator"), root().join("tests/e2e/manifests/values.yaml"));
    let (chart, values) = (chart.display().to_string(), values.display().to_string());
    apply("{apiVersion: v1, kind: Namespace, metadata: {name: town}}").await?;
    helm(&["install", "cpr", &chart, "--values", &values, "--wait", "--timeout", "2m"]).await?;
    let pods = pods::until_ready(&site.client, OPERATOR, 2).await?;
    Ok(format!("{} pods of the operator are ready", pods.len()))
}

/// A source, and two consumers with a subscription each.
pub async fn resources(site: &Site) -> Result<String> {
    site.name_outside().await?;
    apply(SOURCE).await?;
    let review = jiff::Zoned::now().date().saturating_add(jiff::Span::new().days(200)).to_string();
    for receiver in &site.receivers {
        apply(&fill(SIGNING, &[("name", receiver.name), ("secret", SECRET)])?).await?;
        let places: Vec<String> = receiver.municipalities.iter().map(|place| format!("\"{place}\"")).collect();
        let places = places.join(", ");
        let values = [("name", receiver.name), ("municipalities", places.as_str()), ("review_by", review.as_str())];
        apply(&fill(CONSUMER, &values)?).await?;
    }
    until_true("cprsource/register", &["WorkersAvailable", "FeedHealthy", "Ready"]).await?;
    for receiver in &site.receivers {
        let consumer = format!("consumersystem/{}", receiver.name);
        until_true(&consumer, &["WorkersAvailable", "EndpointVerified", "Ready"]).await?;
        until_true(&format!("cprsubscription/{}", receiver.name), &["Ready"]).await?;
    }
    pods::until_ready(&site.client, "", PODS).await?;
    Ok(format!("all are Ready, with workers: {PODS} pods"))
}

/// The first change of each person.
pub async fn first_changes(site: &Site) -> Result<String> {
    until("a new name for everybody", async || {
        let unchanged = site.load.rounds().iter().filter(|round| **round == 0).count();
        ensure!(unchanged == 0, "{unchanged} persons without one");
        Ok(())
    })
    .await?;
    site.goes_on().await
}

/// What docs/install.md says to look at.
pub async fn doctor() -> Result<String> {
    let ask = ["exec", "-n", "cpr-system", "deployment/cpr-cpr-operator", "--", "cpr-operator", "doctor", "-o", "json"];
    let checks: Vec<Value> = serde_json::from_str(&kubectl(&ask).await?)?;
    let other: Vec<_> = checks.iter().filter(|check| check["verdict"] != "Ok").collect();
    ensure!(
        checks.len() >= 8 && other.is_empty(),
        "at least 8 checks, all of them well, but found {other:?} of {checks:?}"
    );
    Ok(format!("{} checks, all of them well", checks.len()))
}

/// Waits until conditions of a resource are true.
async fn until_true(resource: &str, conditions: &[&str]) -> Result<()> {
    let what = format!("{resource}: {}", conditions.join(", "));
    until(&what, async || {
        let found: Value = serde_json::from_str(&kubectl(&["get", "-n", "town", resource, "-o", "json"]).await?)?;
        let all = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let holds = |type_: &str| all.iter().any(|one| one["type"] == type_ && one["status"] == "True");
        ensure!(conditions.iter().all(|type_| holds(type_)), "{:#}", found["status"]);
        Ok(())
    })
    .await
}
