//! A person as a look-up shows them.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::book::Book;
use super::dialect::Dialect;
use super::people::Person;
use super::rows::Group;
use super::rows::Row;
use super::rows::RowStatus;
use crate::runtime::clock::copenhagen;

/// What an answer depends on besides the person.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub book: &'a Book,
    pub dialect: &'a Dialect,
    pub today: Date,
}

impl View<'_> {
    /// The whole of a person: all members that any schema offers.
    pub(super) fn person(&self, person: &Person) -> Value {
        let mut node = json!({
            "id": person.id, "status": person.status.text(), "statusdato": person.status_since,
            "foedselsdato": person.born, "koen": person.sex.text(),
        });
        for group in Group::ALL {
            let (member, _) = group.words();
            node[member] = if self.dialect.singles.contains(&member) {
                person.current(group).map_or(Value::Null, |row| self.row(group, row))
            } else {
                self.rows(person, group)
            };
        }
        node
    }

    fn rows(&self, person: &Person, group: Group) -> Value {
        person.of(group).iter().map(|row| self.row(group, row)).collect()
    }

    fn row(&self, group: Group, row: &Row) -> Value {
        let mut members = row.content.as_object().cloned().unwrap_or_default();
        self.translate(&mut members);
        let status = if row.status == RowStatus::Current && row.to.is_some_and(|to| to <= self.today) {
            RowStatus::Historical
        } else {
            row.status
        };
        members.insert("status".to_owned(), self.dialect.row_status(status.text()).into());
        members.insert("registreringfra".to_owned(), date_time(row.registered).into());
        members.extend(dates(group, row));
        if let (Some(member), Some(other)) = (group.relation(), &row.other) {
            members.insert(member.to_owned(), self.book.get(other).map_or(Value::Null, |other| self.relative(other)));
        }
        Value::Object(members)
    }

    /// Puts members of an address or a name into this register's form.
    fn translate(&self, members: &mut Map<String, Value>) {
        if let Some(address) = members.get_mut("cprAdresse")
            && let Some(code) = address["cprkommunekode"].as_str()
        {
            address["cprkommunekode"] = self.dialect.municipality(code).into();
        }
        if let Some(first) = members.remove("fornavne") {
            members.insert(self.dialect.first_names.to_owned(), first);
        }
    }

    /// The little that is shown of somebody in another's rows.
    fn relative(&self, person: &Person) -> Value {
        json!({
            "personid": person.id, "personnummer": person.number(),
            "beskyttelser": self.rows(person, Group::Protection),
            "navn": person.current(Group::Name).map(|row| self.row(Group::Name, row)),
        })
    }
}

/// The dates of a row; citizenship has its own spelling, and protection tells instants.
fn dates(group: Group, row: &Row) -> Map<String, Value> {
    let names = if group == Group::Citizenship {
        ["virkningFra", "virkningFraUsikkerhedsmarkering", "virkningTil", "virkningTilUsikkerhedsmarkering"]
    } else {
        ["virkningfra", "virkningfrausikkerhedsmarkering", "virkningtil", "virkningtilusikkerhedsmarkering"]
    };
    let date = |date: Option<Date>| match (group, date) {
        (Group::Protection, Some(date)) => midnight(date).into(),
        _ => json!(date),
    };
    let values = [date(row.from), row.uncertain.into(), date(row.to), false.into()];
    names.into_iter().map(str::to_owned).zip(values).collect()
}

/// When a date begins in Denmark.
fn midnight(date: Date) -> Option<String> {
    date.to_zoned(copenhagen()).ok().map(|zoned| date_time(zoned.timestamp()))
}

/// The register's form of an instant: six digits after the second, in UTC.
pub(super) fn date_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
