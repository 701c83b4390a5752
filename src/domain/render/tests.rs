//! One case per group, and the rules that hold for all.

use jiff::civil::{Date, date};
use serde_json::{Value, json};

use super::{group, related};
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::person::*;
use crate::domain::status::StatusCode;
use crate::domain::testing::*;

const TODAY: Date = date(2026, 11, 22);

fn said(person: &Person, what: FieldGroup) -> Value {
    group(person, what, TODAY, &mut |person| related(person, None))
}

fn since(text: &str) -> Value {
    json!({ "date": text, "uncertain": false })
}

#[test]
fn a_person_of_whom_nothing_is_known_is_null_in_every_group_but_sex_and_protection() {
    let nobody = Person::default();
    for what in FieldGroup::ALL {
        let expected = match what {
            FieldGroup::Sex => json!({ "code": "Unknown" }),
            FieldGroup::Protection => json!({ "kinds": [{ "kind": "NameAndAddress" }] }),
            _ => Value::Null,
        };
        assert_eq!(said(&nobody, what), expected, "{what:?}");
    }
}

#[test]
fn number_names_the_present_one_and_the_earlier_ones() {
    let mut person = resident();
    assert_eq!(said(&person, FieldGroup::Number), json!({ "current": "6101800001" }));
    person.numbers.push(was(number("6201800002"), "1980-01-01", "2001-05-05"));
    person.numbers.push(row(number("6301800003"), RowState::Undone, "1980-01-01", ""));
    let previous = json!([{ "number": "6201800002", "until": since("2001-05-05") }]);
    assert_eq!(said(&person, FieldGroup::Number), json!({ "current": "6101800001", "previous": previous }));
}

#[test]
fn person_id_status_birth_and_sex() {
    let mut person = resident();
    assert_eq!(said(&person, FieldGroup::PersonId), json!({ "personId": "7f3b2c1e-5a64-4c0d-9e21-0d6a1b2c3d4e" }));
    assert_eq!(said(&person, FieldGroup::Status), json!({ "code": "01", "text": "Resident in Denmark" }));
    assert_eq!(said(&person, FieldGroup::Birth), json!({ "date": since("1980-01-01") }));
    assert_eq!(said(&person, FieldGroup::Sex), json!({ "code": "Female" }));
    (person.status, person.status_since) = (StatusCode::Dead, Some(on("2026-11-01")));
    assert_eq!(
        said(&person, FieldGroup::Status),
        json!({ "code": "90", "text": "Dead", "since": since("2026-11-01") })
    );
    person.status = StatusCode::Other("nyt".into());
    assert_eq!(said(&person, FieldGroup::Status), json!({ "text": "nyt", "since": since("2026-11-01") }));
}

#[test]
fn name_and_its_history_newest_first_without_what_was_taken_back() {
    let mut person = resident();
    person.names = vec![
        now(Name { addressing: Some("Prøvesen,Alma".into()), ..name("Alma") }, "2020-01-01"),
        was(name("Ældst"), "1980-01-01", "1990-01-01"),
        row(name("Forkert"), RowState::Corrected, "2019-01-01", ""),
        row(name("Fortrudt"), RowState::Undone, "2019-01-01", ""),
        row(name("Sær"), RowState::Other("sær".into()), "2019-01-01", ""),
        was(name("Næst"), "1990-01-01", "2020-01-01"),
    ];
    assert_eq!(
        said(&person, FieldGroup::Name),
        json!({ "first": "Alma", "last": "Prøvesen", "full": "Alma Prøvesen", "addressing": "Prøvesen,Alma" })
    );
    let entry = |first: &str, until: &str| json!({ "first": first, "last": "Prøvesen", "full": format!("{first} Prøvesen"), "until": since(until) });
    assert_eq!(
        said(&person, FieldGroup::NameHistory),
        json!([entry("Næst", "2020-01-01"), entry("Ældst", "1990-01-01")])
    );
    person.names = vec![now(Name::default(), "2026-11-01")];
    assert_eq!(said(&person, FieldGroup::Name), Value::Null);
}

