//! The content of each field group as JSON: what events, lookups and the audit record say of a person.

pub mod shape;
mod words;

use jiff::civil::{Date, date};
use serde_json::{Map, Value, json};

use super::date::RegisterDate;
use super::field_group::FieldGroup;
use super::municipality::Municipality;
use super::person::{
    Address, Church, Citizenship, CivilStatus, CustodyHolder, Guardianship, Lines, MunicipalCondition, MunicipalNote,
    Name, Number, Parent, Person, Protection, Related, Residence, Row, RowState, in_force, past, present,
};
use super::protection::{self, Shown};
use super::status::StatusCode;
use words::{church_text, civil_status_words, protection_kind, residence_kind, role, sex};

/// Says who a related person is; usually [`related`] with the reference that the consumer knows them by.
pub type SayRelated<'a> = dyn FnMut(&Related) -> Value + 'a;

/// What `group` holds of `person` on the day `on`; `null` where the register has none. Members without a value are absent.
pub fn group(person: &Person, group: FieldGroup, on: Date, related: &mut SayRelated<'_>) -> Value {
    use FieldGroup as G;
    match group {
        G::Number => numbers(person, on),
        G::PersonId => or_null(person.id.as_ref().map(|id| json!({ "personId": id.expose() }))),
        G::Status => status(person),
        G::Birth => or_null(person.birth.map(|birth| json!({ "date": dated(birth) }))),
        G::Sex => json!({ "code": sex(person.sex) }),
        G::Name => one(&person.names, on, |row| name(&row.value)),
        G::NameHistory => ended(past(&person.names, on), |row| name(&row.value)),
        G::Address => one(&person.addresses, on, address),
        G::AddressHistory => ended(past(&person.addresses, on), address),
        G::SupplementaryAddress => one(&person.supplementary_addresses, on, lines),
        G::ContactAddress => one(&person.contact_addresses, on, lines),
        G::Municipality => municipality(person, on),
        G::CivilStatus => one(&person.civil_statuses, on, |row| civil_status(row, related)),
        G::CivilStatusHistory => ended(past(&person.civil_statuses, on), |row| civil_status(row, related)),
        G::Citizenship => one(&person.citizenships, on, citizenship),
        G::CitizenshipHistory => ended(past(&person.citizenships, on), citizenship),
        G::Parents => or_null(list(in_force(&person.parents, on), |row| parent(row, related))),
        G::Children => or_null(list(in_force(&person.children, on), |row| child(row, related))),
        G::Custody => custody(person, on, related),
        G::Guardianship => one(&person.guardianships, on, |row| guardianship(row, related)),
        G::Protection => protections(person, on),
        G::ProtectionHistory => ended(person.past_protections(on), protection),
        G::Residence => or_null(list(residences(person, on), residence)),
        G::Church => one(&person.church, on, church),
        G::ChurchHistory => ended(past(&person.church, on), church),
        G::MunicipalConditions => or_null(list(in_force(&person.municipal_conditions, on), condition)),
        G::MunicipalNotes => or_null(list(in_force(&person.municipal_notes, on), note)),
    }
}

/// Who a related person is: the `reference` where the consumer has a claim on them, else name and date of birth, else that
/// they are withheld.
pub fn related(person: &Related, reference: Option<&str>) -> Value {
    match (protection::related(person.protected, reference.is_some()), reference) {
        (Shown::Reference, Some(reference)) => json!({ "reference": reference }),
        (Shown::NameAndBirth, _) if person.name.is_some() || person.birth.is_some() => {
            Members::new().text("name", person.name.as_deref()).date("birthDate", person.birth).value()
        }
        _ => json!({ "withheld": true }),
    }
}

/// Emigrations, immigrations and disappearances that have begun, past ones included, newest first.
pub fn residences(person: &Person, on: Date) -> Vec<&Row<Residence>> {
    let told = |row: &&Row<Residence>| {
        matches!(row.state, RowState::Current | RowState::Historical | RowState::Technical)
            && row.from.is_none_or(|from| from.date <= on)
    };
    let mut rows: Vec<&Row<Residence>> = person.residences.iter().filter(told).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.from, row.until, row.registered)));
    rows
}

/// An object under construction, into which only members with a value go.
struct Members(Map<String, Value>);

