//! How soon another process delivers when one is killed, and when one is told to end.

use std::time::{Duration, Instant};

use cpr_operator::domain::compiled::Selector;
use cpr_operator::store::keys::Ensured;
use cpr_operator::store::{ConsumerId, SubscriptionId};

use super::program::Program;
use super::recorder::Recorder;
use super::runtime;
use super::site::Site;
use super::table::{Goal, Row};
use super::world::World;

const PERSONS: u32 = 1_000;
/// Events a second meanwhile.
const PACE: Duration = Duration::from_millis(2);
/// How long both are given to share the lanes.
const SETTLED: Duration = Duration::from_secs(10);
/// How long is looked at after an end.
const LOOK: Duration = Duration::from_secs(15);

/// The longest that an event waited after its process was killed, and after one was told to end; nothing with SQLite, which
/// one process has.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let Some(_) = super::site::server()? else { return Ok(Vec::new()) };
    let recorder = Recorder::start()?;
    runtime()?.block_on(async {
        let site = Site::new().await?;
        let world = World::open(&site).await?;
        let consumer = world.consumer("one", recorder.url("instant")?).await?;
        let to = [(consumer, world.subscribe((consumer, "one"), "everyone", Selector::everyone()).await?)];
        let people = world.people(PERSONS, &[consumer]).await?;
        let (first, second) = (Program::deliver(&site, "one").await?, Program::deliver(&site, "one").await?);
        tokio::time::sleep(SETTLED).await;
        let mut stream = Stream { world: &world, people: &people, to: &to, recorder: &recorder, n: 0 };
        let shared = stream.longest(LOOK / 3, std::future::ready(Ok(()))).await?;
        let killed = stream.longest(LOOK, first.kill()).await?;
        let third = Program::deliver(&site, "one").await?;
        tokio::time::sleep(SETTLED).await;
        let ended = stream.longest(LOOK, second.stop()).await?;
        third.stop().await?;
        world.store.close().await;
        Ok(vec![
            Row::known("takeover: the longest wait of an event with two processes", shared, "s"),
            Row::new("takeover: the same after kill -9 of one", killed, "s", Goal::AtMost(10.0)),
            Row::new("takeover: the same after SIGTERM", ended, "s", Goal::AtMost(1.0)),
        ])
    })
}

/// Events of one person after the other.
struct Stream<'a> {
    world: &'a World,
    people: &'a [Ensured],
    to: &'a [(ConsumerId, SubscriptionId)],
    recorder: &'a Recorder,
    n: usize,
}

impl Stream<'_> {
    /// Commits events for so long while something is done, and waits for all of them. The longest that one took, in seconds.
    async fn longest(&mut self, time: Duration, done: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<f64> {
        let mut committed: Vec<(i64, Instant)> = Vec::new();
        let began = Instant::now();
        let events = async {
            let mut ticks = tokio::time::interval(PACE);
            while began.elapsed() < time {
                ticks.tick().await;
                let last = self.world.moves(1, &self.people[self.n..], self.to).await?;
                self.n = (self.n + 1) % self.people.len();
                committed.push((last, Instant::now()));
            }
            anyhow::Ok(())
        };
        tokio::try_join!(events, done)?;
        let (mut came, wanted) = (self.recorder.take(), committed.len());
        while committed.iter().any(|(number, _)| !came.contains_key(number)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            for (number, at) in self.recorder.take() {
                came.entry(number).or_insert(at);
            }
            anyhow::ensure!(began.elapsed() < time * 4, "{} of {wanted} events came", came.len());
        }
        let waited = committed.iter().map(|(number, at)| came[number].saturating_duration_since(*at));
        Ok(waited.max().unwrap_or_default().as_secs_f64())
    }
}
