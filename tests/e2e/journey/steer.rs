//! What a tenant changes of a consumer.

use anyhow::{Result, ensure};
use cpr_operator::operator::workers::names::Role;

use crate::manifests::{SIGNING, fill};
use crate::pods;
use crate::site::{SECRET, Site};
use crate::tools::{apply, kubectl, until};

/// The signing secret that follows.
const NEXT: &str = "whsec_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// A new secret: taken in without another pod, proved, and then used alone.
pub async fn rotate(site: &Site) -> Result<String> {
    let receiver = &site.receivers[0];
    let selector = pods::of(Role::Deliver, receiver.name);
    let before = pods::uids(&site.client, &selector).await?;
    receiver.consumer.set_secrets(&[SECRET.to_owned(), NEXT.to_owned()])?;
    apply(&fill(SIGNING, &[("name", receiver.name), ("secret", NEXT)])?).await?;
    until("deliveries signed with the new secret alone", async || {
        let last = receiver.consumer.received().into_iter().rfind(|one| one.kind != "endpoint.verify");
        let verified_by = last.map(|one| (one.verified_by, one.signatures));
        ensure!(verified_by == Some((vec![1], 1)), "the last is verified by {verified_by:?}, of 0 and 1");
        Ok(())
    })
    .await?;
    receiver.consumer.set_secrets(&[NEXT.to_owned()])?;
    let found = site.goes_on().await?;
    ensure!(pods::uids(&site.client, &selector).await? == before, "the same pods");
    let forged = receiver.consumer.report().forged;
    ensure!(forged == 0, "each delivery signed with a secret that the receiver knows, but found {forged} others");
    Ok(format!("in use alone, no other pod, {found}"))
}

/// So many workers for a consumer, no more and no fewer.
pub async fn scale(site: &Site, count: usize) -> Result<String> {
    let name = site.receivers[0].name;
    let patch = format!(r#"{{"spec": {{"workers": {{"min": {count}, "max": {count}}}}}}}"#);
    kubectl(&["patch", "-n", "town", "consumersystem", name, "--type", "merge", "--patch", &patch]).await?;
    pods::until_ready(&site.client, &pods::of(Role::Deliver, name), count).await?;
    Ok(format!("{count} ready, {}", site.goes_on().await?))
}
