//! A list: persons who are followed wherever they live, added by the tool that reads their numbers from standard input.

use std::collections::BTreeSet;

use anyhow::ensure;

use crate::cli::demo::cluster::Resource;
use crate::cli::demo::stage::{Finding, Stage, today};
use crate::cli::say;

/// A number that nobody has.
const NOBODYS: &str = "6101800001";

/// Puts two persons who live elsewhere on a list, and lets something happen to one.
pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<Finding> {
    say("— a list: two clients who live elsewhere, and a number that nobody has");
    let own = stage.places.own.clone();
    stage.cluster.apply(&own, stage.places.clients()?).await?;
    stage.until_ready(&Resource { namespace: &own, kind: "CprSubscription", name: "casework-clients" }).await?;
    let [first, second] = [0, 1].map(|at| stage.number_of(&stage.cast.clients[at]));
    let numbers = [first?, second?, NOBODYS.to_owned()];
    stage.casework.expect(&["scope.entered", "scope.entered"]);
    let subscription = format!("{own}/casework-clients");
    let words = ["persons", "add", "--subscription", &subscription];
    let printed = stage.tool(&words, " < numbers", &numbers.join("\n")).await?;
    ensure!(numbers.iter().all(|number| !printed.contains(number)), "a number was shown");
    stage.until_heard().await?;

    say("— one of them gets a new name");
    stage.register.rename(&stage.cast.clients[0], Some("Ingrid"), None, today())?;
    stage.casework.expect(&["name.changed"]);
    stage.tell().await?;
    Ok(judge(stage, &printed))
}

fn judge(stage: &Stage<'_>, printed: &str) -> Finding {
    let listed: BTreeSet<&str> = printed.split_whitespace().filter(|word| word.starts_with("p_")).collect();
    let accepted = stage.casework.accepted();
    let entered = accepted.iter().filter(|one| one.body["data"]["reason"] == "Listed");
    let told = entered.filter_map(|one| one.reference.as_deref()).filter(|one| listed.contains(one)).count();
    let unknown = printed.matches("Unknown").count();
    Finding {
        good: (listed.len(), told, unknown) == (2, 2, 1),
        said: format!("the list: {} taken and {told} told of, {unknown} unknown, no number shown", listed.len()),
    }
}
