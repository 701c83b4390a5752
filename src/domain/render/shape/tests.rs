//! The shapes hold whatever is rendered, and name nothing that is not.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use jiff::civil::date;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::*;
use crate::domain::person::{CivilStatus, Person, Row, Sex};
use crate::domain::render::{group, related};
use crate::domain::status::StatusCode;
use crate::domain::testing::{complete, resident};

fn validator(group: FieldGroup) -> Validator {
    let schema = json!({ "$ref": format!("#/$defs/{}", group.name()), "$defs": shapes() });
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// A relative with an even digit is known by reference.
fn said(person: &Person, what: FieldGroup) -> Value {
    let reference = "p_00000000000000000000000000";
    let known = |other: &str| other.ends_with(['2', '4']);
    group(person, what, date(2026, 11, 22), &mut |other| {
        related(other, other.name.as_deref().filter(|name| known(name)).map(|_| reference))
    })
}

/// Every path to a member, in what was said.
fn paths(said: &Value, at: &str, found: &mut BTreeSet<String>) {
    match said {
        Value::Array(all) => all.iter().for_each(|one| paths(one, at, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let at = format!("{at}/{name}");
            paths(value, &at, found);
            found.insert(at);
        }),
        _ => {}
    }
}

/// Every path to a member, in a shape.
fn shaped(shape: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = shape["$ref"].as_str() {
        return shaped(&shapes()[name.trim_start_matches("#/$defs/")], at, found);
    }
    shaped_members(shape, at, found);
    shape["oneOf"].as_array().into_iter().flatten().for_each(|one| shaped(one, at, found));
    if shape["items"].is_object() {
        shaped(&shape["items"], at, found);
    }
}

fn shaped_members(shape: &Value, at: &str, found: &mut BTreeSet<String>) {
    for (name, value) in shape["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        shaped(value, &at, found);
        found.insert(at);
    }
}

#[test]
fn what_every_group_says_of_anybody_fits_its_shape() {
    for what in FieldGroup::ALL {
        let validator = validator(what);
        for person in [complete(), resident(), Person::default()] {
            let said = said(&person, what);
            let faults: Vec<_> = validator.iter_errors(&said).map(|error| error.to_string()).collect();
            assert!(said.is_null() || faults.is_empty(), "{what:?}: {faults:?}");
        }
    }
}

#[test]
fn a_complete_person_has_every_member_that_the_shapes_name() {
    let person = complete();
    let ways = ["/reference", "/name", "/birthDate", "/birthDate/date", "/birthDate/uncertain", "/withheld"];
    let mut somewhere = BTreeSet::new();
    for what in FieldGroup::ALL {
        let (mut there, mut named) = (BTreeSet::new(), BTreeSet::new());
        paths(&said(&person, what), "", &mut there);
        shaped(&shape(what), "", &mut named);
        assert!(there.is_subset(&named), "{what:?}");
        let is_way = |path: &&String| ways.iter().any(|way| path.ends_with(way)) && path.matches('/').count() > 1;
        somewhere.extend(there.iter().filter(is_way).map(|path| path.rsplit('/').next().unwrap().to_owned()));
        let missing: Vec<_> = named.difference(&there).filter(|path| !is_way(path)).collect();
        assert!(missing.is_empty() || missing.iter().all(|path| path.ends_with("/uncertain")), "{what:?}: {missing:?}");
    }
    assert!(["reference", "name", "birthDate", "withheld"].iter().all(|way| somewhere.contains(*way)), "{somewhere:?}");
}

#[test]
fn every_word_that_a_shape_lists_is_said_of_somebody() {
    let mut people = vec![complete(), resident()];
    for text in ["ugift", "gift", "fraskilt", "enke_enkemand", "doed", "registreret_partnerskab", "ophoert_partnerskab"]
    {
        people.push(Person { civil_statuses: civil(text), ..resident() });
    }
    people.push(Person { civil_statuses: civil("laengstlevende_partner"), ..resident() });
    let codes = STATUSES.map(|code| StatusCode::from_code(code.parse().unwrap()).unwrap());
    people.extend(codes.map(|status| Person { status, ..resident() }));
    people.extend([Sex::Male, Sex::Unknown].map(|sex| Person { sex, ..resident() }));
    let all: String = people.iter().flat_map(|p| FieldGroup::ALL.map(|g| said(p, g).to_string())).collect();
    for word in [&ROLES[..], &PROTECTIONS, &RESIDENCES, &SEXES, &STATUSES, &CIVIL_STATUSES].concat() {
        assert!(all.contains(&format!("\"{word}\"")), "{word}");
    }
}

fn civil(text: &str) -> Vec<Row<CivilStatus>> {
    vec![Row::current(CivilStatus { kind: text.to_owned(), spouse: None })]
}

#[test]
fn a_member_more_and_a_group_with_nothing_in_it_are_refused() {
    for (what, wrong) in [
        (FieldGroup::Name, json!({})),
        (FieldGroup::Name, json!({ "first": "Alma", "nick": "A" })),
        (FieldGroup::Number, json!({ "current": "610180-0001" })),
        (FieldGroup::Parents, json!([])),
        (FieldGroup::Parents, json!([{ "role": "Mother", "person": { "withheld": true, "name": "Mor" } }])),
        (FieldGroup::Birth, json!({ "date": { "date": "1980-02-30", "uncertain": false } })),
        (FieldGroup::Birth, json!({ "date": "1980-01-01" })),
        (FieldGroup::Status, json!({ "code": "02", "text": "?" })),
    ] {
        assert!(!validator(what).is_valid(&wrong), "{what:?}: {wrong}");
    }
}
