//! Who hears what, while it is found out: subscriptions gathered by consumer and type, event by event.

use std::collections::BTreeMap;

use super::coverage::covers;
use super::hearing::heard_as;
use super::scope::{Passage, passage, scope_change, tells_of_departure};
use super::selectors::{ConsumerId, Entry, Selectors, SubscriptionId};
use super::{Before, Heard, Matched, Matching, Missed, Sight};
use crate::domain::change::{Change, ScopeReason};
use crate::domain::event_type::EventType;
use crate::domain::protection::{Regard, Ruling};
use crate::domain::resource::ResourceKey;

/// The subscriptions that hear one event, by consumer and type.
#[derive(Default)]
struct Listeners(BTreeMap<(ConsumerId, EventType), Vec<SubscriptionId>>);

impl Listeners {
    fn add(&mut self, entry: &Entry, type_: EventType) {
        self.0.entry((entry.consumer, type_)).or_default().push(entry.id);
    }

    /// The event with those who hear it, if anybody does.
    fn matched(self, change: Change) -> Option<Matched> {
        let heard = self.0.into_iter();
        let heard: Vec<Heard> =
            heard.map(|((consumer, type_), subscriptions)| Heard { consumer, type_, subscriptions }).collect();
        (!heard.is_empty()).then_some(Matched { change, heard })
    }
}

/// Who enters or leaves, by reason.
struct Scopes {
    type_: EventType,
    by_reason: Vec<(ScopeReason, Listeners)>,
}

impl Scopes {
    fn new(type_: EventType) -> Self {
        Self { type_, by_reason: Vec::new() }
    }

    fn add(&mut self, reason: ScopeReason, entry: &Entry) {
        let known = self.by_reason.iter().position(|(other, _)| *other == reason);
        let at = known.unwrap_or_else(|| {
            self.by_reason.push((reason, Listeners::default()));
            self.by_reason.len() - 1
        });
        self.by_reason[at].1.add(entry, self.type_);
    }

    fn matched(self, changes: &[Change]) -> Vec<Matched> {
        let Self { type_, by_reason } = self;
        by_reason
            .into_iter()
            .filter_map(|(reason, listeners)| listeners.matched(scope_change(type_, reason, changes)))
            .collect()
    }
}

/// Who hears what, while it is found out.
pub(super) struct Audience {
    entered: Scopes,
    heard: Vec<Listeners>,
    left: Scopes,
    missed: Vec<Missed>,
}

impl Audience {
    pub fn of(changes: &[Change]) -> Self {
        Self {
            entered: Scopes::new(EventType::ScopeEntered),
            heard: changes.iter().map(|_| Listeners::default()).collect(),
            left: Scopes::new(EventType::ScopeLeft),
            missed: Vec::new(),
        }
    }

    /// Adds what one subscription hears. One whose scope the person has left hears only what made them leave.
    pub fn admit(&mut self, entry: &Entry, sight: &Sight<'_>, changes: &[Change]) {
        let subscription = &entry.subscription;
        let passage = passage(subscription, sight.before, sight.after, sight.now);
        if passage == Passage::Outside {
            return;
        }
        if subscription.suspended {
            return self.miss(entry, passage, sight, changes);
        }
        match passage {
            Passage::Enters(reason) => self.entered.add(reason, entry),
            Passage::Leaves(reason) => self.left.add(reason, entry),
            Passage::Stays | Passage::Outside => {}
        }
        for (change, listeners) in changes.iter().zip(&mut self.heard) {
            let departing = matches!(passage, Passage::Leaves(reason) if !tells_of_departure(change, reason));
            if departing {
                continue;
            }
            if let Some(type_) = heard_as(subscription, change, sight.before.standing(), sight.after) {
                listeners.add(entry, type_);
            }
        }
    }

    /// Adds one subscription whose scope the person leaves without a change of theirs.
    pub fn release(&mut self, entry: &Entry, reason: ScopeReason) {
        if entry.subscription.suspended {
            self.missed.push(Missed { subscription: entry.id, covered_before: true });
        } else {
            self.left.add(reason, entry);
        }
    }

    fn miss(&mut self, entry: &Entry, passage: Passage, sight: &Sight<'_>, changes: &[Change]) {
        let covered_before = match sight.before {
            Before::Stored(before) => covers(&entry.subscription, before, sight.now),
            Before::Rebuilt(_) | Before::Unknown => false,
        };
        if passage != Passage::Stays || !changes.is_empty() {
            self.missed.push(Missed { subscription: entry.id, covered_before });
        }
    }

    /// Lets those who were told a statement hear its undoing, covered still or not, on the ground of any of their
    /// subscriptions that is granted what the undoing needs.
    pub fn undo(&mut self, at: usize, change: &Change, selectors: &Selectors, source: &ResourceKey, sight: &Sight<'_>) {
        let Some(statement) = change.type_.undoes() else { return };
        for (consumer, told) in sight.told {
            let hears_already = self.heard[at].0.contains_key(&(*consumer, change.type_));
            if hears_already || !told.contains(statement) {
                continue;
            }
            for entry in selectors.of_consumer(source, *consumer, sight.now) {
                let subscription = &entry.subscription;
                let ruling = Regard::of(subscription).rule(sight.after.protected, change.type_);
                let granted = change.type_.may_be_heard_with(subscription.granted);
                if granted && ruling != Ruling::Withhold && !subscription.suspended {
                    self.heard[at].add(entry, change.type_);
                }
            }
        }
    }

    pub fn finish(self, changes: Vec<Change>) -> Matching {
        let mut matched = self.entered.matched(&changes);
        let left = self.left.matched(&changes);
        let told = changes.into_iter().zip(self.heard);
        matched.extend(told.filter_map(|(change, listeners)| listeners.matched(change)));
        matched.extend(left);
        Matching { matched, missed: self.missed }
    }
}