#[test]
fn address_and_municipality_with_the_day_of_the_move() {
    let mut person = resident();
    person.addresses = vec![
        now(Address { door: Some("tv".into()), care_of: Some("Bo".into()), ..address("0851", "3") }, "2020-01-01"),
        was(address("0851", "1"), "2018-01-01", "2020-01-01"),
        now(address("0101", "9"), "2026-12-01"),
    ];
    assert_eq!(
        said(&person, FieldGroup::Address),
        json!({ "municipalityCode": "0851", "roadCode": "0111", "houseNumber": "3", "door": "tv", "careOf": "Bo",
                "since": since("2020-01-01") })
    );
    assert_eq!(
        said(&person, FieldGroup::AddressHistory),
        json!([{ "municipalityCode": "0851", "roadCode": "0111", "houseNumber": "1", "since": since("2018-01-01"),
                 "until": since("2020-01-01") }])
    );
    assert_eq!(said(&person, FieldGroup::Municipality), json!({ "code": "0851", "name": "Aalborg" }));
    person.addresses.push(was(address("0101", "7"), "2010-01-01", "2018-01-01"));
    assert_eq!(said(&person, FieldGroup::Municipality)["since"], since("2018-01-01"));
    person.addresses = vec![now(address("0010", "1"), "2020-01-01")];
    assert_eq!(said(&person, FieldGroup::Municipality), Value::Null);
}

#[test]
fn address_lines_have_beginning_and_end() {
    let mut person = resident();
    let at = row(Lines(vec!["Havnen".into(), "9000".into()]), RowState::Current, "2026-01-01", "2027-01-01");
    (person.supplementary_addresses, person.contact_addresses) = (vec![at.clone()], vec![at]);
    let expected = json!({ "lines": ["Havnen", "9000"], "since": since("2026-01-01"), "until": since("2027-01-01") });
    assert_eq!(said(&person, FieldGroup::SupplementaryAddress), expected);
    assert_eq!(said(&person, FieldGroup::ContactAddress), expected);
    assert_eq!(group(&person, FieldGroup::ContactAddress, day("2027-01-01"), &mut |_| Value::Null), Value::Null);
}

#[test]
fn civil_status_and_its_history_name_the_spouse_as_far_as_allowed() {
    let mut person = resident();
    let status = |kind: &str, spouse| CivilStatus { kind: kind.into(), spouse };
    let shielded = Related { protected: None, ..relative(1) };
    person.civil_statuses = vec![
        now(status("gift", Some(relative(2))), "2020-01-01"),
        was(status("fraskilt", Some(shielded)), "2010-01-01", "2020-01-01"),
        was(status("sært", None), "2000-01-01", "2010-01-01"),
    ];
    assert_eq!(
        said(&person, FieldGroup::CivilStatus),
        json!({ "code": "G", "text": "Married", "since": since("2020-01-01"),
                "spouse": { "name": "Slægtning 2", "birthDate": since("1970-01-01") } })
    );
    assert_eq!(
        said(&person, FieldGroup::CivilStatusHistory),
        json!([
            { "code": "F", "text": "Divorced", "since": since("2010-01-01"), "until": since("2020-01-01"),
              "spouse": { "withheld": true } },
            { "text": "sært", "since": since("2000-01-01"), "until": since("2010-01-01") },
        ])
    );
}

#[test]
fn citizenship_of_the_migration_day_is_uncertain() {
    let mut person = resident();
    let of = |country: &str| Citizenship { country_code: None, country: Some(country.into()) };
    person.citizenships = vec![now(of("Danmark"), "1991-09-23"), was(of("Norge"), "1980-01-01", "1991-09-23")];
    assert_eq!(
        said(&person, FieldGroup::Citizenship),
        json!({ "country": "Danmark", "since": { "date": "1991-09-23", "uncertain": true } })
    );
    assert_eq!(
        said(&person, FieldGroup::CitizenshipHistory),
        json!([{ "country": "Norge", "since": since("1980-01-01"), "until": since("1991-09-23") }])
    );
}

#[test]
fn relatives_are_said_by_reference_name_or_not_at_all() {
    let mut person = resident();
    let parent = |role, person| Parent { role, person };
    person.parents = vec![
        now(parent(ParentRole::Mother, relative(1)), "1980-01-01"),
        now(parent(ParentRole::FatherOrCoMother, Related { protected: Some(true), ..relative(2) }), "1979-01-01"),
    ];
    person.children = vec![now(relative(3), "2010-01-01")];
    let mut say = |person: &Related| related(person, (person.name.as_deref() == Some("Slægtning 1")).then_some("p_1"));
    assert_eq!(
        group(&person, FieldGroup::Parents, TODAY, &mut say),
        json!([
            { "role": "Mother", "person": { "reference": "p_1" }, "since": since("1980-01-01") },
            { "role": "FatherOrCoMother", "person": { "withheld": true }, "since": since("1979-01-01") },
        ])
    );
    let child = json!({ "name": "Slægtning 3", "birthDate": since("1970-01-01") });
    assert_eq!(
        group(&person, FieldGroup::Children, TODAY, &mut say),
        json!([{ "person": child, "since": since("2010-01-01") }])
    );
    let nameless = Related { protected: Some(false), ..Related::default() };
    assert_eq!(related(&nameless, None), json!({ "withheld": true }));
}

