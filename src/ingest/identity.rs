//! Who is who: whether a person under a PersonID that is new to us goes on as one whom we know by a number. Pure.
//!
//! Two persons who are taken for one would be told to each other's consumers, so everything that is not said by the register
//! keeps them apart: a record goes on under another PersonID only where the register has closed the entry that it was made
//! for, or does not know it any more and what is held of both fits.

use std::collections::{HashMap, HashSet};

use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::pairwise::RecordId;
use crate::domain::person::{Person, RowState};
use crate::domain::status::{Presence, StatusCode};

/// What is known beside the fetched persons.
pub struct Knowledge<'a> {
    /// The persons who were fetched together.
    pub fetched: &'a [Person],
    /// PersonIDs that were asked for and that the register does not know.
    pub gone: &'a [PersonId],
    /// Whether it may be asked for more; else everything is decided from what is here.
    pub may_ask: bool,
    /// The records of their PersonIDs.
    pub by_id: &'a HashMap<PersonId, RecordId>,
    /// The records of their numbers, as far as needed.
    pub by_number: &'a HashMap<CprNumber, RecordId>,
    /// The stored persons of these records.
    pub stored: &'a HashMap<RecordId, Person>,
    /// Those of the records that were kept apart from others.
    pub in_doubt: &'a HashSet<RecordId>,
}

/// Where a fetched person belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To a record of their own, a known one or a new one.
    Own(Own),
    /// Nowhere: a closed entry whose record is the survivor's.
    GivenWay,
    /// To be asked first.
    Open(Question),
}

/// A record of one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// The known one.
    pub record: Option<RecordId>,
    /// Whether the record was made for another PersonID.
    pub adopted: bool,
    /// Whether another entry claims the same number, so that the two were kept apart.
    pub doubtful: bool,
    /// Whether the PersonID led to another record until now.
    pub parted: bool,
    /// Numbers that led to another record until now.
    pub released: Vec<CprNumber>,
    /// Numbers that are not to lead here.
    pub contested: Vec<CprNumber>,
}

/// What has to be asked of the register before a person has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How the second stands now, whose record the first would go on with.
    Other(PersonId, PersonId),
    /// Who has the number of the first, which was closed.
    Survivor(PersonId, CprNumber),
}

impl Question {
    /// Whom it is about.
    pub fn about(&self) -> &PersonId {
        match self {
            Self::Other(about, _) | Self::Survivor(about, _) => about,
        }
    }
}

/// A double that was closed, or a number that was replaced: the entry itself is over, and somebody else goes on.
pub fn is_closed(status: &StatusCode) -> bool {
    matches!(status, StatusCode::Closed | StatusCode::Replaced)
}

/// The numbers that a person has or had, the latest first. One that was taken back or corrected never was theirs.
pub fn numbers(person: &Person) -> impl Iterator<Item = &CprNumber> {
    let theirs = |state: &RowState| matches!(state, RowState::Current | RowState::Historical | RowState::Technical);
    person.numbers.iter().rev().filter(move |row| theirs(&row.state)).map(|row| &row.value.0)
}

/// Whether two entries name the same number, now or earlier.
pub fn share_a_number(one: &Person, other: &Person) -> bool {
    numbers(one).any(|number| has(other, number))
}

fn has(person: &Person, number: &CprNumber) -> bool {
    numbers(person).any(|theirs| theirs == number)
}

fn is_void(person: &Person) -> bool {
    person.status.presence() == Presence::Void
}

/// Where each fetched person belongs, in their order. All of them have a PersonID.
pub fn places(known: &Knowledge<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = known.fetched.iter().map(|person| known.place(person)).collect();
    known.part_rivals(&mut places);
    known.make_way(&mut places);
    known.contest(&mut places);
    known.ask_for_survivors(&mut places);
    places
}

/// How the stored entry of another PersonID stands in the register now.
enum Now<'a> {
    Found(&'a Person),
    Gone,
    Unsaid,
}

/// What follows for a person from an entry of another PersonID with the same number.
enum Verdict {
    Same,
    GivenWay,
    /// Apart; doubtful where both still claim the number.
    Apart {
        doubtful: bool,
    },
    Open,
}

impl<'a> Knowledge<'a> {
    fn place(&self, person: &Person) -> Place {
        let Some(id) = &person.id else { return Place::GivenWay };
        match self.by_id.get(id) {
            Some(record) => self.place_known(person, id, *record),
            None => self.place_new(person, id),
        }
    }

