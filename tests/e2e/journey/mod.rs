//! The journey, step by step. After each step it goes on: everything that happened in the register until then has arrived.

mod disturb;
mod finish;
mod install;
mod steer;
mod upgrade;

use anyhow::Result;
use cpr_operator::simulate::consumer::Behaviour;

use crate::site::Site;
use crate::steps::step;
use crate::verdict;

/// How many pods there are: two of the operator, two that read, one for each receiver.
const PODS: usize = 6;

/// Goes through all of it.
pub async fn run(site: &mut Site) -> Result<()> {
    step("images", install::images(site)).await?;
    step("installation by helm", install::chart(site)).await?;
    step("resources of a tenant", install::resources(site)).await?;
    // Slow enough that something is always under way.
    site.receivers[0].consumer.behave(Behaviour::Slow { millis: 300 });
    site.load.begin();
    step("a new name for everybody", install::first_changes(site)).await?;
    step("the doctor, asked in a pod", install::doctor()).await?;
    step("a process of each role is killed", disturb::kill_processes(site)).await?;
    step("upgrade", upgrade::upgrade(site)).await?;
    step("rollback", upgrade::roll_back(site)).await?;
    step("a worker that delivers is killed", disturb::kill_deliver(site)).await?;
    step("the workers that read are killed", disturb::kill_ingest(site)).await?;
    step("a node is drained", disturb::drain(site)).await?;
    step("a signing secret is changed", steer::rotate(site)).await?;
    step("three workers for a consumer", steer::scale(site, 3)).await?;
    step("one again", steer::scale(site, 1)).await?;
    step("a pooler before PostgreSQL", upgrade::behind_pooler(site)).await?;
    step("PostgreSQL crashes", disturb::crash_database(site)).await?;
    site.load.end().await?;
    step("verdict", verdict::judge(site)).await?;
    step("what pods logged", async { site.logs.judge(&site.violence) }).await?;
    step("a subscription is deleted", finish::delete_subscription(site)).await?;
    step("uninstallation", finish::uninstall(site)).await?;
    step("resources are deleted", finish::delete_resources()).await
}
