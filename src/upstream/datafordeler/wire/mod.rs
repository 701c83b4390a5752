//! Turns the register's persons into ours. Tolerant and pure: what is unknown is counted, what is wrong costs no more
//! than its own groups, and what protection depends on fails closed.

mod kinds;
pub mod read;
mod related;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::identifier::PersonId;
use crate::domain::person::{Person, Protection, Row, RowState};

use super::fields::{Field, PERSON};
use super::nouns::Persons;
use read::{Tally, Wrong, canonical, date, text};

/// The members of a JSON object.
type Object = Map<String, Value>;

/// Reads the persons under a root field.
///
/// `selected`: the groups that were asked for and the service offers. `broken`: members that an error in the same answer
/// speaks of.
pub fn persons(value: Value, selected: GroupSet, broken: &BTreeSet<String>) -> Result<Persons, NotPersons> {
    let mut tally = Tally::default();
    let nodes = canonical(value, PERSON, &mut tally);
    let nodes = read::rows(Some(&nodes));
    if nodes.wrong {
        return Err(NotPersons);
    }
    let mut out = Persons { not_understood: nodes.bad, ..Persons::default() };
    for node in nodes.present {
        match person(node, selected, broken, &mut tally) {
            Some(person) => put(&mut out.found, person),
            None => out.not_understood += 1,
        }
    }
    out.unknown_fields = tally.unknown_fields;
    out.unknown_values = tally.unknown_values;
    out.dropped_rows = tally.dropped_rows;
    Ok(out)
}

/// What stands under the root field is neither a person nor a list of persons.
#[derive(Debug, PartialEq, Eq)]
pub struct NotPersons;

/// A person who comes twice is kept as they came last.
fn put(found: &mut Vec<Person>, person: Person) {
    match found.iter_mut().find(|known| known.id == person.id) {
        Some(known) => *known = person,
        None => found.push(person),
    }
}

/// Without these a person cannot be told from one who lost everything, so that nothing is read instead.
const INDISPENSABLE: GroupSet =
    GroupSet::of(&[FieldGroup::PersonId, FieldGroup::Number, FieldGroup::Status, FieldGroup::Municipality]);

const SUPPLEMENTARY: GroupSet = GroupSet::of(&[FieldGroup::SupplementaryAddress]);

/// Of these null is no answer: everyone has a number, and who has no protection has an empty list.
const NEVER_NULL: &[&str] = &["personnumre", "beskyttelser"];

/// Reads one person; none without what is indispensable.
fn person(node: &Object, selected: GroupSet, broken: &BTreeSet<String>, tally: &mut Tally) -> Option<Person> {
    let id = PersonId::parse(&text(node, "id").ok()??).ok()?;
    let mut reading = Reading { node, selected, broken, lost: GroupSet::EMPTY, tally };
    let mut person = Person { id: Some(id), ..Person::default() };
    reading.single(&mut person)?;
    reading.lists(&mut person);
    let lost = reading.lost;
    if !lost.intersection(selected).intersection(INDISPENSABLE).is_empty() {
        return None;
    }
    person.protection_known = selected.contains(FieldGroup::Protection)
        && !lost.contains(FieldGroup::Protection)
        && person.protections.iter().all(says_whether_it_applies);
    person.held = selected.minus(lost);
    Some(person)
}

fn says_whether_it_applies(row: &Row<Protection>) -> bool {
    !matches!(row.state, RowState::Other(_))
}

struct Reading<'a> {
    node: &'a Object,
    selected: GroupSet,
    broken: &'a BTreeSet<String>,
    lost: GroupSet,
    tally: &'a mut Tally,
}

