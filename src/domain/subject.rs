//! How a subscription has a person by name: on its list, or followed after a move.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// By what a subscription has a person by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// On a list that is kept through commands.
    Managed,
    /// On a list in a Secret.
    Secret,
    /// Followed after a move out of the subscription's municipalities.
    Moved,
}

impl Origin {
    /// Whether it is a list.
    pub fn is_list(self) -> bool {
        self != Self::Moved
    }
}

/// How one subscription has one person by name; the default is: not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Whether the person is on the list.
    pub listed: bool,
    /// Since when the person is followed after a move.
    pub moved_at: Option<Timestamp>,
}

/// The subscriptions that have one person by name, by the store's ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects(BTreeMap<i64, Subject>);

impl Subjects {
    /// How a subscription has the person.
    pub fn get(&self, subscription: i64) -> Subject {
        self.0.get(&subscription).copied().unwrap_or_default()
    }

    /// The subscriptions.
    pub fn subscriptions(&self) -> impl Iterator<Item = i64> {
        self.0.keys().copied()
    }

    /// Whether nobody has the person by name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says how a subscription has the person from now on.
    pub fn set(&mut self, subscription: i64, subject: Subject) {
        match subject == Subject::default() {
            true => drop(self.0.remove(&subscription)),
            false => drop(self.0.insert(subscription, subject)),
        }
    }

    /// Notes one origin, with the time since when.
    pub fn note(&mut self, subscription: i64, origin: Origin, since: Timestamp) {
        let mut subject = self.get(subscription);
        match origin {
            Origin::Managed | Origin::Secret => subject.listed = true,
            Origin::Moved => subject.moved_at = Some(since),
        }
        self.set(subscription, subject);
    }
}
