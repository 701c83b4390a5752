//! Who hears what, while it is found out: subscriptions gathered by consumer and type, event by event.

use std::collections::BTreeMap;

use super::coverage::covers;
use super::following::followed;
use super::hearing::heard_as;
use super::scope::{Passage, Ties, passage, scope_change, tells_of_departure};
use super::selectors::{ConsumerId, Entry, Selectors, SubscriptionId};
use super::{Before, Heard, Matched, Matching, Missed, Sight};
use crate::domain::change::{Change, ScopeReason};
use crate::domain::event_type::EventType;
use crate::domain::protection::{Regard, Ruling};
use crate::domain::resource::ResourceKey;
use crate::domain::subject::Subjects;

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
    subjects: Subjects,
}

impl Audience {
    /// Nobody yet, for these changes of a person whom subscriptions have so by name.
    pub fn of(changes: &[Change], subjects: Subjects) -> Self {
        Self {
            entered: Scopes::new(EventType::ScopeEntered),
            heard: changes.iter().map(|_| Listeners::default()).collect(),
            left: Scopes::new(EventType::ScopeLeft),
            missed: Vec::new(),
            subjects,
        }
    }

    /// Adds what one subscription hears. One whose scope the person has left hears only what made them leave.
    pub fn admit(&mut self, entry: &Entry, sight: &Sight<'_>, changes: &[Change]) {
        let subscription = &entry.subscription;
        let is = followed(subscription, sight.before, sight.after, self.subjects.get(entry.id), sight.now);
        self.subjects.set(entry.id, is);
        let ties = Ties { was: sight.subjects.get(entry.id), is };
        let passage = passage(subscription, sight.before, sight.after, ties, sight.now);
        if passage == Passage::Outside {
            return;
        }
        if subscription.suspended {
            return self.miss(entry, passage, sight, changes);
        }
        let regard = Regard::of(subscription, is);
        match passage {
            Passage::Enters(_) if regard.rule(sight.after.protected, EventType::ScopeEntered) == Ruling::Withhold => {}
            Passage::Enters(reason) => self.entered.add(reason, entry),
            Passage::Leaves(reason) => self.left.add(reason, entry),
            Passage::Stays | Passage::Outside => {}
        }
        // Who is put on a list is told of as they are; what happened to them before is not, but that they are somebody whom
        // the list had already.
        let newly_listed = passage == Passage::Enters(ScopeReason::Listed) && !ties.was.listed;
        for (change, listeners) in changes.iter().zip(&mut self.heard) {
            let departing = matches!(passage, Passage::Leaves(reason) if !tells_of_departure(change, reason));
            if departing || (newly_listed && change.joined.is_none()) {
                continue;
            }
            if let Some(type_) = heard_as(subscription, is, change, sight.before.standing(), sight.after) {
                listeners.add(entry, type_);
            }
        }
    }

    fn miss(&mut self, entry: &Entry, passage: Passage, sight: &Sight<'_>, changes: &[Change]) {
        let covered_before = match sight.before {
            Before::Stored(before) => covers(&entry.subscription, before, sight.subjects.get(entry.id), sight.now),
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
                let ruling =
                    Regard::of(subscription, self.subjects.get(entry.id)).rule(sight.after.protected, change.type_);
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
        Matching { matched, missed: self.missed, subjects: self.subjects }
    }
}
