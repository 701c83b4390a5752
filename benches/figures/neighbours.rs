//! What fifty consumers notice of a dead one and a slow one among them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use cpr_operator::delivery;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::runtime::probes::Health;
use cpr_operator::store::keys::Ensured;
use cpr_operator::store::{ConsumerId, SubscriptionId};
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;
use super::site::Site;
use super::table::{Goal, Row};
use super::world::World;
use super::{median, runtime};

const PAIRS: usize = 5;
/// Consumers that are well in both halves of a pair; two more are well, or dead and slow.
const WELL: usize = 48;
const PERSONS: u32 = 500;
/// Events that wait for each consumer.
const BACKLOG: u32 = 400;
/// Then for so long one event each time, for all of them.
const PACED: u32 = 100;
const PACE: Duration = Duration::from_millis(25);

/// How the others fare, with both and without.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let (mut rates, mut slower, mut later, mut p99) = (vec![], vec![], vec![], vec![]);
    for _ in 0..PAIRS {
        let without = runtime()?.block_on(run(false))?;
        let with = runtime()?.block_on(run(true))?;
        rates.push(without.rate);
        p99.push(without.p99 * 1e3);
        slower.push(with.rate / without.rate);
        later.push(with.p99 / without.p99);
    }
    let pairs = "median of five pairs";
    Ok(vec![
        Row::known("neighbours: 48 of 50 consumers, their backlogs drained", median(rates), "/s"),
        Row::known("neighbours: the same at 2,000/s, p99", median(p99), "ms"),
        Row::new(
            format!("neighbours: rate beside a dead and a slow one, {pairs}"),
            median(slower),
            "",
            Goal::AtLeast(0.95),
        ),
        Row::new(format!("neighbours: p99 beside them, {pairs}"), median(later), "", Goal::AtMost(1.5)),
    ])
}

struct Fared {
    rate: f64,
    p99: f64,
}

async fn run(with: bool) -> anyhow::Result<Fared> {
    let (site, recorder, others) = (Site::new().await?, Recorder::start()?, Recorder::start()?);
    let world = World::open(&site).await?;
    let (mut to, mut all): (Vec<(ConsumerId, SubscriptionId)>, Vec<ConsumerId>) = (Vec::new(), Vec::new());
    for n in 0..WELL + 2 {
        let name = format!("consumer-{n}");
        let url = match n {
            0 if with => dead()?,
            1 if with => others.url("slow")?,
            0 | 1 => others.url("instant")?,
            _ => recorder.url("instant")?,
        };
        let id = world.consumer(&name, url).await?;
        to.push((id, world.subscribe((id, &name), &name, Selector::everyone()).await?));
        all.push(id);
    }
    let people = world.people(PERSONS, &all).await?;
    world.moves(BACKLOG, &people, &to).await?;
    let (stop, pulse) = (CancellationToken::new(), Health::default().watch("delivery", Duration::MAX));
    let began = Instant::now();
    let running = tokio::spawn(delivery::run(world.delivery(), stop.clone(), pulse));
    let waiting = u64::from(BACKLOG) * WELL as u64;
    recorder.wait_for(waiting).await;
    let rate = waiting as f64 / began.elapsed().as_secs_f64();
    recorder.take();
    let p99 = paced(&world, &people, &to, &recorder, waiting).await?;
    stop.cancel();
    running.await?;
    world.store.close().await;
    Ok(Fared { rate, p99 })
}

async fn paced(
    world: &World,
    people: &[Ensured],
    to: &[(ConsumerId, SubscriptionId)],
    recorder: &Recorder,
    before: u64,
) -> anyhow::Result<f64> {
    let mut ticks = tokio::time::interval(PACE);
    let mut committed: Vec<(i64, Instant)> = Vec::new();
    for n in 0..PACED {
        ticks.tick().await;
        let last = world.moves(1, &people[n as usize..], to).await?;
        committed.push((last, Instant::now()));
    }
    recorder.wait_for(before + u64::from(PACED) * WELL as u64).await;
    let mut times: Vec<Duration> = recorder
        .take()
        .into_iter()
        .filter_map(|(number, came)| {
            let at = committed.partition_point(|(last, _)| *last < number);
            committed.get(at).map(|(_, committed)| came.saturating_duration_since(*committed))
        })
        .collect();
    times.sort();
    Ok(times[times.len() * 99 / 100].as_secs_f64())
}

/// Where nobody listens any more.
fn dead() -> anyhow::Result<url::Url> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok(format!("http://127.0.0.1:{port}/").parse()?)
}
