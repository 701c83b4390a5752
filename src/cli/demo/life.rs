//! What happens to the demo's citizens, and what the consumer has to hear of it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use crate::cli::say;
use crate::runtime::clock::Clock;
use crate::simulate::consumer::Consumer;
use crate::simulate::datafordeler::{Protection, Register};

/// The municipality of the sample subscription, and another one.
const OURS: &str = "0851";
const OTHER: &str = "0461";

/// Lets life happen, one import after another, and waits after each until its events have arrived. Gives the types that
/// had to arrive, in no order.
pub async fn live(
    register: &Register,
    consumer: &Consumer,
    patience: Duration,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<&'static str>> {
    let today = Clock::system().today();
    let years_ago = today.saturating_sub(jiff::Span::new().years(6));
    let mover = register.settle(OTHER, years_ago)?;
    let citizen = register.settle(OURS, years_ago)?;
    let mut expected = Vec::new();
    for (what, happens, types) in chapters() {
        if stop.is_cancelled() {
            break;
        }
        say(&format!("            — {what}"));
        happens(register, &mover, &citizen, today).with_context(|| what.to_owned())?;
        register.load();
        expected.extend_from_slice(types);
        until_heard(consumer, &expected, patience).await.with_context(|| what.to_owned())?;
    }
    Ok(expected)
}

type Happens = fn(&Register, &str, &str, Date) -> Result<(), crate::simulate::datafordeler::Error>;

/// Each import: what happens in it, and the types that the consumer hears of it.
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
        ("a death is registered", |r, _, c, on| r.die(c, on), &["died"]),
        ("it was a mistake", |r, _, c, _| r.annul_death(c), &["death.annulled"]),
        ("and a move out", |r, m, _, on| r.move_to(m, OTHER, on), &["moved.out", "scope.left"]),
    ]
}

async fn until_heard(consumer: &Consumer, expected: &[&str], patience: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let missing = missing(consumer, expected);
        if missing.is_empty() {
            return Ok(());
        }
        if began.elapsed() > patience {
            bail!("never arrived: {}", missing.join(", "));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Of the expected types those that have not arrived as often as they should.
pub fn missing(consumer: &Consumer, expected: &[&str]) -> Vec<String> {
    let mut arrived: Vec<String> =
        consumer.received().into_iter().filter(|one| one.accepted && !one.duplicate).map(|one| one.kind).collect();
    let mut missing = Vec::new();
    for kind in expected {
        match arrived.iter().position(|one| one == kind) {
            Some(at) => drop(arrived.swap_remove(at)),
            None => missing.push((*kind).to_owned()),
        }
    }
    missing
}
