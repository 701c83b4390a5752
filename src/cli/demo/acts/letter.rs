//! A dead letter: one person's event is refused until it is given up, found with a tool, and sent once more.

use crate::cli::demo::cluster::Resource;
use crate::cli::demo::stage::{Finding, Stage, today};
use crate::cli::say;
use crate::simulate::consumer::Behaviour;

/// The type that the receiver refuses.
const REFUSED: &str = "number.changed";

/// Lets the schools' receiver refuse a type, and has what was given up sent once more.
pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<Finding> {
    let theirs = stage.places.theirs.clone();
    let schools = Resource { namespace: &theirs, kind: "ConsumerSystem", name: "schools" };
    say("— the schools' receiver answers 422 to another number; everything else is taken");
    stage.schools.consumer.behave(Behaviour::RefuseType { refused: REFUSED.to_owned(), status: 422 });
    stage.register.change_number(&stage.cast.pupils[0], today())?;
    stage.register.die(&stage.cast.pupils[1], today())?;
    stage.casework.expect(&["number.changed", "died", "civil-status.changed"]);
    // What was given up is followed by a snapshot, so that the receiver has the present state at least.
    stage.schools.expect(&["died", "snapshot"]);
    stage.tell().await?;
    stage.show_condition(&schools, "DeadLettersPresent", "GivenUp").await?;
    let consumer = format!("{theirs}/schools");
    let listed = stage.tool(&["deadletters", "list", "--consumer", &consumer], "", "").await?;

    say("— the receiver is mended, and the letter sent once more");
    stage.schools.consumer.behave(Behaviour::Accept);
    stage.tool(&["deadletters", "retry", "--consumer", &consumer, "--all"], "", "").await?;
    stage.schools.expect(&[REFUSED]);
    stage.until_heard().await?;
    stage.tool(&["deadletters", "list", "--consumer", &consumer], "", "").await?;
    let given_up = listed.matches(REFUSED).count();
    let again = stage.schools.accepted().into_iter().filter(|one| one.replayed).count();
    Ok(Finding {
        good: (given_up, again) == (1, 1),
        said: format!("the dead letter: {given_up} given up, {again} arrived when sent again"),
    })
}
