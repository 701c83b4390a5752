//! The client: one method per thing that can be asked of the register.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::domain::compiled::Source;
use crate::domain::field_group::GroupSet;
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::person::Person;
use crate::net;

use super::answer::Given;
use super::counters::Counts;
use super::error::{Error, not_understood};
use super::learning::Memory;
use super::limits::CircuitState;
use super::nouns::{ImportStatus, NoticePage, Persons};
use super::query::{self, Query};
use super::schema::{Filter, Known, Lookup, Understanding};
use super::transport::{Service, Transport};
use super::{Credentials, Settings, events, wire};

/// The most pages that one batch of persons may take.
const MAX_PAGES: u32 = 100;

/// The client of one source. Clones share token, limits, counters and what was learnt.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    settings: Settings,
    memory: Memory,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(…)")
    }
}

impl Client {
    /// A client that has not asked anything yet.
    pub fn new(
        source: &Source,
        credentials: Credentials,
        settings: &Settings,
        http: net::client::Client,
    ) -> Result<Self, Error> {
        let inner = Inner {
            transport: Transport::new(source, credentials, settings, http)?,
            settings: settings.clone(),
            memory: Memory::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the source's services can give, read from their schemas where that was not done lately.
    pub async fn learn(&self) -> Result<Understanding, Error> {
        let Inner { transport, settings, memory } = &*self.inner;
        memory.learn(transport, settings.schema_max_age).await.map(|known| known.understanding.clone())
    }

    /// What was learnt last; none before the first time.
    pub fn understanding(&self) -> Option<Understanding> {
        self.inner.memory.last().map(|known| known.understanding.clone())
    }

    /// How far the register has loaded.
    pub async fn import_status(&self) -> Result<ImportStatus, Error> {
        let given = self.ask(Service::Entities, |known| Ok(query::import_status(&known.events))).await?;
        believed(&given)?;
        events::import_status(given.value)
    }

    /// One page of notices with ids above `after`, ascending.
    pub async fn notices(&self, after: i64) -> Result<NoticePage, Error> {
        let size = self.inner.settings.page_size.clamp(1, 1_000);
        let given = self.ask(Service::Entities, |known| Ok(query::notices(&known.events, after, size))).await?;
        believed(&given)?;
        let page = events::page(given.value, size)?;
        if page.last_event_id.is_some_and(|last| last <= after) {
            return Err(not_understood("events after the one asked for"));
        }
        self.inner.transport.counters.page(&page);
        Ok(page)
    }

    /// The event id after which the notices of `import` and later ones begin. Where there are none yet: the last id that
    /// there is.
    pub async fn find_event_before_import(&self, import: u32) -> Result<i64, Error> {
        let known = self.known().await?;
        if let Some(comparison) = &known.events.from_import {
            let query = |known: &Known| Ok(query::first_of_import(&known.events, comparison, import));
            let given = self.ask(Service::Entities, query).await?;
            if let Some((first, _)) = events::first(given.value) {
                return Ok(first - 1);
            }
        }
        self.search_event_before(import).await
    }

    /// Doubles to an id behind which nothing older than `import` comes, then halves the space before it.
    async fn search_event_before(&self, import: u32) -> Result<i64, Error> {
        let (mut low, mut step) = (0_i64, 1_024_i64);
        let mut high = loop {
            let probe = low.saturating_add(step);
            match self.older_after(probe, import).await? {
                Some(id) => low = id,
                None => break probe,
            }
            step = step.saturating_mul(2);
        };
        while low < high {
            let middle = low + (high - low) / 2;
            match self.older_after(middle, import).await? {
                Some(id) => low = id,
                None => high = middle,
            }
        }
        Ok(low)
    }

    /// The id of the first notice above `id`, where it belongs to an import before `import`.
    async fn older_after(&self, id: i64, import: u32) -> Result<Option<i64>, Error> {
        let found = self.first_after(id).await?;
        Ok(found.filter(|(_, of)| *of < import).map(|(id, _)| id))
    }

    async fn first_after(&self, id: i64) -> Result<Option<(i64, u32)>, Error> {
        let given = self.ask(Service::Entities, |known| Ok(query::notices(&known.events, id, 1))).await?;
        believed(&given)?;
        Ok(events::first(given.value))
    }

    /// How many persons one request asks for at most, where the register takes several.
    pub fn batch_size(&self) -> usize {
        self.inner.settings.batch_size.clamp(1, 100) as usize
    }

    /// The persons with these PersonIDs, with what `groups` and what is always held need.
    pub async fn persons_by_id(&self, ids: &[PersonId], groups: GroupSet) -> Result<Persons, Error> {
        let mut asked = HashSet::new();
        let values = ids.iter().filter(|id| asked.insert(*id)).map(PersonId::expose).collect();
        let filter = |known: &Known| known.persons.by_id.clone().ok_or(Error::NoLookupById);
        let wanted = |person: &Person| person.id.as_ref().is_some_and(|id| asked.contains(id));
        self.persons(values, groups, filter, wanted).await
    }

    /// The persons with these CPR numbers, present or earlier, with what `groups` and what is always held need.
    pub async fn persons_by_number(&self, numbers: &[CprNumber], groups: GroupSet) -> Result<Persons, Error> {
        let mut asked = HashSet::new();
        let new = numbers.iter().filter(|number| asked.insert(*number));
        let values = new.map(|number| number.expose().to_owned()).collect();
        let filter = |known: &Known| known.persons.by_number.clone().ok_or(Error::NoLookupByNumber);
        let wanted = |person: &Person| person.numbers.iter().any(|row| asked.contains(&row.value.0));
        self.persons(values, groups, filter, wanted).await
    }

    async fn persons(
        &self,
        values: Vec<String>,
        groups: GroupSet,
        filter: impl Fn(&Known) -> Result<Filter, Error>,
        wanted: impl Fn(&Person) -> bool,
    ) -> Result<Persons, Error> {
        let groups = groups.union(GroupSet::ALWAYS_HELD);
        let known = self.known().await?;
        let size = match filter(&known)?.lookup {
            Lookup::Single => 1,
            Lookup::Batch => self.batch_size(),
        };
        let mut all = Persons::default();
        for batch in values.chunks(size) {
            let mut part = self.batch(batch, groups, &filter).await?;
            let found = part.found.len();
            part.found.retain(&wanted);
            part.not_understood += u32::try_from(found - part.found.len()).unwrap_or(u32::MAX);
            self.inner.transport.counters.persons(&part);
            all.add(part);
        }
        // One person may have been asked for by several numbers, in several batches.
        let mut seen = HashSet::new();
        all.found.retain(|person| seen.insert(person.id.clone()));
        Ok(all)
    }

    async fn batch(
        &self,
        values: &[String],
        groups: GroupSet,
        filter: &impl Fn(&Known) -> Result<Filter, Error>,
    ) -> Result<Persons, Error> {
        let mut all = Persons::default();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let build = |known: &Known| {
                let demanded = self.inner.memory.demanded();
                Ok(query::persons(&known.persons, &filter(known)?, values, groups, &demanded, after.as_deref()))
            };
            let mut given = self.ask(Service::Persons, build).await?;
            let offered = self.known().await?.persons.offered;
            let next = next_page(&given);
            if let Some(nodes) = given.value.get_mut("nodes") {
                given.value = nodes.take();
            }
            let part = wire::persons(given.value, groups.intersection(offered), &given.broken);
            all.add(part.map_err(|wire::NotPersons| not_understood("a list of persons"))?);
            if next.is_none() || next == after {
                return Ok(all);
            }
            after = next;
        }
        Err(not_understood("pages that come to an end"))
    }

    /// Asks a query that is built from what is known. What the service then says of its schema is taken up, and the query
    /// built and asked once more.
    async fn ask(&self, service: Service, build: impl Fn(&Known) -> Result<Query, Error>) -> Result<Given, Error> {
        let Inner { transport, settings, memory } = &*self.inner;
        let mut tries = 3;
        loop {
            let known = self.known().await?;
            let refusal = match transport.query(service, &build(&known)?).await {
                Ok(given) => return Ok(given),
                Err(refusal) => refusal,
            };
            tries -= 1;
            if tries == 0 || !memory.adapt(transport, settings, &known, &refusal).await {
                return Err(refusal.error);
            }
        }
    }

    async fn known(&self) -> Result<Arc<Known>, Error> {
        let Inner { transport, settings, memory } = &*self.inner;
        memory.known(transport, settings).await
    }

    /// Whether the register is asked at present.
    pub fn circuit(&self) -> CircuitState {
        self.inner.transport.circuit.state()
    }

    /// What was counted since the client was made.
    pub fn counts(&self) -> Counts {
        self.inner.transport.counters.read()
    }
}

/// Rows that are partly held back would look like rows that are not there.
fn believed(given: &Given) -> Result<(), Error> {
    if given.broken.is_empty() { Ok(()) } else { Err(not_understood("an answer without errors")) }
}

fn next_page(given: &Given) -> Option<String> {
    let page = &given.value["pageInfo"];
    let more = page["hasNextPage"].as_bool() == Some(true);
    page["endCursor"].as_str().filter(|_| more).map(str::to_owned)
}