impl Reading<'_> {
    /// Members with one value.
    fn single(&mut self, person: &mut Person) -> Option<()> {
        let status = text(self.node, "status").ok()??;
        if self.is_broken("status") || self.is_broken("id") {
            return None;
        }
        person.status = kinds::status(&status, self.tally);
        person.status_since = date(self.node, "statusdato", "statusdatousikkerhedsmarkering", self.tally).ok()?;
        self.value("foedselsdato", |node, tally| {
            person.birth = date(node, "foedselsdato", "foedselsdatousikkerhedsmarkering", tally)?;
            Ok(())
        });
        self.value("koen", |node, tally| {
            person.sex = kinds::sex(text(node, "koen")?.as_deref(), tally);
            Ok(())
        });
        Some(())
    }

    /// Members with rows.
    fn lists(&mut self, person: &mut Person) {
        person.numbers = self.rows("personnumre", rows::number);
        person.names = self.rows("navne", rows::name);
        person.addresses = self.rows("adresseoplysninger", rows::address);
        person.supplementary_addresses = self.flat("adresseoplysninger", SUPPLEMENTARY, rows::supplements);
        person.protections = self.rows("beskyttelser", rows::protection);
        person.civil_statuses = self.rows("civilstande", rows::civil_status);
        person.citizenships = self.rows("statsborgerskaber", rows::citizenship);
        person.children = self.rows("boern", rows::child);
        person.parents = self.rows("foraeldreoplysninger", rows::parent);
        person.custody_holders = self.rows("foraeldremyndighedsoplysninger", rows::custody_holder);
        person.custody_over = self.rows("foraeldremyndighedOver", rows::custody_over);
        person.contact_addresses = self.rows("kontaktadresse", rows::lines);
        person.guardianships = self.rows("vaergemaal", rows::guardianship);
        person.municipal_conditions = self.rows("kommunaleForhold", rows::municipal_condition);
        person.church = self.rows("folkekirke", rows::membership);
        person.municipal_notes = self.rows("notater", rows::note);
        let mut residences = self.flat("udrejseIndrejser", groups("udrejseIndrejser"), rows::emigrations);
        residences.extend(self.rows("forsvindinger", rows::disappearance));
        person.residences = rows::joined(residences);
    }

    fn value(&mut self, key: &'static str, mut read: impl FnMut(&Object, &mut Tally) -> Result<(), Wrong>) {
        if groups(key).intersection(self.selected).is_empty() {
            return;
        }
        if !self.node.contains_key(key) || self.is_broken(key) || read(self.node, self.tally).is_err() {
            self.lost = self.lost.union(groups(key));
        }
    }

    /// The rows of a member, each of which reads as one.
    fn rows<T>(&mut self, key: &'static str, read: fn(&Object, &mut Tally) -> Result<Row<T>, Wrong>) -> Vec<Row<T>> {
        self.flat(key, groups(key), |row, tally| Ok(vec![read(row, tally)?]))
    }

    /// The rows of a member, each of which reads as any number. What is wrong takes `groups` with it.
    fn flat<T>(
        &mut self,
        key: &'static str,
        groups: GroupSet,
        read: impl Fn(&Object, &mut Tally) -> Result<Vec<Row<T>>, Wrong>,
    ) -> Vec<Row<T>> {
        if groups.intersection(self.selected).is_empty() {
            return Vec::new();
        }
        let found = read::rows(self.node.get(key));
        let unsaid = match self.node.get(key) {
            None => true,
            Some(value) => value.is_null() && NEVER_NULL.contains(&key),
        };
        if unsaid || found.wrong || found.bad > 0 || self.is_broken(key) {
            self.lost = self.lost.union(groups);
        }
        self.tally.dropped_rows += found.bad;
        let mut out = Vec::new();
        for row in found.present {
            match read(row, self.tally) {
                Ok(rows) => out.extend(rows),
                Err(Wrong) => {
                    self.tally.dropped_rows += 1;
                    self.lost = self.lost.union(groups);
                }
            }
        }
        out.sort_by_key(|row| (row.from, row.until, row.registered));
        out
    }

    fn is_broken(&self, key: &str) -> bool {
        let field = field(key);
        self.broken.iter().any(|name| field.is_some_and(|field| field.is_called(name)))
    }
}

fn field(key: &str) -> Option<&'static Field> {
    PERSON.iter().find(|field| field.key() == key)
}

fn groups(key: &str) -> GroupSet {
    field(key).map(|field| field.groups).unwrap_or_default()
}
