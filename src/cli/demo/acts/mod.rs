//! The acts of the demo, one after another.

mod grant;
mod letter;
mod life;
mod list;
mod outage;

use anyhow::Context;

use super::stage::{Finding, Stage};

/// Plays them all. What they have shown.
pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<Vec<Finding>> {
    life::play(stage).await?;
    let list = list::play(stage).await.context("the list")?;
    grant::play(stage).await.context("the grant")?;
    let outage = outage::play(stage).await.context("the failed receiver")?;
    let letter = letter::play(stage).await.context("the dead letter")?;
    Ok(vec![list, grant::judge(stage), outage, letter])
}
