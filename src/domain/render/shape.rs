//! The shape of each field group's content as JSON Schema: what [`group`](super::group) may say, and nothing else.

use serde_json::{Map, Value, json};

use crate::domain::field_group::FieldGroup;

/// Names of the shapes that groups share; they and the groups' names are the members of [`shapes`].
const DATE: &str = "date";
const PERSON: &str = "person";
const GROUP: &str = "group";

/// The roles of parents and of holders of custody.
const ROLES: [&str; 3] = ["Mother", "FatherOrCoMother", "Other"];
const PROTECTIONS: [&str; 5] = ["NameAndAddress", "LocalDirectory", "Marketing", "CreditWarning", "Research"];
const RESIDENCES: [&str; 3] = ["Emigrated", "Immigrated", "Disappeared"];
const SEXES: [&str; 3] = ["Female", "Male", "Unknown"];
/// Of status, each with two digits.
const STATUSES: [&str; 11] = ["01", "03", "05", "07", "20", "30", "50", "60", "70", "80", "90"];
const CIVIL_STATUSES: [&str; 8] = ["U", "G", "F", "E", "D", "P", "O", "L"];

/// Every shape by name: one per group, and what they refer to by `#/$defs/NAME`.
pub fn shapes() -> Map<String, Value> {
    let mut shapes = Map::new();
    shapes.insert(DATE.to_owned(), day());
    shapes.insert(PERSON.to_owned(), related());
    shapes.insert(GROUP.to_owned(), json!({ "description": "The name of a group.", "enum": FieldGroup::ALL }));
    shapes.extend(FieldGroup::ALL.into_iter().map(|group| (group.name().to_owned(), shape(group))));
    shapes
}

/// What a group holds where the register has something.
fn shape(group: FieldGroup) -> Value {
    use FieldGroup as G;
    match group {
        G::Number => filled(vec![may("current", number()), may("previous", list(earlier_number()))]),
        G::PersonId => object(vec![must("personId", json!({ "type": "string", "format": "uuid" }))]),
        G::Status => object(vec![may("code", one_of(&STATUSES)), must("text", text()), since()]),
        G::Birth => object(vec![must("date", to(DATE))]),
        G::Sex => object(vec![must("code", one_of(&SEXES))]),
        G::Name => filled(name()),
        G::NameHistory => history(name()),
        G::Address => filled(address()),
        G::AddressHistory => history(address()),
        G::SupplementaryAddress | G::ContactAddress => {
            object(vec![must("lines", json!({ "type": "array", "items": text() })), since(), until()])
        }
        G::Municipality => object(vec![must("code", digits(4)), must("name", text()), since()]),
        G::CivilStatus => object(civil_status()),
        G::CivilStatusHistory => history(civil_status()),
        G::Citizenship => filled(citizenship()),
        G::CitizenshipHistory => history(citizenship()),
        G::Parents => list(object(with_role())),
        G::Children => list(object(without_role())),
        G::Custody => {
            let (holders, over) = (list(object(with_role())), list(object(without_role())));
            filled(vec![may("holders", holders), may("over", over)])
        }
        G::Guardianship => filled(vec![may("kind", text()), may("guardian", to(PERSON)), since()]),
        G::Protection => object(vec![must("kinds", list(object(protection())))]),
        G::ProtectionHistory => list(object(protection())),
        G::Residence => list(object(vec![must("kind", one_of(&RESIDENCES)), may("country", text()), since(), until()])),
        G::Church => object(church()),
        G::ChurchHistory => history(church()),
        G::MunicipalConditions => {
            list(object(vec![may("kind", text()), may("code", text()), may("note", text()), since()]))
        }
        G::MunicipalNotes => list(object(vec![must("text", text()), since(), until()])),
    }
}

/// A member of an object: its name, whether it is always there, and its shape.
type Member = (&'static str, bool, Value);

fn must(name: &'static str, shape: Value) -> Member {
    (name, true, shape)
}

fn may(name: &'static str, shape: Value) -> Member {
    (name, false, shape)
}

fn since() -> Member {
    may("since", to(DATE))
}

fn until() -> Member {
    may("until", to(DATE))
}

/// An object of these members and no others.
fn object(members: Vec<Member>) -> Value {
    let required: Vec<&str> = members.iter().filter(|(_, needed, _)| *needed).map(|(name, ..)| *name).collect();
    let mut shape = json!({ "type": "object", "additionalProperties": false });
    if !required.is_empty() {
        shape["required"] = json!(required);
    }
    shape["properties"] = members.into_iter().map(|(name, _, shape)| (name.to_owned(), shape)).collect();
    shape
}

/// An object of which any member may be absent, but not all.
fn filled(members: Vec<Member>) -> Value {
    let mut shape = object(members);
    shape["minProperties"] = json!(1);
    shape
}

/// A list that is not empty: where there is nothing, the group is `null` or the member absent.
fn list(of: Value) -> Value {
    json!({ "type": "array", "minItems": 1, "items": of })
}

/// Past rows, newest first.
fn history(mut members: Vec<Member>) -> Value {
    members.push(until());
    list(object(members))
}

fn to(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn digits(count: usize) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9]{{{count}}}$") })
}

fn number() -> Value {
    digits(10)
}

fn earlier_number() -> Value {
    object(vec![must("number", number()), until()])
}

fn day() -> Value {
    let mut shape = object(vec![
        must("date", json!({ "type": "string", "format": "date" })),
        must("uncertain", json!({ "type": "boolean" })),
    ]);
    shape["description"] = json!("A day, and whether the register is in doubt about it.");
    shape
}

fn related() -> Value {
    let reference = json!({ "type": "string", "pattern": REFERENCE });
    json!({
        "description": "Another person: by reference where this consumer knows them, else by name and date of birth as far \
                        as known, else only that there is somebody.",
        "oneOf": [
            object(vec![must("reference", reference)]),
            filled(vec![may("name", text()), may("birthDate", to(DATE))]),
            object(vec![must("withheld", json!({ "const": true }))]),
        ],
    })
}

/// The form of a person's reference.
pub const REFERENCE: &str = "^p_[0-9a-hjkmnp-tv-z]{26}$";

fn name() -> Vec<Member> {
    ["first", "middle", "last", "full", "addressing"].map(|name| may(name, text())).into()
}

fn address() -> Vec<Member> {
    let texts = [
        "municipalityCode",
        "municipalityName",
        "roadCode",
        "roadName",
        "houseNumber",
        "floor",
        "door",
        "building",
        "locality",
        "postcode",
        "postDistrict",
        "careOf",
        "darId",
    ];
    texts.into_iter().map(|name| may(name, text())).chain([since()]).collect()
}

fn civil_status() -> Vec<Member> {
    vec![may("code", one_of(&CIVIL_STATUSES)), must("text", text()), since(), may("spouse", to(PERSON))]
}

fn citizenship() -> Vec<Member> {
    vec![may("country", text()), since()]
}

fn with_role() -> Vec<Member> {
    vec![must("role", one_of(&ROLES)), must("person", to(PERSON)), since()]
}

fn without_role() -> Vec<Member> {
    vec![must("person", to(PERSON)), since()]
}

fn protection() -> Vec<Member> {
    vec![must("kind", one_of(&PROTECTIONS)), may("from", to(DATE)), until()]
}

fn church() -> Vec<Member> {
    vec![must("code", text()), must("text", text()), since()]
}

#[cfg(test)]
mod tests;
