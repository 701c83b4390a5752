//! Draining: a backlog for one instant receiver, and what a bare client reaches against the same one.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cpr_operator::delivery;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::signing::SigningSecret;
use cpr_operator::runtime::probes::Health;
use http::Request;
use tokio_util::sync::CancellationToken;

use super::receiver::Receiver;
use super::table::{Goal, Row};
use super::world::{AT_ONCE, World};
use super::{bare, cpu, median, runtime};

/// Events that wait.
const EVENTS: u32 = 60_000;
/// Persons to whom they happened.
const PERSONS: u32 = 20_000;
const RUNS: usize = 3;

/// One drained backlog.
struct Drained {
    took: Duration,
    ours: Duration,
}

/// Deliveries a second, the same as a part of a bare client's, and the processor time of one.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let (receiver, seeded) = (Receiver::start()?, tempfile::tempdir()?);
    runtime()?.block_on(seed(seeded.path(), &receiver))?;
    let (mut rates, mut ratios, mut spent, mut bares, mut theirs) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let took = runtime()?.block_on(bare::post(request(&receiver)?, u64::from(EVENTS), AT_ONCE as usize))?;
        let bare = f64::from(EVENTS) / took.as_secs_f64();
        let folder = tempfile::tempdir()?;
        copy(seeded.path(), folder.path())?;
        let before = receiver.cpu()?;
        let drained = runtime()?.block_on(drain(folder.path(), &receiver))?;
        theirs.push(cpu::each(receiver.cpu()? - before, u64::from(EVENTS)));
        let rate = f64::from(EVENTS) / drained.took.as_secs_f64();
        spent.push(cpu::each(drained.ours, u64::from(EVENTS)));
        rates.push(rate);
        bares.push(bare);
        ratios.push(rate / bare);
    }
    Ok(vec![
        Row::new("drain: deliveries to one instant receiver", median(rates), "/s", Goal::AtLeast(20_000.0)),
        Row::new("drain: part of what a bare client reaches", median(ratios), "", Goal::AtLeast(0.3)),
        Row::known("drain: the bare client", median(bares), "/s"),
        Row::known("drain: processor time of a delivery, ours", median(spent), "µs"),
        Row::known("drain: processor time of a delivery, the receiver's", median(theirs), "µs"),
    ])
}

/// A store with one consumer and its backlog.
pub async fn seed(folder: &Path, receiver: &Receiver) -> anyhow::Result<i64> {
    let world = World::open(folder).await?;
    let consumer = world.consumer("one", receiver.url("instant")?).await?;
    let subscription = world.subscribe((consumer, "one"), "everyone", Selector::everyone()).await?;
    let people = world.people(PERSONS, &[consumer]).await?;
    let last = world.moves(EVENTS, &people, &[(consumer, subscription)]).await?;
    world.store.close().await;
    Ok(last)
}

/// Copies what lies in a folder.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

async fn drain(folder: &Path, receiver: &Receiver) -> anyhow::Result<Drained> {
    let world = World::open(folder).await?;
    let consumer = world.consumer("one", receiver.url("instant")?).await?;
    let (stop, pulse) = (CancellationToken::new(), Health::default().watch("delivery", Duration::MAX));
    let (began, before) = (Instant::now(), cpu::own()?);
    let running = tokio::spawn(delivery::run(world.delivery(), stop.clone(), pulse));
    world.wait_for(consumer, i64::from(EVENTS)).await?;
    let drained = Drained { took: began.elapsed(), ours: cpu::own()? - before };
    stop.cancel();
    running.await?;
    world.store.close().await;
    Ok(drained)
}

/// A request like those of the product.
fn request(receiver: &Receiver) -> anyhow::Result<Request<Bytes>> {
    let secret = SigningSecret::parse("whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")?;
    let (url, body, now) = (receiver.url("instant")?, Bytes::from(vec![b'x'; 900]), jiff::Timestamp::now());
    let signed = delivery::sign::sign(&url, "ev_0123456789abcdefghjkmnpqrs", body, &[secret], now);
    signed.ok_or_else(|| anyhow::anyhow!("nothing to sign with"))
}
