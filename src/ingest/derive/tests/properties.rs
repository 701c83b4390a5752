//! What holds for any rows.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::domain::change::DerivedFrom;
use crate::domain::date::RegisterDate;
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::person::*;
use crate::domain::status::StatusCode;
use crate::domain::testing::{address, name, number, relative};
use crate::ingest::derive::{compare, first_sight};

const TODAY: Date = date(2026, 11, 22);

fn a_date() -> impl Strategy<Value = Option<RegisterDate>> {
    prop_oneof![
        1 => Just(None),
        8 => (-90..30_i32, any::<bool>()).prop_map(|(days, uncertain)| {
            Some(RegisterDate { date: TODAY.saturating_add(days.days()), uncertain })
        }),
        1 => prop_oneof![Just(Date::MIN), Just(Date::MAX)].prop_map(|date| Some(RegisterDate::certain(date))),
    ]
}

fn a_state() -> impl Strategy<Value = RowState> {
    prop_oneof![
        4 => Just(RowState::Current),
        4 => Just(RowState::Historical),
        1 => Just(RowState::Undone),
        1 => Just(RowState::Corrected),
        1 => Just(RowState::Technical),
        1 => Just(RowState::Other("sær".into())),
    ]
}

/// Rows whose value is made of a digit: persons' values hide themselves from Debug.
fn rows<T: Clone + 'static>(value: fn(u8) -> T) -> BoxedStrategy<Vec<Row<T>>> {
    let row = (0..9_u8, a_state(), a_date(), a_date());
    let row = row.prop_map(move |(digit, state, from, until)| Row {
        value: value(digit),
        state,
        from,
        until,
        registered: None,
    });
    vec(row, 0..4).boxed()
}

fn a_status() -> impl Strategy<Value = StatusCode> {
    (0..95_u8).prop_map(|code| StatusCode::from_code(code / 10 * 10).unwrap_or(StatusCode::Resident))
}

prop_compose! {
    fn a_person()(
        status in a_status(),
        status_since in a_date(),
        birth in a_date(),
        bits in any::<u32>(),
        protection_known in any::<bool>(),
        names in rows(|n| name(&(n % 3).to_string())),
        numbers in rows(|n| number(&format!("610180000{}", n % 3))),
        addresses in rows(|n| address(["0851", "0101", "0010"][usize::from(n % 3)], &(n / 3).to_string())),
        parents in rows(|n| Parent { role: ParentRole::Mother, person: relative(n % 3) }),
        residences in rows(|n| {
            use ResidenceKind::*;
            Residence { kind: [Emigrated, Immigrated, Disappeared][usize::from(n % 3)], country: None }
        }),
        protections in rows(|n| match n % 3 {
            0 => Protection::NameAndAddress,
            1 => Protection::Other("ny".into()),
            _ => Protection::Marketing,
        }),
        contact_addresses in rows(|n| Lines(vec![(n % 3).to_string()])),
    ) -> Person {
        let held = FieldGroup::ALL.into_iter().filter(|group| bits & (1 << *group as u32) != 0).collect::<GroupSet>();
        Person {
            held, status, status_since, birth, protection_known, names, numbers, addresses, parents, residences,
            protections, contact_addresses, ..Person::default()
        }
    }
}

fn all(changes: &[crate::domain::change::Change]) -> GroupSet {
    changes.iter().fold(GroupSet::EMPTY, |all, change| all.union(change.changed))
}

proptest! {
    #[test]
    fn no_difference_is_no_change(person in a_person()) {
        prop_assert!(compare((&person, TODAY), (&person, TODAY), DerivedFrom::Comparison).is_empty());
    }

    #[test]
    fn what_is_told_is_held_on_both_sides(before in a_person(), after in a_person()) {
        let changes = compare((&before, TODAY), (&after, TODAY), DerivedFrom::Comparison);
        prop_assert!(all(&changes).is_within(before.held.intersection(after.held)));
        let protection = changes.iter().any(|change| {
            matches!(change.type_, EventType::ProtectionStarted | EventType::ProtectionEnded)
        });
        prop_assert_eq!(protection, before.is_protected(TODAY) != after.is_protected(TODAY));
    }

    #[test]
    fn there_and_back_differ_in_the_same_groups(before in a_person(), after in a_person()) {
        let there = compare((&before, TODAY), (&after, TODAY), DerivedFrom::Comparison);
        let back = compare((&after, TODAY), (&before, TODAY), DerivedFrom::Comparison);
        prop_assert_eq!(all(&there), all(&back));
    }

    #[test]
    fn rows_in_another_order_are_no_change(person in a_person()) {
        let mut turned = person.clone();
        turned.parents.reverse();
        turned.protections.reverse();
        prop_assert!(compare((&person, TODAY), (&turned, TODAY), DerivedFrom::Comparison).is_empty());
    }

    #[test]
    fn a_first_sight_always_tells_something(person in a_person(), horizon in 0..400_i32) {
        let sight = first_sight(&person, TODAY, horizon);
        prop_assert!(!sight.changes.is_empty());
        prop_assert!(sight.before.held == person.held);
    }

    #[test]
    fn another_day_never_panics(person in a_person(), days in -400..400_i32) {
        let then = TODAY.saturating_add(days.days());
        let _ = compare((&person, TODAY), (&person, then), DerivedFrom::Clock);
        let _ = compare((&person, TODAY), (&person, Date::MAX), DerivedFrom::Clock);
    }
}
