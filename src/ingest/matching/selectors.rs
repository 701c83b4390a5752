//! The live subscriptions of all sources, found by where a person lives or lived.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::coverage::{covers, is_live};
use crate::domain::compiled::Subscription;
use crate::domain::field_group::GroupSet;
use crate::domain::municipality::Municipality;
use crate::domain::resource::ResourceKey;
use crate::domain::standing::Standing;
use crate::domain::subject::Subjects;

/// The store's id of a subscription.
pub type SubscriptionId = i64;
/// The store's id of a consumer.
pub type ConsumerId = i64;

/// A subscription with the store's ids.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Of the subscription.
    pub id: SubscriptionId,
    /// Of its consumer.
    pub consumer: ConsumerId,
    /// As compiled.
    pub subscription: Arc<Subscription>,
}

/// An index of subscriptions; what one person costs depends on those that may cover the person, not on how many there are.
#[derive(Clone, Debug, Default)]
pub struct Selectors {
    entries: Vec<Entry>,
    positions: HashMap<SubscriptionId, usize>,
    sources: HashMap<ResourceKey, Index>,
}

/// Positions among the entries, ascending.
#[derive(Clone, Debug, Default)]
struct Index {
    all: Vec<usize>,
    everyone: Vec<usize>,
    municipalities: HashMap<Municipality, Vec<usize>>,
    consumers: HashMap<ConsumerId, Vec<usize>>,
}

impl Selectors {
    /// The index of these subscriptions, suspended ones included: they count for what is fetched and stored.
    pub fn new<S: Into<Arc<Subscription>>>(subscriptions: Vec<(SubscriptionId, ConsumerId, S)>) -> Self {
        let mut selectors = Self::default();
        for (id, consumer, subscription) in subscriptions {
            selectors.add(Entry { id, consumer, subscription: subscription.into() });
        }
        selectors
    }

    fn add(&mut self, entry: Entry) {
        let at = self.entries.len();
        self.positions.insert(entry.id, at);
        let index = self.sources.entry(entry.subscription.source.clone()).or_default();
        if !entry.subscription.covers_nobody() {
            index.all.push(at);
        }
        index.consumers.entry(entry.consumer).or_default().push(at);
        if entry.subscription.selector.everyone {
            index.everyone.push(at);
        }
        for municipality in &entry.subscription.selector.municipalities {
            index.municipalities.entry(*municipality).or_default().push(at);
        }
        self.entries.push(entry);
    }

    /// A subscription by its id, whether or not it has ended by itself.
    pub fn get(&self, id: SubscriptionId) -> Option<&Entry> {
        self.positions.get(&id).map(|at| &self.entries[*at])
    }

    /// The subscriptions of a source that have not ended and that may cover somebody of one of these municipalities, or have
    /// the person by name.
    pub(super) fn candidates<'a>(
        &'a self,
        source: &ResourceKey,
        places: impl Iterator<Item = Municipality>,
        subjects: &Subjects,
        now: Timestamp,
    ) -> Vec<&'a Entry> {
        let Some(index) = self.sources.get(source) else { return Vec::new() };
        let selected = places.filter_map(|place| index.municipalities.get(&place)).flatten();
        // A person may be known to several sources of one authority, each with subscriptions of its own.
        let is_ours = |at: &&usize| self.entries[**at].subscription.source == *source;
        let named = subjects.subscriptions().filter_map(|id| self.positions.get(&id)).filter(is_ours);
        let found: BTreeSet<usize> = index.everyone.iter().chain(selected).chain(named).copied().collect();
        self.live(found.iter(), now).collect()
    }

    /// The subscriptions of a source and consumer that have not ended.
    pub(super) fn of_consumer<'a>(
        &'a self,
        source: &ResourceKey,
        consumer: ConsumerId,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Entry> {
        let found = self.sources.get(source).and_then(|index| index.consumers.get(&consumer));
        self.live(found.into_iter().flatten(), now)
    }

    /// The subscriptions of a source that have not ended.
    pub fn of_source<'a>(&'a self, source: &ResourceKey, now: Timestamp) -> impl Iterator<Item = &'a Entry> {
        self.live(self.sources.get(source).into_iter().flat_map(|index| &index.all), now)
    }

    fn live<'a, 'p>(
        &'a self,
        positions: impl Iterator<Item = &'p usize>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Entry> {
        positions.map(|at| &self.entries[*at]).filter(move |entry| is_live(&entry.subscription, now))
    }
}

/// Whether anybody could cover the person of a notice for where they live, by its hints: the municipality now and the one
/// before. Only two hints together can exclude a subscription to places. Not to be asked about a person who is stored: their
/// notices are always followed, and nobody else is on a list.
pub fn could_cover(
    selectors: &Selectors,
    source: &ResourceKey,
    municipality_now: Option<Municipality>,
    municipality_before: Option<Municipality>,
    now: Timestamp,
) -> bool {
    match (municipality_now, municipality_before) {
        (Some(here), Some(there)) => {
            let nobody = Subjects::default();
            !selectors.candidates(source, [here, there].into_iter(), &nobody, now).is_empty()
        }
        _ => selectors.of_source(source, now).any(|entry| entry.subscription.selector.has_area()),
    }
}

/// The groups to ask the register for, of persons of whom nothing is known yet: what any live subscription is granted, and
/// what is always held.
pub fn groups_wanted(selectors: &Selectors, source: &ResourceKey, now: Timestamp) -> GroupSet {
    selectors
        .of_source(source, now)
        .fold(GroupSet::ALWAYS_HELD, |groups, entry| groups.union(entry.subscription.granted))
}

/// The live subscriptions, suspended ones too, that cover a person who stands so and whom they have so by name.
pub fn covering<'a>(
    selectors: &'a Selectors,
    source: &ResourceKey,
    standing: &Standing,
    subjects: &Subjects,
    now: Timestamp,
) -> Vec<&'a Entry> {
    let mut found = selectors.candidates(source, standing.municipality.into_iter(), subjects, now);
    found.retain(|entry| covers(&entry.subscription, standing, subjects.get(entry.id), now));
    found
}

/// The groups to keep of a person whom these subscriptions cover: what they are granted, and what is always held.
pub fn groups_kept(covering: &[&Entry]) -> GroupSet {
    covering.iter().fold(GroupSet::ALWAYS_HELD, |groups, entry| groups.union(entry.subscription.granted))
}
