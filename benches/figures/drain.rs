//! Draining: a backlog for instant receivers, and what a bare client reaches against the same one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cpr_operator::delivery;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::signing::SigningSecret;
use cpr_operator::runtime::probes::Health;
use http::Request;
use tokio_util::sync::CancellationToken;

use super::receiver::Receiver;
use super::site::Site;
use super::table::{Goal, Row};
use super::world::{AT_ONCE, World};
use super::{bare, cpu, median, runtime};

/// Deliveries that wait.
const DELIVERIES: u32 = 100_000;
/// Persons to whom they happened.
const PERSONS: u32 = 20_000;
const RUNS: usize = 3;
const CROWD: u32 = 10;

/// One drained backlog.
struct Drained {
    rate: f64,
    ours: f64,
    databases: f64,
    receivers: f64,
    bare: f64,
}

/// Deliveries a second to one and to ten consumers, the same as a part of a bare client's, and the processor time of one.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let (one, ten) = (drained(1)?, drained(CROWD)?);
    let of = |all: &[Drained], figure: fn(&Drained) -> f64| median(all.iter().map(figure).collect());
    Ok(vec![
        Row::new("drain: deliveries to one instant receiver", of(&one, |d| d.rate), "/s", Goal::AtLeast(30_000.0)),
        Row::new("drain: part of what a bare client reaches", of(&one, |d| d.rate / d.bare), "", Goal::AtLeast(0.35)),
        Row::known("drain: the bare client", of(&one, |d| d.bare), "/s"),
        Row::known("drain: processor time of a delivery, ours", of(&one, |d| d.ours), "µs"),
        Row::known("drain: processor time of a delivery, the database's", of(&one, |d| d.databases), "µs"),
        Row::known("drain: processor time of a delivery, the receiver's", of(&one, |d| d.receivers), "µs"),
        Row::new("drain: the same to ten consumers, in sum", of(&ten, |d| d.rate), "/s", Goal::AtLeast(25_000.0)),
        Row::known("drain: ten consumers, processor time of a delivery, ours", of(&ten, |d| d.ours), "µs"),
        Row::known(
            "drain: ten consumers, processor time of a delivery, the database's",
            of(&ten, |d| d.databases),
            "µs",
        ),
    ])
}

fn drained(consumers: u32) -> anyhow::Result<Vec<Drained>> {
    let receiver = Receiver::start()?;
    let seeded = runtime()?.block_on(async {
        let site = Site::new().await?;
        seed(&site, &receiver, consumers).await?;
        site.analyse().await?;
        anyhow::Ok(site)
    })?;
    (0..RUNS).map(|_| run(&seeded, &receiver, consumers)).collect()
}

fn run(seeded: &Site, receiver: &Receiver, consumers: u32) -> anyhow::Result<Drained> {
    let took = runtime()?.block_on(bare::post(request(receiver)?, u64::from(DELIVERIES), AT_ONCE as usize))?;
    let bare = f64::from(DELIVERIES) / took.as_secs_f64();
    runtime()?.block_on(async {
        let site = seeded.copy().await?;
        let (ours, database, receivers) = (cpu::own()?, site.cpu().await?, receiver.cpu()?);
        let took = drain(&site, receiver, consumers).await?;
        let each = |spent| cpu::each(spent, u64::from(DELIVERIES));
        Ok(Drained {
            rate: f64::from(DELIVERIES) / took.as_secs_f64(),
            ours: each(cpu::own()? - ours),
            databases: each(site.cpu().await? - database),
            receivers: each(receiver.cpu()? - receivers),
            bare,
        })
    })
}

/// A store with so many consumers and their backlogs, which are of the same length.
pub async fn seed(site: &Site, receiver: &Receiver, consumers: u32) -> anyhow::Result<()> {
    let world = World::open(site).await?;
    let mut to = Vec::new();
    for n in 0..consumers {
        let name = name(n);
        let consumer = world.consumer(&name, receiver.url("instant")?).await?;
        to.push((consumer, world.subscribe((consumer, &name), &name, Selector::everyone()).await?));
    }
    let all: Vec<_> = to.iter().map(|(consumer, _)| *consumer).collect();
    let people = world.people(PERSONS, &all).await?;
    world.moves(DELIVERIES / consumers, &people, &to).await?;
    world.store.close().await;
    Ok(())
}

/// The name of a consumer.
pub fn name(n: u32) -> String {
    format!("consumer-{n}")
}

/// Delivers what waits. How long it took until all was recorded.
pub async fn drain(site: &Site, receiver: &Receiver, consumers: u32) -> anyhow::Result<Duration> {
    let world = World::open(site).await?;
    let mut all = Vec::new();
    for n in 0..consumers {
        all.push(world.consumer(&name(n), receiver.url("instant")?).await?);
    }
    let mut last = Vec::new();
    for consumer in &all {
        last.push(world.last_route(*consumer).await?);
    }
    let (stop, pulse) = (CancellationToken::new(), Health::default().watch("delivery", Duration::MAX));
    let began = Instant::now();
    let running = tokio::spawn(delivery::run(world.delivery(), stop.clone(), pulse));
    for (consumer, last) in all.iter().zip(last) {
        world.wait_for(*consumer, last).await?;
    }
    let took = began.elapsed();
    stop.cancel();
    running.await?;
    world.store.close().await;
    Ok(took)
}

/// A request like those of the product.
fn request(receiver: &Receiver) -> anyhow::Result<Request<Bytes>> {
    let secret = SigningSecret::parse("whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")?;
    let (url, body, now) = (receiver.url("instant")?, Bytes::from(vec![b'x'; 900]), jiff::Timestamp::now());
    let signed = delivery::sign::sign(&url, "ev_0123456789abcdefghjkmnpqrs", body, &[secret], now);
    signed.ok_or_else(|| anyhow::anyhow!("nothing to sign with"))
}