    fn place_known(&self, person: &Person, id: &PersonId, record: RecordId) -> Place {
        let doubtful = self.in_doubt.contains(&record) && self.is_claimed_elsewhere(person, record);
        let own = Own { record: Some(record), doubtful, ..Own::default() };
        let other = self.stored.get(&record).filter(|stored| stored.id.as_ref() != Some(id));
        let Some(other) = other else {
            return match self.newly_claimed(person, record) {
                Some(other) => self.open(id, other),
                None => Place::Own(Own { released: self.given_up(person, record), ..own }),
            };
        };
        match self.judge(person, other) {
            Verdict::Same => Place::Own(Own { adopted: true, ..own }),
            Verdict::GivenWay => Place::GivenWay,
            Verdict::Open => self.open(id, other),
            Verdict::Apart { doubtful } => {
                let released = self.released(person, record, other);
                Place::Own(Own { doubtful, parted: true, released, ..Own::default() })
            }
        }
    }

    /// Numbers of the person that lead to entries which do not have them any more.
    fn given_up(&self, person: &Person, own: RecordId) -> Vec<CprNumber> {
        let others = self.by_numbers(person).into_iter().filter(|(record, _)| *record != own);
        others.flat_map(|(record, other)| self.released(person, record, other)).collect()
    }