impl Members {
    fn new() -> Self {
        Self(Map::new())
    }

    fn put(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    fn text(self, name: &str, text: Option<&str>) -> Self {
        self.put(name, text.map(Value::from))
    }

    fn date(self, name: &str, day: Option<RegisterDate>) -> Self {
        self.put(name, day.map(dated))
    }

    fn value(self) -> Value {
        Value::Object(self.0)
    }
}

fn dated(day: RegisterDate) -> Value {
    json!({ "date": day.date.to_string(), "uncertain": day.uncertain })
}

fn or_null(value: Option<Value>) -> Value {
    value.unwrap_or(Value::Null)
}

/// The row in force; an object without members says nothing and counts as none.
fn one<T>(rows: &[Row<T>], on: Date, say: impl FnMut(&Row<T>) -> Value) -> Value {
    let said = present(rows, on).map(say);
    or_null(said.filter(|value| value.as_object().is_some_and(|members| !members.is_empty())))
}

fn list<T>(rows: Vec<&Row<T>>, say: impl FnMut(&Row<T>) -> Value) -> Option<Value> {
    let said: Vec<Value> = rows.into_iter().map(say).collect();
    if said.is_empty() { None } else { Some(Value::Array(said)) }
}

/// Past rows, each with its end.
fn ended<T>(rows: Vec<&Row<T>>, mut say: impl FnMut(&Row<T>) -> Value) -> Value {
    or_null(list(rows, |row| {
        let mut said = say(row);
        if let (Some(members), Some(until)) = (said.as_object_mut(), row.until) {
            members.insert("until".to_owned(), dated(until));
        }
        said
    }))
}

fn numbers(person: &Person, on: Date) -> Value {
    let previous = list(past(&person.numbers, on), |row: &Row<Number>| {
        Members::new().text("number", Some(row.value.0.expose())).date("until", row.until).value()
    });
    let current = person.number(on).map(|number| number.expose());
    if current.is_none() && previous.is_none() {
        return Value::Null;
    }
    Members::new().text("current", current).put("previous", previous).value()
}

fn status(person: &Person) -> Value {
    if matches!(&person.status, StatusCode::Other(text) if text.is_empty()) {
        return Value::Null;
    }
    let code = person.status.code().map(|code| format!("{code:02}"));
    Members::new()
        .text("code", code.as_deref())
        .text("text", Some(person.status.text()))
        .date("since", person.status_since)
        .value()
}

fn name(name: &Name) -> Value {
    Members::new()
        .text("first", name.first.as_deref())
        .text("middle", name.middle.as_deref())
        .text("last", name.last.as_deref())
        .text("full", name.full().as_deref())
        .text("addressing", name.addressing.as_deref())
        .value()
}

fn address(row: &Row<Address>) -> Value {
    let a = &row.value;
    Members::new()
        .text("municipalityCode", a.municipality_code.as_deref())
        .text("municipalityName", a.municipality_name.as_deref())
        .text("roadCode", a.road_code.as_deref())
        .text("roadName", a.road_name.as_deref())
        .text("houseNumber", a.house_number.as_deref())
        .text("floor", a.floor.as_deref())
        .text("door", a.door.as_deref())
        .text("building", a.building.as_deref())
        .text("locality", a.locality.as_deref())
        .text("postcode", a.postcode.as_deref())
        .text("postDistrict", a.post_district.as_deref())
        .text("careOf", a.care_of.as_deref())
        .text("darId", a.dar_id.as_deref())
        .date("since", row.from)
        .value()
}

fn lines(row: &Row<Lines>) -> Value {
    Members::new().put("lines", Some(json!(row.value.0))).date("since", row.from).date("until", row.until).value()
}

fn municipality(person: &Person, on: Date) -> Value {
    let Some(code) = person.municipality(on) else { return Value::Null };
    let registered = person.address(on).and_then(|row| row.value.municipality_name.as_deref());
    Members::new()
        .text("code", Some(&code.to_string()))
        .text("name", Some(registered.unwrap_or(code.name())))
        .date("since", municipality_since(person, code, on))
        .value()
}

/// The day of the move to the municipality, where the rows tell it: the beginning of the unbroken run of addresses in it,
/// once the address before that run is known.
fn municipality_since(person: &Person, code: Municipality, on: Date) -> Option<RegisterDate> {
    let mut beginning = person.address(on)?.from?;
    for row in past(&person.addresses, on) {
        let adjoins = row.until.is_none_or(|until| until.date >= beginning.date);
        if row.from.is_some_and(|from| from.date >= beginning.date) {
            continue;
        }
        if !adjoins || row.value.municipality() != Some(code) {
            return Some(beginning);
        }
        beginning = row.from?;
    }
    None
}

fn civil_status(row: &Row<CivilStatus>, related: &mut SayRelated<'_>) -> Value {
    let (code, text) = civil_status_words(&row.value.kind);
    Members::new()
        .text("code", code)
        .text("text", Some(text))
        .date("since", row.from)
        .put("spouse", row.value.spouse.as_ref().map(related))
        .value()
}

/// Records dated on the day when the register was moved to its present system do not know better.
const MIGRATION_DAY: Date = date(1991, 9, 23);

fn citizenship(row: &Row<Citizenship>) -> Value {
    let doubted = |from: RegisterDate| RegisterDate { uncertain: from.uncertain || from.date == MIGRATION_DAY, ..from };
    let country = row.value.country.as_deref().or(row.value.country_code.as_deref());
    Members::new().text("country", country).date("since", row.from.map(doubted)).value()
}

fn parent(row: &Row<Parent>, related: &mut SayRelated<'_>) -> Value {
    let person = related(&row.value.person);
    Members::new().text("role", Some(role(&row.value.role))).put("person", Some(person)).date("since", row.from).value()
}

fn child(row: &Row<Related>, related: &mut SayRelated<'_>) -> Value {
    Members::new().put("person", Some(related(&row.value))).date("since", row.from).value()
}

fn custody(person: &Person, on: Date, related: &mut SayRelated<'_>) -> Value {
    let holders = list(in_force(&person.custody_holders, on), |row: &Row<CustodyHolder>| {
        let holder = related(&row.value.person);
        Members::new()
            .text("role", Some(role(&row.value.role)))
            .put("person", Some(holder))
            .date("since", row.from)
            .value()
    });
    let over = list(in_force(&person.custody_over, on), |row| child(row, related));
    if holders.is_none() && over.is_none() {
        return Value::Null;
    }
    Members::new().put("holders", holders).put("over", over).value()
}

fn guardianship(row: &Row<Guardianship>, related: &mut SayRelated<'_>) -> Value {
    Members::new()
        .text("kind", row.value.kind.as_deref())
        .put("guardian", row.value.guardian.as_ref().map(related))
        .date("since", row.from)
        .value()
}

/// Protection data that is missing is told as the protection that it counts as.
fn protections(person: &Person, on: Date) -> Value {
    let mut kinds: Vec<Value> = person.protections_in_force(on).into_iter().map(protection).collect();
    if !person.protection_known {
        kinds.push(json!({ "kind": protection_kind(&Protection::NameAndAddress) }));
    }
    if kinds.is_empty() { Value::Null } else { json!({ "kinds": kinds }) }
}

fn protection(row: &Row<Protection>) -> Value {
    Members::new()
        .text("kind", Some(protection_kind(&row.value)))
        .date("from", row.from)
        .date("until", row.until)
        .value()
}

fn residence(row: &Row<Residence>) -> Value {
    Members::new()
        .text("kind", Some(residence_kind(row.value.kind)))
        .text("country", row.value.country.as_deref())
        .date("since", row.from)
        .date("until", row.until)
        .value()
}

fn church(row: &Row<Church>) -> Value {
    let kind = row.value.kind.as_str();
    Members::new().text("code", Some(kind)).text("text", Some(church_text(kind))).date("since", row.from).value()
}

fn condition(row: &Row<MunicipalCondition>) -> Value {
    Members::new()
        .text("kind", row.value.kind.as_deref())
        .text("code", row.value.code.as_deref())
        .text("note", row.value.note.as_deref())
        .date("since", row.from)
        .value()
}

fn note(row: &Row<MunicipalNote>) -> Value {
    Members::new().text("text", Some(&row.value.text)).date("since", row.from).date("until", row.until).value()
}

#[cfg(test)]
mod tests;
