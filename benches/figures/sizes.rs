//! Bytes that an event and a delivery take: in the write-ahead log, and in tables with their indexes.

use cpr_operator::domain::compiled::Selector;

use super::receiver::Receiver;
use super::site::Site;
use super::table::Row;
use super::world::World;
use super::{drain, ingest, runtime};

/// Persons who move, each once.
const PERSONS: u32 = 10_000;

/// Of an event with one route, as ingest commits it, and of its delivery.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let receiver = Receiver::start()?;
    runtime()?.block_on(async {
        let site = Site::new().await?;
        let world = World::open(&site).await?;
        let name = drain::name(0);
        let consumer = world.consumer(&name, receiver.url("instant")?).await?;
        world.subscribe((consumer, &name), &name, Selector::everyone()).await?;
        let before = site.size().await?;
        world.people(PERSONS, &[consumer]).await?;
        let person = (site.size().await? - before) as f64 / f64::from(PERSONS);
        let source = ingest::source(&world);
        // The first round settles everybody's coverage; its events wait too.
        ingest::round(&world, &source, PERSONS, 101).await?;
        let (wal, size) = (site.wal().await?, site.size().await?);
        ingest::round(&world, &source, PERSONS, 102).await?;
        let event = (since(&site, wal).await?, site.size().await? - size);
        world.store.close().await;
        let (wal, size) = (site.wal().await?, site.size().await?);
        drain::drain(&site, &receiver, 1).await?;
        let delivery = (since(&site, wal).await?, site.size().await? - size);
        let mut rows = vec![Row::known("sizes: a person with keys and one claim, in tables", person, "B")];
        for (what, (wal, size), count) in [("an event", event, PERSONS), ("a delivery", delivery, 2 * PERSONS)] {
            let each = |bytes: i64| bytes as f64 / f64::from(count);
            rows.extend(wal.map(|wal| Row::known(format!("sizes: {what}, in the write-ahead log"), each(wal), "B")));
            rows.push(Row::known(format!("sizes: {what}, in tables"), each(size), "B"));
        }
        Ok(rows)
    })
}

async fn since(site: &Site, before: Option<i64>) -> anyhow::Result<Option<i64>> {
    Ok(site.wal().await?.zip(before).map(|(now, before)| now - before))
}