    /// The entry to which a number leads that is new to this person, as long as nothing is said of how it stands now: it may
    /// have been closed for this one.
    fn newly_claimed(&self, person: &Person, own: RecordId) -> Option<&'a Person> {
        let is_open = |other: &Person| !is_closed(&other.status) && matches!(self.now(other), Now::Unsaid);
        let others = self.by_numbers(person).into_iter().filter(|(record, _)| self.may_ask && *record != own);
        others.map(|(_, other)| other).find(|other| is_open(other))
    }

    /// Whether one of the person's numbers leads to a living entry that still names it.
    fn is_claimed_elsewhere(&self, person: &Person, own: RecordId) -> bool {
        let claims = |other: &Person| {
            let now = match self.now(other) {
                Now::Found(now) => now,
                _ => other,
            };
            !is_void(now) && share_a_number(person, now)
        };
        self.by_numbers(person).into_iter().any(|(record, other)| record != own && claims(other))
    }

    /// By the records of the person's numbers: the one that they go on with, if there is one.
    fn place_new(&self, person: &Person, id: &PersonId) -> Place {
        let mut own = Own::default();
        for (record, other) in self.by_numbers(person) {
            match self.judge(person, other) {
                Verdict::Same if own.record.is_none() => (own.record, own.adopted) = (Some(record), true),
                Verdict::Same => {}
                Verdict::GivenWay => return Place::GivenWay,
                Verdict::Open => return self.open(id, other),
                Verdict::Apart { doubtful } => {
                    own.doubtful |= doubtful;
                    own.released.extend(self.released(person, record, other));
                }
            }
        }
        Place::Own(own)
    }

    /// The stored persons to whose records the numbers lead, each once.
    fn by_numbers(&self, person: &Person) -> Vec<(RecordId, &'a Person)> {
        let mut met = HashSet::new();
        let records = numbers(person).filter_map(|number| self.by_number.get(number));
        records.filter(|record| met.insert(**record)).filter_map(|r| Some((*r, self.stored.get(r)?))).collect()
    }

    fn open(&self, id: &PersonId, other: &Person) -> Place {
        match &other.id {
            Some(other) => Place::Open(Question::Other(id.clone(), other.clone())),
            None => Place::GivenWay,
        }
    }

    /// `other` is what is stored of an entry that leads to the record in question.
    fn judge(&self, person: &Person, other: &Person) -> Verdict {
        if is_void(person) {
            return Verdict::GivenWay;
        }
        match self.now(other) {
            Now::Found(now) if is_closed(&now.status) && share_a_number(person, now) => Verdict::Same,
            Now::Found(now) => Verdict::Apart { doubtful: share_a_number(person, now) },
            Now::Gone if agree(person, other) => Verdict::Same,
            Now::Gone => Verdict::Apart { doubtful: true },
            Now::Unsaid if is_closed(&other.status) => Verdict::Same,
            Now::Unsaid if self.may_ask => Verdict::Open,
            Now::Unsaid => Verdict::Apart { doubtful: true },
        }
    }

    fn now(&self, other: &Person) -> Now<'a> {
        let found = self.fetched.iter().find(|person| person.id == other.id);
        match (found, &other.id) {
            (Some(found), _) => Now::Found(found),
            (None, Some(id)) if self.gone.contains(id) => Now::Gone,
            (None, _) => Now::Unsaid,
        }
    }

    /// Whether a stored person is among those who were fetched.
    pub fn by_id_fetched(&self, stored: &Person) -> bool {
        self.fetched.iter().any(|person| person.id == stored.id)
    }

    /// Numbers that lead to the other's record, and are the other's no more.
    fn released(&self, person: &Person, record: RecordId, other: &Person) -> Vec<CprNumber> {
        let Now::Found(now) = self.now(other) else { return Vec::new() };
        let lead = numbers(person).filter(|number| self.by_number.get(*number) == Some(&record));
        lead.filter(|number| !has(now, number)).cloned().collect()
    }

    /// Of several who would go on with one record nobody does.
    fn part_rivals(&self, places: &mut [Place]) {
        let adopted = |place: &Place| match place {
            Place::Own(own) if own.adopted => own.record,
            _ => None,
        };
        let mut by_record: HashMap<RecordId, u32> = HashMap::new();
        places.iter().filter_map(adopted).for_each(|record| *by_record.entry(record).or_default() += 1);
        for place in places {
            if adopted(place).is_some_and(|record| by_record.get(&record).is_some_and(|count| *count > 1))
                && let Place::Own(own) = place
            {
                *own = Own { doubtful: true, parted: own.parted, ..Own::default() };
            }
        }
    }

    /// The entry that a record was made for gives way to the one that goes on with it.
    fn make_way(&self, places: &mut [Place]) {
        let own = |place: &Place| match place {
            Place::Own(own) => own.record.map(|record| (record, own.adopted)),
            _ => None,
        };
        let taken: HashSet<RecordId> =
            places.iter().filter_map(own).filter_map(|(record, adopted)| adopted.then_some(record)).collect();
        for place in places {
            if own(place).is_some_and(|(record, adopted)| !adopted && taken.contains(&record)) {
                *place = Place::GivenWay;
            }
        }
    }

    /// Among persons who are all new: a closed entry gives way to the only one that is alive; of several who are alive none
    /// gets the number.
    fn contest(&self, places: &mut [Place]) {
        let mut claimants: HashMap<&CprNumber, Vec<usize>> = HashMap::new();
        for (at, person) in self.fetched.iter().enumerate() {
            if matches!(&places[at], Place::Own(own) if own.record.is_none()) {
                let claimed: HashSet<&CprNumber> = numbers(person).collect();
                claimed.into_iter().for_each(|number| claimants.entry(number).or_default().push(at));
            }
        }
        for (number, rivals) in claimants.into_iter().filter(|(_, rivals)| rivals.len() > 1) {
            let alive = rivals.iter().filter(|at| !is_void(&self.fetched[**at])).count();
            for at in rivals {
                match &mut places[at] {
                    place if is_void(&self.fetched[at]) && alive > 0 => *place = Place::GivenWay,
                    Place::Own(own) if alive > 1 => {
                        own.doubtful = true;
                        own.contested.push(number.clone());
                    }
                    _ => {}
                }
            }
        }
    }

    /// Who is closed only now waits until the register has said who goes on with the number, unless they are here.
    fn ask_for_survivors(&self, places: &mut [Place]) {
        if !self.may_ask {
            return;
        }
        for (at, person) in self.fetched.iter().enumerate() {
            let record = match &places[at] {
                Place::Own(own) if !own.adopted => own.record,
                _ => None,
            };
            let before = record.and_then(|record| self.stored.get(&record));
            let survives = |other: &&Person| other.id != person.id && !is_void(other) && share_a_number(other, person);
            let newly = is_closed(&person.status) && before.is_some_and(|before| !is_closed(&before.status));
            if !newly || self.fetched.iter().any(|other| survives(&other)) {
                continue;
            }
            if let (Some(id), Some(last)) = (&person.id, numbers(person).next()) {
                places[at] = Place::Open(Question::Survivor(id.clone(), last.clone()));
            }
        }
    }
}

/// Whether all that is held of an entry that the register does not know any more fits this person: the last number is among
/// theirs, and so is the date of birth, or where that is not held on both sides the name.
fn agree(person: &Person, stored: &Person) -> bool {
    let name =
        |of: &Person| of.names.iter().rev().find(|row| row.state == RowState::Current).map(|row| row.value.full());
    let fits = match person.birth.zip(stored.birth) {
        Some((one, other)) => one.date == other.date,
        None => name(person).flatten().is_some() && name(person) == name(stored),
    };
    fits && numbers(stored).next().is_some_and(|last| has(person, last))
}

#[cfg(test)]
mod tests;
