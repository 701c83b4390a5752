//! What is noticed of a transaction that somebody else holds open for a minute on the same server.

use std::time::Duration;

use cpr_operator::delivery;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::runtime::probes::Health;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::latency::{self, Feed, part};
use super::recorder::Recorder;
use super::site::Site;
use super::table::{Goal, Row};
use super::world::World;
use super::{ingest, runtime};

/// Events a second meanwhile.
const RATE: f64 = 2_000.0;
/// How long is looked at without it, and then at the beginning and at the end of the minute.
const LOOK: Duration = Duration::from_secs(20);
/// How long it is held before the second look.
const HELD: Duration = Duration::from_secs(40);

/// The time from committed to received without it, and in its last seconds; nothing with SQLite, whose file is ours alone.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let recorder = Recorder::start()?;
    runtime()?.block_on(async {
        let site = Site::new().await?;
        let Some(url) = site.url() else { return Ok(Vec::new()) };
        let world = World::open(&site).await?;
        let consumer = world.consumer("one", recorder.url("instant")?).await?;
        world.subscribe((consumer, "one"), "everyone", Selector::everyone()).await?;
        world.people(latency::PERSONS, &[consumer]).await?;
        site.analyse().await?;
        let source = ingest::source(&world);
        let (stop, pulse) = (CancellationToken::new(), Health::default().watch("delivery", Duration::MAX));
        let running = tokio::spawn(delivery::run(world.delivery(), stop.clone(), pulse));
        let mut feed = Feed::new(&world, &source);
        // The first events find everything cold.
        latency::at(RATE, LOOK / 4, &mut feed, &recorder).await?;
        let before = latency::at(RATE, LOOK, &mut feed, &recorder).await?;
        let mut other = PgConnection::connect(&url).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
            .execute(&mut other)
            .await?;
        latency::at(RATE, HELD, &mut feed, &recorder).await?;
        let held = latency::at(RATE, LOOK, &mut feed, &recorder).await?;
        other.close().await?;
        stop.cancel();
        running.await?;
        world.store.close().await;
        Ok(vec![
            Row::known("held: committed to received at 2,000/s, p50", part(&before, 0.5), "ms"),
            Row::known("held: the same, p99", part(&before, 0.99), "ms"),
            Row::known(
                "held: p50 while somebody held a REPEATABLE READ transaction for a minute",
                part(&held, 0.5),
                "ms",
            ),
            Row::known("held: the same, p99", part(&held, 0.99), "ms"),
            Row::new("held: p50 to that without", part(&held, 0.5) / part(&before, 0.5), "", Goal::AtMost(1.1)),
        ])
    })
}
