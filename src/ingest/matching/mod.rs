//! Who hears of a person's changes: pure, over an index of the live subscriptions.
//!
//! In come a person's standing before and after and the [`Change`]s derived; out come the same changes with those who hear
//! each, as which type and on the ground of which subscriptions, with `scope.entered` before and `scope.left` after them:
//! the order in which events are committed. A change that nobody hears is not there. Matching asks no database, so it can
//! be done again inside the transaction when the subscriptions have changed.

mod audience;
mod coverage;
mod following;
mod hearing;
mod scope;
mod selectors;

use jiff::Timestamp;

use crate::domain::change::Change;
use crate::domain::event_type::{EventType, TypeSet};
use crate::domain::municipality::Municipality;
use crate::domain::resource::ResourceKey;
use crate::domain::standing::Standing;
use crate::domain::subject::Subjects;
use audience::Audience;

pub use coverage::{covers, follow_ends, is_live, move_ends};
pub use selectors::{ConsumerId, Entry, Selectors, SubscriptionId, could_cover, covering, groups_kept, groups_wanted};

/// What is known of the person besides the changes.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Where the person stood before.
    pub before: Before<'a>,
    /// Where the person stands now.
    pub after: &'a Standing,
    /// Which subscriptions had the person by name before.
    pub subjects: &'a Subjects,
    /// Which have them by name now, but for a following after a move, which is found out here.
    pub named: &'a Subjects,
    /// Which statements each consumer was told of this person and has not seen undone.
    pub told: &'a [(ConsumerId, TypeSet)],
    /// The time of the match.
    pub now: Timestamp,
}

/// Where a person stood before.
#[derive(Clone, Copy, Debug)]
pub enum Before<'a> {
    /// As stored.
    Stored(&'a Standing),
    /// Never stored; rebuilt from the person's own rows at first sight.
    Rebuilt(&'a Standing),
    /// Never stored, and not known.
    Unknown,
}

impl<'a> Before<'a> {
    fn standing(self) -> Option<&'a Standing> {
        match self {
            Self::Stored(standing) | Self::Rebuilt(standing) => Some(standing),
            Self::Unknown => None,
        }
    }
}

/// The outcome of matching one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// The events in commit order, each with at least one who hears it.
    pub matched: Vec<Matched>,
    /// The suspended subscriptions that would have been concerned.
    pub missed: Vec<Missed>,
    /// Which subscriptions have the person by name from now on.
    pub subjects: Subjects,
}

/// One event and who hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// What happened.
    pub change: Change,
    /// Who hears it, by consumer and type.
    pub heard: Vec<Heard>,
}

/// One delivery: a consumer, an event and a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who hears it.
    pub consumer: ConsumerId,
    /// As what: of a change of residence the most specific type that the subscriptions ask for.
    pub type_: EventType,
    /// The subscriptions that are its ground.
    pub subscriptions: Vec<SubscriptionId>,
}

/// A suspended subscription that a change passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Which.
    pub subscription: SubscriptionId,
    /// Whether it covered the person, as stored, before the change.
    pub covered_before: bool,
}

/// Who hears of these changes of one person.
pub fn match_person(
    selectors: &Selectors,
    source: &ResourceKey,
    sight: &Sight<'_>,
    mut changes: Vec<Change>,
) -> Matching {
    changes.sort_by_key(|change| !is_protection(change.type_));
    let places = [sight.before.standing(), Some(sight.after)].into_iter().flatten().filter_map(|s| s.municipality);
    let mut audience = Audience::of(&changes, sight.named.clone());
    for entry in candidates(selectors, source, places, sight) {
        audience.admit(entry, sight, &changes);
    }
    for (at, change) in changes.iter().enumerate() {
        audience.undo(at, change, selectors, source, sight);
    }
    audience.finish(changes)
}

/// Who may be concerned: for a place of the person, or for having them by name before or now.
fn candidates<'a>(
    selectors: &'a Selectors,
    source: &ResourceKey,
    places: impl Iterator<Item = Municipality>,
    sight: &Sight<'_>,
) -> Vec<&'a Entry> {
    let mut subjects = sight.named.clone();
    for id in sight.subjects.subscriptions() {
        subjects.set(id, sight.subjects.get(id));
    }
    selectors.candidates(source, places, &subjects, sight.now)
}

/// When the next of the subscriptions that follow a person who died, emigrated, disappeared or moved away ends its following.
pub fn next_follow_end(
    selectors: &Selectors,
    source: &ResourceKey,
    standing: &Standing,
    subjects: &Subjects,
    now: Timestamp,
) -> Option<Timestamp> {
    let covering = covering(selectors, source, standing, subjects, now);
    let ends = covering.iter().flat_map(|entry| {
        let moved = move_ends(&entry.subscription, subjects.get(entry.id)).filter(|end| now < *end);
        [follow_ends(&entry.subscription, standing), moved]
    });
    ends.flatten().min()
}

fn is_protection(type_: EventType) -> bool {
    matches!(type_, EventType::ProtectionStarted | EventType::ProtectionEnded)
}

#[cfg(test)]
mod tests;
