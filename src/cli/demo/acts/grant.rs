//! A grant: another team uses the source as far as the authority lets it, and is refused what lies beyond.

use std::collections::BTreeSet;

use crate::cli::demo::cluster::Resource;
use crate::cli::demo::stage::{Finding, Stage, today};
use crate::cli::say;

/// The groups of `manifests/grant.yaml`, and protection, which goes with all that it governs.
const GRANTED: &[&str] = &["Number", "Status", "Name", "Protection"];

/// Lets another team ask without a grant, beyond a grant, and within it.
pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let (own, theirs) = (stage.places.own.clone(), stage.places.theirs.clone());
    let citizens = Resource { namespace: &theirs, kind: "CprSubscription", name: "schools-citizens" };
    say("— another team, in another namespace, asks for the source without a grant");
    stage.cluster.apply(&theirs, stage.places.schools()?).await?;
    stage.show_condition(&citizens, "ReferencesResolved", "NotGranted").await?;
    say("— the authority grants it number, status and name; it asks for the address too");
    stage.cluster.apply(&own, stage.places.source_with_grant()?).await?;
    stage.show_condition(&citizens, "ReferencesResolved", "FieldsNotGranted").await?;
    say("— it asks for no address any more");
    stage.cluster.apply(&theirs, stage.places.schools_mended()?).await?;
    stage.show_condition(&citizens, "Ready", "Succeeded").await?;

    say("— a new name: both teams hear of it, each under a reference of its own");
    let pupil = &stage.cast.pupils[0];
    stage.register.rename(pupil, Some("Astrid"), None, today())?;
    stage.casework.expect(&["scope.entered", "name.changed"]);
    stage.schools.expect(&["scope.entered", "name.changed"]);
    stage.tell().await?;
    say("— a new address: not granted, so one team hears of it");
    stage.register.move_within(&stage.cast.pupils[0], today())?;
    stage.casework.expect(&["moved.within"]);
    stage.tell().await
}

/// Holds all that the other team was told against its grant.
pub fn judge(stage: &Stage<'_>) -> Finding {
    let told = stage.schools.accepted();
    let groups = |one: &serde_json::Value| {
        one["data"]["fields"].as_object().map(|all| all.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    let beyond = told.iter().filter(|one| {
        let beyond_fields = groups(&one.body).iter().any(|group| !GRANTED.contains(&group.as_str()));
        beyond_fields || one.kind == "moved.within" || one.kind.starts_with("address.")
    });
    let beyond = beyond.count();
    let references = |all: Vec<_>| all.into_iter().filter_map(|one: crate::simulate::consumer::Received| one.reference);
    let ours: BTreeSet<String> = references(stage.casework.accepted()).collect();
    let shared = references(told.clone()).filter(|one| ours.contains(one)).count();
    Finding {
        good: !told.is_empty() && beyond + shared == 0,
        said: format!(
            "the grant: {} told to the other team, {beyond} beyond it, {shared} references shared",
            told.len()
        ),
    }
}
