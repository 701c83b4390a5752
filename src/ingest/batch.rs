//! What is committed at a time, and what that did.

use super::identity::Question;
use crate::audit;
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::store::cursor::Cursor;
use crate::store::listing::Listing;
use crate::store::unread::Unread;

/// Persons of one batch, and what belongs into the same transaction.
#[derive(Default)]
pub struct Batch {
    /// As fetched.
    pub persons: Vec<Person>,
    /// PersonIDs that were asked for and that the register does not know.
    pub gone: Vec<PersonId>,
    /// Whether persons whose identity is open may be left out, to be asked about.
    pub may_ask: bool,
    /// Persons of whom also what the register said before is taken.
    pub accepted: Vec<PersonId>,
    /// What the record says of how they were fetched.
    pub audit: Vec<audit::Entry>,
    /// The cursor, with the last batch of an import.
    pub cursor: Option<Cursor>,
    /// Event ids seen.
    pub seen: Vec<(u32, i64)>,
    /// Persons that could be read again.
    pub read: Vec<RecordId>,
    /// Persons that could not be read.
    pub unread: Vec<Unread>,
    /// Lines of lists that are met with this batch.
    pub lines: Vec<Line>,
}

/// A line of a list, and what the register said of its number.
#[derive(Clone, Debug)]
pub struct Line {
    /// The line.
    pub listing: Listing,
    /// The answer.
    pub answer: Answer,
}

/// What the register said of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is this person, who is fetched in the same batch.
    Found(PersonId),
    /// It knows nobody by it.
    Unknown,
    /// It could not be read, for a reason of this class.
    Unreadable(&'static str),
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Committed {
    /// Events appended.
    pub events: u64,
    /// Routes appended.
    pub routes: u64,
    /// Persons written.
    pub stored: u64,
    /// Fetched persons of whom nothing is kept.
    pub uncovered: u64,
    /// Persons who were being removed and have to be taken up again.
    pub again: Vec<PersonId>,
    /// What has to be asked of the register before the rest can be committed.
    pub open: Vec<Question>,
    /// Entries of the register that turned out to be one person with another.
    pub merged: u64,
    /// Those of them that had records of their own: the closed one's, and that of the person who goes on.
    pub joined: Vec<(RecordId, RecordId)>,
    /// Persons who were kept apart from another entry that claims the same number.
    pub doubtful: u64,
    /// Persons whom we hold and whom the register does not know any more.
    pub vanished: u64,
    /// Persons who have no place yet, because another could not be read, and those of whom the register told what was before.
    pub unreadable: Vec<PersonId>,
}

impl Committed {
    /// Adds what another commit did.
    pub fn add(&mut self, part: Self) {
        self.events += part.events;
        self.routes += part.routes;
        self.stored += part.stored;
        self.uncovered += part.uncovered;
        self.again.extend(part.again);
        self.open.extend(part.open);
        self.merged += part.merged;
        self.joined.extend(part.joined);
        self.doubtful += part.doubtful;
        self.vanished += part.vanished;
        self.unreadable.extend(part.unreadable);
    }
}
