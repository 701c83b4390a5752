//! Weighing one person: what changed, where they stand now, and who is to hear of it. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::derive;
use super::matching::{self, Before, Matching, Selectors, Sight, SubscriptionId};
use crate::domain::change::{Change, DerivedFrom};
use crate::domain::event_type::{EventType, TypeSet};
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::municipality::Municipality;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::domain::resource::ResourceKey;
use crate::domain::standing::Standing;
use crate::domain::subject::{Subject, Subjects};
use crate::runtime::clock::danish_date;
use crate::store::ConsumerId;

/// A stored person, opened.
pub struct Stored {
    /// The content.
    pub person: Person,
    /// The day for which it was last weighed.
    pub as_of: Date,
    /// Where they stood.
    pub standing: Standing,
}

/// An entry of the register that turned out to be the same person, and has a record of its own.
pub struct Joined {
    /// Its record.
    pub record: RecordId,
    /// What it says.
    pub person: Person,
}

/// What is known beside a fetched person of who hears of them.
#[derive(Clone, Debug, Default)]
pub struct Ties {
    /// What their consumers were told and have not seen undone.
    pub told: Vec<(ConsumerId, TypeSet)>,
    /// Which subscriptions have them by name.
    pub subjects: Subjects,
    /// Which put them on their list now.
    pub lists: Vec<SubscriptionId>,
}

impl Ties {
    /// Which subscriptions have the person by name when those who put them on their list have done so.
    fn named(&self) -> Subjects {
        let mut named = self.subjects.clone();
        for id in &self.lists {
            named.set(*id, Subject { listed: true, ..named.get(*id) });
        }
        named
    }
}

/// What is needed beside the person.
pub struct Scales<'a> {
    /// Live subscriptions.
    pub selectors: &'a Selectors,
    /// The source that tells.
    pub source: &'a ResourceKey,
    /// How far back a first sight may be explained.
    pub history_days: i32,
    /// How changes come to be known.
    pub derived_from: DerivedFrom,
    /// The present time.
    pub now: Timestamp,
    /// The present date in Denmark.
    pub today: Date,
}

/// A person, weighed.
pub struct Weighed {
    /// As fetched.
    pub person: Person,
    /// Our record, if they were known.
    pub record: Option<RecordId>,
    /// The state before: stored, or rebuilt from their own rows.
    pub before: Option<(Person, Date)>,
    /// Where they stand now.
    pub standing: Standing,
    /// Who hears what, in commit order, who missed it, and who has them by name now.
    pub outcome: Matching,
    /// What was known of who hears of them.
    pub ties: Ties,
    /// Where they lived before and live now, as far as known.
    pub places: Vec<Municipality>,
    /// Whether a live subscription covers them now.
    pub covered: bool,
    /// What is kept of them.
    pub keep: GroupSet,
    /// Entries that turned out to be them.
    pub joined: Vec<Joined>,
    /// Whether the record was made for another PersonID.
    pub adopted: bool,
    /// Whether they were kept apart from another entry that claims the same number.
    pub doubtful: bool,
}

impl Weighed {
    /// Whether there is anything to store: they are covered, somebody hears of them or has them by name, or they were stored
    /// before.
    pub fn is_ours(&self, was_stored: bool) -> bool {
        was_stored || self.covered || !self.outcome.matched.is_empty() || !self.ties.lists.is_empty()
    }
}

