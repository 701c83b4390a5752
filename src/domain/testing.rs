//! Fictitious persons for the tests of the rules.
#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;
use jiff::civil::Date;

use super::date::RegisterDate;
use super::field_group::{FieldGroup, GroupSet};
use super::identifier::{CprNumber, PersonId};
use super::person::*;
use super::status::StatusCode;

/// A day written as `2026-11-01`.
pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// A certain date of the register.
pub fn on(text: &str) -> RegisterDate {
    RegisterDate::certain(day(text))
}

/// The instant at which a day begins in UTC.
pub fn at(text: &str) -> Timestamp {
    format!("{text}T00:00:00Z").parse().unwrap()
}

/// A row of any state; an empty text is no date.
pub fn row<T>(value: T, state: RowState, from: &str, until: &str) -> Row<T> {
    let date = |text: &str| (!text.is_empty()).then(|| on(text));
    Row { value, state, from: date(from), until: date(until), registered: None }
}

/// A current row.
pub fn now<T>(value: T, from: &str) -> Row<T> {
    row(value, RowState::Current, from, "")
}

/// A past row.
pub fn was<T>(value: T, from: &str, until: &str) -> Row<T> {
    row(value, RowState::Historical, from, until)
}

/// A number as a value.
pub fn number(digits: &str) -> Number {
    Number(CprNumber::parse(digits).unwrap())
}

/// A name of one first name and the last name Prøvesen.
pub fn name(first: &str) -> Name {
    Name { first: Some(first.into()), last: Some("Prøvesen".into()), ..Name::default() }
}

/// An address in a municipality, on the road 0111.
pub fn address(municipality: &str, house: &str) -> Address {
    Address {
        municipality_code: Some(municipality.into()),
        road_code: Some("0111".into()),
        house_number: Some(house.into()),
        ..Address::default()
    }
}

/// A related person who is not protected, told apart by the last digit of the PersonID.
pub fn relative(digit: u8) -> Related {
    Related {
        id: PersonId::parse(&format!("00000000-0000-4000-8000-00000000000{digit}")).ok(),
        name: Some(format!("Slægtning {digit}")),
        birth: Some(on("1970-01-01")),
        protected: Some(false),
        ..Related::default()
    }
}

/// A resident of Aalborg of whom every group is held.
pub fn resident() -> Person {
    Person {
        id: PersonId::parse("7f3b2c1e-5a64-4c0d-9e21-0d6a1b2c3d4e").ok(),
        held: FieldGroup::ALL.into_iter().collect::<GroupSet>(),
        status: StatusCode::Resident,
        birth: Some(on("1980-01-01")),
        sex: Sex::Female,
        numbers: vec![now(number("6101800001"), "1980-01-01")],
        names: vec![now(name("Alma"), "1980-02-01")],
        addresses: vec![now(address("0851", "1"), "2015-06-01")],
        protection_known: true,
        ..Person::default()
    }
}

/// The same since 2020, and before.
fn twice<T>([present, past]: [T; 2]) -> Vec<Row<T>> {
    vec![now(present, "2020-01-01"), was(past, "2010-01-01", "2020-01-01")]
}

/// A person of whom every group says everything that it can say, now and in the past.
pub fn complete() -> Person {
    let text = |text: &str| Some(text.to_owned());
    let lines = || vec![row(Lines(vec!["Havnen".into()]), RowState::Current, "2020-01-01", "2099-01-01")];
    let shielded = Related { protected: None, ..relative(9) };
    let roles = [ParentRole::Mother, ParentRole::FatherOrCoMother, ParentRole::Other];
    let kinds = [ResidenceKind::Emigrated, ResidenceKind::Immigrated, ResidenceKind::Disappeared];
    let in_force =
        [Protection::NameAndAddress, Protection::LocalDirectory, Protection::Marketing, Protection::CreditWarning];
    let whole_name = Name { middle: text("Mellem"), addressing: text("Prøvesen,Alma"), ..name("Alma") };
    let whole_address = Address {
        municipality_name: text("Aalborg"),
        road_name: text("Prøvevej"),
        floor: text("1"),
        door: text("tv"),
        building: text("1234"),
        locality: text("Prøveby"),
        postcode: text("9000"),
        post_district: text("Aalborg"),
        care_of: text("Bo Prøve"),
        dar_id: text("00000000-0000-4000-8000-000000000000"),
        ..address("0851", "1")
    };
    let elsewhere = Address { municipality_code: text("0461"), ..whole_address.clone() };
    Person {
        status_since: Some(on("1980-01-01")),
        numbers: twice(["6101800001", "6201800002"].map(number)),
        names: twice([whole_name.clone(), whole_name]),
        addresses: twice([whole_address, elsewhere]),
        supplementary_addresses: lines(),
        contact_addresses: lines(),
        civil_statuses: twice(
            ["gift", "fraskilt"].map(|kind| CivilStatus { kind: kind.into(), spouse: Some(relative(1)) }),
        ),
        citizenships: twice(
            ["Danmark", "Norge"].map(|country| Citizenship { country_code: None, country: text(country) }),
        ),
        parents: roles.clone().map(|role| now(Parent { role, person: relative(2) }, "1980-01-01")).into(),
        children: vec![now(relative(3), "2010-01-01"), now(shielded, "2012-01-01")],
        custody_holders: roles.map(|role| now(CustodyHolder { role, person: relative(2) }, "1980-01-01")).into(),
        custody_over: vec![now(relative(3), "2010-01-01")],
        guardianships: vec![now(Guardianship { kind: text("vaergemaal"), guardian: Some(relative(4)) }, "2020-01-01")],
        protections: in_force
            .map(|kind| row(kind, RowState::Current, "2020-01-01", "2099-01-01"))
            .into_iter()
            .chain([was(Protection::Research, "2000-01-01", "2010-01-01")])
            .collect(),
        residences: kinds
            .map(|kind| was(Residence { kind, country: text("Norge") }, "2010-01-01", "2012-01-01"))
            .into(),
        church: twice(["medlem_af_folkekirken", "ukendt"].map(|kind| Church { kind: kind.into() })),
        municipal_conditions: vec![now(
            MunicipalCondition { kind: text("1"), code: text("A"), note: text("Bemærk") },
            "2020-01-01",
        )],
        municipal_notes: vec![row(
            MunicipalNote { text: "Bemærk".into() },
            RowState::Current,
            "2020-01-01",
            "2099-01-01",
        )],
        ..resident()
    }
}
