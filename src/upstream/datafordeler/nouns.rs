//! What the client gives: notices, the state of imports, persons.

use crate::domain::identifier::PersonId;
use crate::domain::municipality::Municipality;
use crate::domain::person::Person;

/// Word that something happened to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its place in the register's one counter of events.
    pub event_id: i64,
    /// The import that brought it.
    pub import: u32,
    /// Whom it is about.
    pub person: PersonId,
    /// A hint: the municipality now, where it is said and real.
    pub municipality_now: Option<Municipality>,
    /// A hint: the municipality before, where it is said and real.
    pub municipality_before: Option<Municipality>,
    /// The register's own code for what happened, where it is said.
    pub code: Option<String>,
}

/// One page of notices, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticePage {
    /// The notices that could be read.
    pub notices: Vec<Notice>,
    /// Rows that were left out: about something else, or not understood.
    pub skipped: u32,
    /// The highest event id in the page, of rows left out too; none for an empty page.
    pub last_event_id: Option<i64>,
    /// Whether more follow.
    pub more: bool,
}

/// How far the register has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportStatus {
    /// Number of the newest import that is wholly loaded.
    pub last_sequence_number: u32,
    /// The newest event's id, where it is said. Not for decisions.
    pub last_event_id: Option<i64>,
}

/// Persons as they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persons {
    /// Those that were found and understood, each once. Who was asked for and is not here was not found, or is counted
    /// in `not_understood`.
    pub found: Vec<Person>,
    /// Persons in the answer that lack what nobody can do without, or were not asked for.
    pub not_understood: u32,
    /// Rows that were left out because their form was wrong; their groups are not in `held`.
    pub dropped_rows: u32,
    /// Members that we do not know.
    pub unknown_fields: u32,
    /// Values that we do not know.
    pub unknown_values: u32,
}

impl Persons {
    /// Takes in the persons of another answer.
    pub(super) fn add(&mut self, other: Persons) {
        self.found.extend(other.found);
        self.not_understood += other.not_understood;
        self.dropped_rows += other.dropped_rows;
        self.unknown_fields += other.unknown_fields;
        self.unknown_values += other.unknown_values;
    }
}