#[test]
fn custody_has_both_directions() {
    let mut person = resident();
    person.custody_over = vec![now(relative(3), "2010-01-01")];
    let over = said(&person, FieldGroup::Custody);
    assert!(over.get("holders").is_none() && over["over"].as_array().is_some_and(|list| list.len() == 1));
    person.custody_holders = vec![now(CustodyHolder { role: ParentRole::Other, person: relative(4) }, "2012-01-01")];
    assert_eq!(said(&person, FieldGroup::Custody)["holders"][0]["role"], "Other");
}

#[test]
fn guardianship_names_the_guardian() {
    let mut person = resident();
    let value = Guardianship { kind: Some("vaergemaal".into()), guardian: Some(relative(5)) };
    person.guardianships = vec![now(value, "2020-01-01")];
    assert_eq!(
        said(&person, FieldGroup::Guardianship),
        json!({ "kind": "vaergemaal", "since": since("2020-01-01"),
                "guardian": { "name": "Slægtning 5", "birthDate": since("1970-01-01") } })
    );
}

#[test]
fn protections_that_govern_stay_beyond_their_end_and_unknown_ones_count_as_them() {
    let mut person = resident();
    person.protections = vec![
        row(Protection::NameAndAddress, RowState::Current, "2026-01-01", "2026-06-01"),
        row(Protection::Marketing, RowState::Current, "2020-01-01", "2026-06-01"),
        now(Protection::CreditWarning, "2026-12-01"),
        now(Protection::Other("ny".into()), "2025-01-01"),
    ];
    assert_eq!(
        said(&person, FieldGroup::Protection),
        json!({ "kinds": [
            { "kind": "NameAndAddress", "from": since("2026-01-01"), "until": since("2026-06-01") },
            { "kind": "NameAndAddress", "from": since("2025-01-01") },
        ] })
    );
    assert_eq!(
        said(&person, FieldGroup::ProtectionHistory),
        json!([{ "kind": "Marketing", "from": since("2020-01-01"), "until": since("2026-06-01") }])
    );
}

#[test]
fn residence_tells_past_and_present_stays_abroad() {
    let mut person = resident();
    let to = |kind, country: &str| Residence { kind, country: Some(country.into()) };
    person.residences = vec![
        was(to(ResidenceKind::Emigrated, "Norge"), "2010-01-01", "2012-01-01"),
        now(to(ResidenceKind::Immigrated, "Norge"), "2012-01-01"),
        row(to(ResidenceKind::Disappeared, "Norge"), RowState::Undone, "2013-01-01", ""),
    ];
    assert_eq!(
        said(&person, FieldGroup::Residence),
        json!([
            { "kind": "Immigrated", "country": "Norge", "since": since("2012-01-01") },
            { "kind": "Emigrated", "country": "Norge", "since": since("2010-01-01"), "until": since("2012-01-01") },
        ])
    );
}

#[test]
fn church_conditions_and_notes() {
    let mut person = resident();
    let member = |kind: &str| Church { kind: kind.into() };
    person.church =
        vec![now(member("ikke_medlem_af_folkekirken"), "2020-01-01"), was(member("x"), "1980-01-01", "2020-01-01")];
    person.municipal_conditions =
        vec![now(MunicipalCondition { kind: Some("1".into()), code: Some("A".into()), note: None }, "2020-01-01")];
    person.municipal_notes = vec![now(MunicipalNote { text: "Bemærk".into() }, "2020-01-01")];
    assert_eq!(
        said(&person, FieldGroup::Church),
        json!({ "code": "ikke_medlem_af_folkekirken", "text": "Not a member of the national church",
                "since": since("2020-01-01") })
    );
    assert_eq!(said(&person, FieldGroup::ChurchHistory)[0]["until"], since("2020-01-01"));
    assert_eq!(
        said(&person, FieldGroup::MunicipalConditions),
        json!([{ "kind": "1", "code": "A", "since": since("2020-01-01") }])
    );
    assert_eq!(said(&person, FieldGroup::MunicipalNotes), json!([{ "text": "Bemærk", "since": since("2020-01-01") }]));
}

#[test]
fn what_is_cut_away_is_not_rendered() {
    let kept = GroupSet::of(&[FieldGroup::Municipality]);
    let cut = resident().cut_to(kept);
    assert_eq!(said(&cut, FieldGroup::Municipality)["code"], "0851");
    assert!(said(&cut, FieldGroup::Address).get("houseNumber").is_none());
}
