//! A failed receiver: one team's receiver answers 503 while life goes on; the other team notices nothing; it recovers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cli::demo::cluster::Resource;
use crate::cli::demo::receiver::{Receiver, committed};
use crate::cli::demo::stage::{Finding, Stage, today};
use crate::cli::say;
use crate::simulate::consumer::{Behaviour, Received};

/// Lets the sample's receiver fail over two imports, and recover.
pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<Finding> {
    let own = stage.places.own.clone();
    let casework = Resource { namespace: &own, kind: "ConsumerSystem", name: "casework" };
    let began = Timestamp::now();
    say("— the casework receiver fails; three persons get a new name, and the schools hear of it all the same");
    stage.casework.consumer.behave(Behaviour::Status { status: 503 });
    let three = &stage.cast.pupils[1..];
    for (person, name) in three.iter().zip(["Birgit", "Carla", "Ditte"]) {
        stage.register.rename(person, Some(name), None, today())?;
    }
    let heard = ["scope.entered", "name.changed"].repeat(3);
    stage.schools.expect(&heard);
    stage.tell().await?;
    stage.show_condition(&casework, "Delivering", "CircuitOpen").await?;
    say("— and other numbers, meanwhile");
    for person in &stage.cast.pupils[1..] {
        stage.register.change_number(person, today())?;
    }
    let more = ["number.changed"].repeat(3);
    stage.schools.expect(&more);
    stage.tell().await?;
    let failed_until = Timestamp::now();

    say("— it recovers: everything arrives, in order for each person");
    stage.casework.consumer.behave(Behaviour::Accept);
    stage.casework.expect(&[heard, more].concat());
    stage.until_heard().await?;
    stage.show_condition(&casework, "Delivering", "Delivering").await?;
    stage.casework.has_failed(began, failed_until);
    let late = of(&stage.casework, began, failed_until);
    let meanwhile = of(&stage.schools, began, failed_until).into_iter().filter(|one| one.at < failed_until).count();
    Ok(Finding {
        good: late.len() == 9 && meanwhile == 9 && in_order(&late),
        said: format!(
            "the failed receiver: {} arrived in order after it recovered, {meanwhile} at the other meanwhile",
            late.len()
        ),
    })
}

/// What was committed in a time.
fn of(receiver: &Receiver, from: Timestamp, to: Timestamp) -> Vec<Received> {
    let within = |one: &Received| committed(one).is_some_and(|at| (from..to).contains(&at));
    receiver.accepted().into_iter().filter(within).collect()
}

/// Whether each person's events came as they were committed: entered, name, number.
fn in_order(all: &[Received]) -> bool {
    let mut by_person = BTreeMap::<&str, Vec<&str>>::new();
    for one in all {
        by_person.entry(one.reference.as_deref().unwrap_or_default()).or_default().push(&one.kind);
    }
    by_person.len() == 3
        && by_person.values().all(|kinds| kinds == &["scope.entered", "name.changed", "number.changed"])
}
