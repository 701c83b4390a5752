//! Memory of a process that delivers while a million deliveries wait for a consumer that is slow.

use std::time::{Duration, Instant};

use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::event_type::EventType;

use super::program::Program;
use super::receiver::Receiver;
use super::runtime;
use super::site::Site;
use super::table::{Goal, Row};
use super::world::World;

/// Events, each with a delivery for each of so many types.
const EVENTS: u32 = 100_000;
const TYPES: usize = 10;
const PERSONS: u32 = 50_000;
/// When it has taken in what it takes.
const SETTLED: Duration = Duration::from_secs(15);
/// For how long it is looked at.
const LOOK: Duration = Duration::from_secs(60);

/// Resident memory beside a receiver that needs five seconds, and beside one that answers at once.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let Some(_) = super::site::server()? else { return Ok(Vec::new()) };
    let receiver = Receiver::start()?;
    runtime()?.block_on(async {
        let site = Site::new().await?;
        let world = World::open(&site).await?;
        let consumer = world.consumer("one", receiver.url("slow")?).await?;
        let to = (consumer, world.subscribe((consumer, "one"), "everyone", Selector::everyone()).await?);
        let people = world.people(PERSONS, &[consumer]).await?;
        world.moves_as(EVENTS, &people, &[to], &EventType::ALL[..TYPES]).await?;
        site.analyse().await?;
        let slow = look(&site, SETTLED + LOOK).await?;
        world.consumer("one", receiver.url("instant")?).await?;
        let quick = look(&site, SETTLED + LOOK / 3).await?;
        world.store.close().await;
        let most = |seen: &[f64]| seen.iter().copied().fold(0.0, f64::max);
        Ok(vec![
            Row::new(
                "backlog: most resident, a million waiting, slow receiver",
                most(&slow),
                "MB",
                Goal::AtMost(100.0),
            ),
            Row::new("backlog: its last to its first after 15 s", growth(&slow), "", Goal::AtMost(1.1)),
            Row::new("backlog: most resident while it is drained", most(&quick), "MB", Goal::AtMost(100.0)),
            Row::new("backlog: its last to its first after 15 s", growth(&quick), "", Goal::AtMost(1.1)),
        ])
    })
}

fn growth(seen: &[f64]) -> f64 {
    let settled = seen.get(SETTLED.as_secs() as usize).copied().unwrap_or(f64::NAN);
    seen.last().copied().unwrap_or(f64::NAN) / settled
}

/// Resident memory, once a second.
async fn look(site: &Site, time: Duration) -> anyhow::Result<Vec<f64>> {
    let program = Program::deliver(site, "one").await?;
    let (began, mut seen) = (Instant::now(), Vec::new());
    while began.elapsed() < time {
        tokio::time::sleep(Duration::from_secs(1)).await;
        seen.push(program.memory()?.resident);
    }
    program.stop().await?;
    Ok(seen)
}
