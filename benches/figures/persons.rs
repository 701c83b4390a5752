//! What an event costs at ingest when few persons are stored, and when many are.

use cpr_operator::domain::compiled::Selector;

use super::site::Site;
use super::table::{Goal, Row};
use super::world::World;
use super::{ingest, runtime};

/// Persons who are stored, at last as many as the variable of this name says.
const PERSONS: [u32; 3] = [10_000, 100_000, 1_000_000];
const MOST: &str = "PERSONS";

/// Processor time of an event beside each number of stored persons.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let most = std::env::var(MOST).ok().and_then(|text| text.parse().ok()).unwrap_or(PERSONS[2]);
    runtime()?.block_on(async {
        let site = Site::new().await?;
        let world = World::open(&site).await?;
        let consumer = world.consumer("one", "http://127.0.0.1:9/".parse()?).await?;
        world.subscribe((consumer, "one"), "everyone", Selector::everyone()).await?;
        let source = ingest::source(&world);
        let (mut stored, mut rows, mut first) = (0, Vec::new(), None);
        for (round, count) in PERSONS.iter().filter(|count| **count <= most).enumerate() {
            world.more_people(stored..*count, &[consumer]).await?;
            site.analyse().await?;
            stored = *count;
            let measured = ingest::rounds(&site, &world, &source, stored, round as u32 + 1).await?;
            let first = *first.get_or_insert(measured.sum());
            rows.push(Row::known(format!("persons: events beside {stored} stored"), measured.rate, "/s"));
            rows.push(Row::known(
                format!("persons: processor time of an event, {stored} stored, ours"),
                measured.spent,
                "µs",
            ));
            rows.push(Row::known(
                format!("persons: processor time of an event, {stored} stored, the database's"),
                measured.databases,
                "µs",
            ));
            let figure = format!("persons: the sum beside {stored} to that beside {}", PERSONS[0]);
            rows.push(Row::new(figure, measured.sum() / first, "", Goal::AtMost(1.1)));
        }
        world.store.close().await;
        Ok(rows)
    })
}
