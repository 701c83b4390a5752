//! From committed to received, at half of the highest rate that ingest and delivery keep up together.

use std::time::{Duration, Instant};

use cpr_operator::delivery;
use cpr_operator::domain::change::DerivedFrom;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::ingest::commit::commit;
use cpr_operator::ingest::source::Source;
use cpr_operator::runtime::probes::Health;
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;
use super::site::Site;
use super::table::{Goal, Row};
use super::world::{World, citizen};
use super::{ingest, runtime};

/// Persons who move.
pub const PERSONS: u32 = 10_000;
/// For how long the highest rate is held, and then the half of it.
const HELD: Duration = Duration::from_secs(30);
/// Persons in one answer of the register, who are committed together where ingest keeps up.
const ASKED: u32 = 100;
/// Events between ingest and receiver above which ingest waits.
const BETWEEN: u64 = 2_000;

/// The rate, and the time from committed to received.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let recorder = Recorder::start()?;
    runtime()?.block_on(async {
        let site = Site::new().await?;
        let world = World::open(&site).await?;
        let consumer = world.consumer("one", recorder.url("instant")?).await?;
        world.subscribe((consumer, "one"), "everyone", Selector::everyone()).await?;
        world.people(PERSONS, &[consumer]).await?;
        site.analyse().await?;
        let source = ingest::source(&world);
        let (stop, pulse) = (CancellationToken::new(), Health::default().watch("delivery", Duration::MAX));
        let running = tokio::spawn(delivery::run(world.delivery(), stop.clone(), pulse));
        let mut feed = Feed::new(&world, &source);
        let rate = highest(&mut feed, &recorder).await?;
        let times = at(rate / 2.0, HELD, &mut feed, &recorder).await?;
        stop.cancel();
        running.await?;
        let figures = vec![
            Row::known("latency: highest rate of ingest and delivery together", rate, "/s"),
            Row::new("latency: committed to received at half of it, p50", part(&times, 0.5), "ms", Goal::AtMost(10.0)),
            Row::new("latency: the same, p99", part(&times, 0.99), "ms", Goal::AtMost(50.0)),
        ];
        world.store.close().await;
        Ok(figures)
    })
}

/// The time in ms within which this part of all came.
pub fn part(sorted: &[Duration], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3
}

/// Persons who move, in batches as they are fetched.
pub struct Feed<'a> {
    world: &'a World,
    source: &'a Source,
    round: u32,
    next: u32,
    committed: u64,
}

impl<'a> Feed<'a> {
    /// One of which nobody has moved yet.
    pub fn new(world: &'a World, source: &'a Source) -> Self {
        Self { world, source, round: 0, next: 0, committed: 0 }
    }

    /// Commits the next batch. Every person's every move is one event with one route, so numbers go up by one.
    async fn commit(&mut self, size: u32) -> anyhow::Result<()> {
        if self.next == 0 {
            self.round += 1;
        }
        let persons: Vec<_> = (self.next..self.next + size).map(|n| citizen(n, 100 + self.round)).collect();
        self.next = (self.next + size) % PERSONS;
        let done = commit(self.source, ingest::batch(self.world, &persons)?, DerivedFrom::Comparison).await?;
        anyhow::ensure!(done.routes == u64::from(size), "{done:?} of {size} persons");
        self.committed += done.routes;
        Ok(())
    }
}

async fn highest(feed: &mut Feed<'_>, recorder: &Recorder) -> anyhow::Result<f64> {
    let began = Instant::now();
    while began.elapsed() < HELD {
        feed.commit(feed.world.settings.ingest.batch).await?;
        recorder.wait_for(feed.committed.saturating_sub(BETWEEN)).await;
    }
    recorder.wait_for(feed.committed).await;
    let rate = feed.committed as f64 / began.elapsed().as_secs_f64();
    recorder.take();
    Ok(rate)
}

/// The times from committed to received at this rate, sorted.
pub async fn at(rate: f64, held: Duration, feed: &mut Feed<'_>, recorder: &Recorder) -> anyhow::Result<Vec<Duration>> {
    let pause = Duration::from_secs_f64(f64::from(ASKED) / rate);
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let (began, mut committed) = (Instant::now(), Vec::new());
    while began.elapsed() < held {
        ticks.tick().await;
        let first = feed.committed + 1;
        feed.commit(ASKED).await?;
        let now = Instant::now();
        committed.extend((first..=feed.committed).map(|number| (number as i64, now)));
    }
    recorder.wait_for(feed.committed).await;
    let received = recorder.take();
    let waited = |(number, at): (i64, Instant)| received.get(&number).map(|came| came.saturating_duration_since(at));
    let mut times: Vec<Duration> = committed.into_iter().filter_map(waited).collect();
    times.sort();
    Ok(times)
}