impl Scales<'_> {
    /// Weighs a fetched person against the stored one.
    pub fn weigh(
        &self,
        record: Option<RecordId>,
        stored: Option<Stored>,
        fetched: Person,
        ties: Ties,
        joined: Vec<Joined>,
    ) -> Weighed {
        match stored {
            Some(stored) => self.weigh_known(record, stored, fetched, ties, joined),
            None => self.weigh_first(record, fetched, ties),
        }
    }

    fn weigh_known(
        &self,
        record: Option<RecordId>,
        stored: Stored,
        fetched: Person,
        ties: Ties,
        joined: Vec<Joined>,
    ) -> Weighed {
        let standing = Standing::of(&fetched, self.today, Some(&stored.standing), self.now);
        let mut changes = derive::compare((&stored.person, stored.as_of), (&fetched, self.today), self.derived_from);
        joined.iter().for_each(|one| derive::join(&mut changes, one.record, self.derived_from));
        let outcome = self.matching(Before::Stored(&stored.standing), &standing, &ties, changes);
        let places = [stored.standing.municipality, standing.municipality];
        let weighed = self.weighed(fetched, record, (stored.person, stored.as_of), standing, (places, outcome, ties));
        Weighed { joined, ..weighed }
    }

    fn weigh_first(&self, record: Option<RecordId>, fetched: Person, ties: Ties) -> Weighed {
        let mut first = derive::first_sight(&fetched, self.today, self.history_days);
        if !ties.lists.is_empty() {
            // No notice told of the person, so where the rows do not tell what changed, nothing did.
            first.changes.retain(|change| change.derived_from != DerivedFrom::Notice);
        }
        let rebuilt = Standing::of(&first.before, first.before_on, None, self.now);
        let standing = Standing::of(&fetched, self.today, Some(&rebuilt), self.now);
        let outcome = self.matching(Before::Rebuilt(&rebuilt), &standing, &ties, first.changes);
        let places = [rebuilt.municipality, standing.municipality];
        self.weighed(fetched, record, (first.before, first.before_on), standing, (places, outcome, ties))
    }

    fn matching(&self, before: Before<'_>, after: &Standing, ties: &Ties, changes: Vec<Change>) -> Matching {
        let named = ties.named();
        let sight = Sight { before, after, subjects: &ties.subjects, named: &named, told: &ties.told, now: self.now };
        matching::match_person(self.selectors, self.source, &sight, changes)
    }

    fn weighed(
        &self,
        person: Person,
        record: Option<RecordId>,
        before: (Person, Date),
        standing: Standing,
        (places, outcome, ties): ([Option<Municipality>; 2], Matching, Ties),
    ) -> Weighed {
        let covering = matching::covering(self.selectors, self.source, &standing, &outcome.subjects, self.now);
        let (covered, keep) = (!covering.is_empty(), matching::groups_kept(&covering));
        let places: BTreeSet<Municipality> = places.into_iter().flatten().collect();
        let (before, places) = (Some(before), places.into_iter().collect());
        let (joined, adopted, doubtful) = (Vec::new(), false, false);
        Weighed { person, record, before, standing, outcome, ties, places, covered, keep, joined, adopted, doubtful }
    }
}

impl Weighed {
    /// The state before a change: of a merge that joins two records, what the other entry says.
    pub fn before(&self, change: &Change) -> Option<(&Person, Option<Date>)> {
        match change.joined {
            Some(record) => self.joined.iter().find(|one| one.record == record).map(|one| (&one.person, None)),
            None => self.before.as_ref().map(|(person, on)| (person, Some(*on))),
        }
    }
}

/// Of the state before an event, what its payloads may need: number, address and municipality, where the event tells of
/// their change.
pub fn previous(change: &Change, before: &Person, tellable: GroupSet) -> Option<Person> {
    let wanted = match change.type_ {
        EventType::AddressChanged | EventType::MovedIn | EventType::MovedOut | EventType::MovedWithin => {
            GroupSet::of(&[FieldGroup::Address, FieldGroup::Municipality])
        }
        EventType::NumberChanged | EventType::PersonMerged => GroupSet::of(&[FieldGroup::Number]),
        _ => return None,
    };
    let kept = wanted.intersection(tellable);
    if kept.is_empty() { None } else { Some(before.clone().cut_to(kept)) }
}

/// The earliest day after `weighed`, for which the person was last weighed, on which they have to be looked at again: a date
/// of theirs, or the day after which somebody has ceased to follow them.
pub fn due_day(
    person: &Person,
    weighed: Date,
    standing: &Standing,
    subjects: &Subjects,
    selectors: &Selectors,
    source: &ResourceKey,
    now: Timestamp,
) -> Option<Date> {
    let followed = matching::next_follow_end(selectors, source, standing, subjects, now);
    let followed = followed.map(|end| danish_date(end).tomorrow().unwrap_or(Date::MAX));
    [person.next_due(weighed), followed].into_iter().flatten().min()
}
