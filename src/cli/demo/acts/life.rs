//! Life: what happens to citizens, import by import, and what is heard of it.

use anyhow::Context;
use jiff::civil::Date;

use crate::cli::demo::stage::{OTHER, OURS, Stage, today};
use crate::cli::say;
use crate::simulate::datafordeler::{Error, Protection, Register};

/// Lets life happen, one import after another, and waits after each until its events have arrived.
pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    for (what, happens, types) in chapters() {
        say(&format!("— {what}"));
        happens(&stage.register, &stage.cast.mover, &stage.cast.citizen, today()).with_context(|| what.to_owned())?;
        stage.casework.expect(types);
        stage.tell().await.with_context(|| what.to_owned())?;
    }
    Ok(())
}

type Happens = fn(&Register, &str, &str, Date) -> Result<(), Error>;

/// Each import: what happens in it, and the types that are heard of it.
fn chapters() -> Vec<(&'static str, Happens, &'static [&'static str])> {
    vec![
        ("someone moves in", |r, m, _, on| r.move_to(m, OURS, on), &["scope.entered", "moved.in"]),
        ("someone else moves within", |r, _, c, on| r.move_within(c, on), &["scope.entered", "moved.within"]),
        ("a new name", |r, m, _, on| r.rename(m, Some("Solveig"), None, on), &["name.changed"]),
        (
            "name and address are protected",
            |r, m, _, on| r.protect(m, Protection::NameAndAddress, on, None),
            &["protection.started"],
        ),
        ("the protection ends", |r, m, _, on| r.unprotect(m, on), &["protection.ended"]),
        ("another CPR number", |r, m, _, on| r.change_number(m, on), &["number.changed"]),
        ("a death is registered", |r, _, c, on| r.die(c, on), &["died", "civil-status.changed"]),
        ("it was a mistake", |r, _, c, _| r.annul_death(c), &["death.annulled", "civil-status.changed"]),
        ("and a move out", |r, m, _, on| r.move_to(m, OTHER, on), &["moved.out", "scope.left"]),
    ]
}
