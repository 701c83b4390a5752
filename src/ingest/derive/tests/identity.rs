//! What changes when an entry of the register is another one, or none any more.
#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::civil::{Date, date};

use crate::domain::change::{Change, DerivedFrom};
use crate::domain::event_type::EventType as T;
use crate::domain::field_group::FieldGroup as G;
use crate::domain::identifier::PersonId;
use crate::domain::pairwise::RecordId;
use crate::domain::person::Person;
use crate::domain::status::StatusCode;
use crate::domain::testing::{now, number, resident};
use crate::ingest::derive::{compare, join};

const TODAY: Date = date(2026, 11, 22);

fn changes(before: &Person, after: &Person) -> Vec<Change> {
    compare((before, TODAY), (after, TODAY), DerivedFrom::Comparison)
}

fn closed() -> Person {
    Person { status: StatusCode::Closed, addresses: Vec::new(), ..resident() }
}

fn types(changes: &[Change]) -> Vec<T> {
    changes.iter().map(|change| change.type_).collect()
}

#[test]
fn another_person_id_is_one_merge_with_the_number_and_the_closing_in_it() {
    let survivor = Person {
        id: Some(PersonId::parse("00000000-0000-4000-8000-000000000009").unwrap()),
        numbers: vec![now(number("6101800009"), "1980-01-01")],
        ..resident()
    };
    for before in [closed(), resident()] {
        let changes = changes(&before, &survivor);
        let merged: Vec<_> = changes.iter().filter(|change| change.type_ == T::PersonMerged).collect();
        assert_eq!(merged.len(), 1);
        assert!(merged[0].changed.contains(G::Number) && merged[0].changed.contains(G::PersonId));
        assert!(!types(&changes).contains(&T::NumberChanged));
    }
}

#[test]
fn a_closed_entry_loses_its_address_without_moving_and_regains_it_so() {
    assert_eq!(types(&changes(&resident(), &closed())), [T::Changed]);
    assert_eq!(types(&changes(&closed(), &resident())), [T::Changed]);
}

#[test]
fn an_address_whose_beginning_cannot_be_read_is_no_move() {
    let mut after = resident();
    after.addresses.iter_mut().for_each(|row| row.from = None);
    assert_eq!(types(&changes(&resident(), &after)), [T::AddressTechnical]);
    assert_eq!(types(&changes(&after, &resident())), [T::AddressTechnical]);
}

#[test]
fn what_the_numbers_say_otherwise_belongs_to_the_merge_and_the_rest_stays_told() {
    let other = RecordId([7; 16]);
    let mut more = resident();
    more.numbers.insert(0, crate::domain::testing::was(number("6101800009"), "1979-01-01", "1980-01-01"));
    let mut told = changes(&resident(), &more);
    assert_eq!(types(&told), [T::Changed]);
    join(&mut told, other, DerivedFrom::Comparison);
    assert_eq!(types(&told), [T::PersonMerged]);
    assert!(told[0].changed.contains(G::Number) && told[0].joined == Some(other));

    more.status_since = Some(crate::domain::testing::on("2026-11-01"));
    let mut told = changes(&resident(), &more);
    join(&mut told, other, DerivedFrom::Comparison);
    assert_eq!(types(&told), [T::PersonMerged, T::Changed]);
    assert!(!told[1].changed.contains(G::Number) && told[1].changed.contains(G::Status));
}
