//! Ingest of persons who moved: from what was fetched, in memory, to committed events; with few subscriptions and with many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cpr_operator::audit::{Entry, Outcome};
use cpr_operator::domain::change::DerivedFrom;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::domain::municipality::Municipality;
use cpr_operator::domain::person::Person;
use cpr_operator::ingest::batch::Batch;
use cpr_operator::ingest::commit::commit;
use cpr_operator::ingest::source::Source;
use cpr_operator::store::ConsumerId;

use super::site::Site;
use super::table::{Goal, Row};
use super::world::{self, World, citizen};
use super::{cpu, median, runtime};

/// Persons who move, each once in a round.
const PERSONS: u32 = 10_000;
const ROUNDS: u32 = 3;
/// Subscriptions that cover them.
const FEW: u32 = 10;
/// Subscriptions in all, the others for other municipalities.
const MANY: u32 = 100_000;
/// Where the persons live.
pub const HERE: u16 = 851;

/// Events a second, and what one costs with few subscriptions and with many.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    runtime()?.block_on(async {
        let site = Site::new().await?;
        let world = World::open(&site).await?;
        let consumer = world.consumer("one", "http://127.0.0.1:9/".parse()?).await?;
        for n in 0..FEW {
            world.subscribe((consumer, "one"), &format!("few-{n}"), living_in(HERE)?).await?;
        }
        world.people(PERSONS, &[consumer]).await?;
        site.analyse().await?;
        let source = source(&world);
        let few = rounds(&site, &world, &source, PERSONS, 1).await?;
        others(&world, consumer).await?;
        let soon = rounds(&site, &world, &source, PERSONS, 2).await?;
        site.analyse().await?;
        let many = rounds(&site, &world, &source, PERSONS, 3).await?;
        world.store.close().await;
        Ok(vec![
            Row::new("ingest: derive, match, seal, commit", few.rate, "events/s", Goal::AtLeast(20_000.0)),
            Row::known("ingest: processor time of an event, 10 subscriptions, ours", few.spent, "µs"),
            Row::known("ingest: the same, the database's", few.databases, "µs"),
            Row::known("ingest: processor time of an event, 100,000 subscriptions, ours", many.spent, "µs"),
            Row::known("ingest: the same, the database's", many.databases, "µs"),
            Row::new("ingest: the second sum to the first", many.sum() / few.sum(), "", Goal::AtMost(1.1)),
            Row::known("ingest: the same before the server has looked at the new ones", soon.sum() / few.sum(), ""),
        ])
    })
}

/// What ingest reached.
pub struct Measured {
    /// Events a second.
    pub rate: f64,
    /// Processor time of an event, ours, in µs.
    pub spent: f64,
    /// The same of the database.
    pub databases: f64,
}

impl Measured {
    /// Processor time of an event.
    pub fn sum(&self) -> f64 {
        self.spent + self.databases
    }
}

/// Persons who move, in some rounds, others in each as far as there are others among those `stored`.
pub async fn rounds(site: &Site, world: &World, source: &Source, stored: u32, of: u32) -> anyhow::Result<Measured> {
    // The first round reads the selections, and everybody's coverage is settled with it.
    round(world, source, stored, of * 100).await?;
    let (mut rates, mut spent, mut databases) = (Vec::new(), Vec::new(), Vec::new());
    for n in 1..=ROUNDS {
        let before = site.cpu().await?;
        let (took, cpu, events) = round(world, source, stored, of * 100 + n).await?;
        rates.push(events as f64 / took.as_secs_f64());
        spent.push(cpu::each(cpu, events));
        databases.push(cpu::each(site.cpu().await? - before, events));
    }
    Ok(Measured { rate: median(rates), spent: median(spent), databases: median(databases) })
}

/// One round. How long it took, processor time, and events.
pub async fn round(
    world: &World,
    source: &Source,
    stored: u32,
    house: u32,
) -> anyhow::Result<(Duration, Duration, u64)> {
    let apart = stored / PERSONS;
    let persons: Vec<Person> = (0..PERSONS).map(|n| citizen(n * apart + house % apart, house)).collect();
    let batches: Vec<Batch> = persons
        .chunks(world.settings.ingest.batch as usize)
        .map(|some| batch(world, some))
        .collect::<Result<_, _>>()?;
    let (began, before, mut events) = (Instant::now(), cpu::own()?, 0);
    for batch in batches {
        let done = commit(source, batch, DerivedFrom::Comparison).await?;
        anyhow::ensure!(done.events > 0, "{done:?}");
        events += done.events;
    }
    let measured = (began.elapsed(), cpu::own()? - before, events);
    anyhow::ensure!(events == u64::from(PERSONS), "{events} events of {PERSONS} persons");
    Ok(measured)
}

/// Persons as they come from the register, with the record of how.
pub fn batch(world: &World, persons: &[Person]) -> anyhow::Result<Batch> {
    let (keys, now) = (&world.store.keys, world.clock.now());
    let ids = persons.iter().filter_map(|person| person.id.as_ref());
    let subjects = ids.map(|id| keys.audit_references(id, None, now)).collect::<Result<Vec<_>, _>>()?;
    let groups = GroupSet::of(&[FieldGroup::Name, FieldGroup::Address]);
    let fetch = Entry::fetch(now, Outcome::Succeeded, world::key("datafordeler"), groups, subjects);
    Ok(Batch { persons: persons.to_vec(), audit: vec![fetch], ..Batch::default() })
}

/// The source as ingest works on it.
pub fn source(world: &World) -> Arc<Source> {
    let (key, store, clock) = (world::key("datafordeler"), world.store.clone(), world.clock.clone());
    let (bells, settings, lists) = (world.bells.clone(), world.settings.ingest.clone(), world.settings.lists.clone());
    Source::new(world.source, key, world::realm(), store, clock, bells, settings, lists, None)
}

async fn others(world: &World, consumer: ConsumerId) -> anyhow::Result<()> {
    let elsewhere: Vec<u16> = Municipality::all().map(Municipality::code).filter(|code| *code != HERE).collect();
    let selectors = (FEW..MANY).map(|n| living_in(elsewhere[n as usize % elsewhere.len()]));
    world.subscribe_all((consumer, "one"), selectors.collect::<anyhow::Result<Vec<_>>>()?).await
}

/// Everyone who lives in a municipality.
pub fn living_in(code: u16) -> anyhow::Result<Selector> {
    let municipality = Municipality::from_code(code).ok_or_else(|| anyhow::anyhow!("{code} is no municipality"))?;
    Ok(Selector::living_in([municipality]))
}
