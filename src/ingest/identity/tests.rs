//! Who is who, case by case.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::date::RegisterDate;
use crate::domain::person::{Row, RowState};
use crate::domain::testing::{name, now, number, resident, row};

const ONE: &str = "6101800001";
const TWO: &str = "6101800002";

fn id(digit: u8) -> PersonId {
    PersonId::parse(&format!("00000000-0000-4000-8000-00000000000{digit}")).unwrap()
}

fn record(byte: u8) -> RecordId {
    RecordId([byte; 16])
}

fn person(digit: u8, numbers: &[&str]) -> Person {
    let numbers = numbers.iter().map(|text| now(number(text), "1980-01-01")).collect();
    Person { id: Some(id(digit)), numbers, ..resident() }
}

fn closed(digit: u8, numbers: &[&str]) -> Person {
    Person { status: StatusCode::Closed, ..person(digit, numbers) }
}

/// The first was stored under record 1; what is fetched, what is gone, and whether one may ask.
fn places_of(stored: Person, fetched: &[Person], gone: &[PersonId], may_ask: bool) -> Vec<Place> {
    let by_id = HashMap::from([(stored.id.clone().unwrap(), record(1))]);
    let by_number = numbers(&stored).map(|number| (number.clone(), record(1))).collect();
    let stored = HashMap::from([(record(1), stored)]);
    places(&Knowledge {
        fetched,
        gone,
        may_ask,
        by_id: &by_id,
        by_number: &by_number,
        stored: &stored,
        in_doubt: &HashSet::new(),
    })
}

fn own(place: &Place) -> &Own {
    match place {
        Place::Own(own) => own,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_closed_entry_lets_its_survivor_go_on_with_the_record() {
    let fetched = [closed(1, &[ONE]), person(2, &[ONE, TWO])];
    let placed = places_of(person(1, &[ONE]), &fetched, &[], true);
    assert_eq!(placed[0], Place::GivenWay);
    assert_eq!((own(&placed[1]).record, own(&placed[1]).adopted), (Some(record(1)), true));
}

#[test]
fn two_living_entries_with_one_number_stay_apart() {
    let fetched = [person(1, &[ONE]), person(2, &[ONE])];
    let placed = places_of(person(1, &[ONE]), &fetched, &[], true);
    assert_eq!(own(&placed[0]).record, Some(record(1)));
    assert_eq!((own(&placed[1]).record, own(&placed[1]).doubtful), (None, true));
}

#[test]
fn a_number_that_was_never_theirs_joins_nobody() {
    for state in [RowState::Undone, RowState::Corrected, RowState::Other("ukendt".into())] {
        let wrong: Row<_> = row(number(ONE), state, "1980-01-01", "");
        let other = Person { numbers: vec![wrong], ..person(2, &[]) };
        let placed = places_of(closed(1, &[ONE]), &[closed(1, &[ONE]), other], &[], true);
        assert_eq!(own(&placed[1]), &Own::default());
    }
}

#[test]
fn who_is_gone_is_replaced_only_by_one_of_whom_all_that_is_held_fits() {
    let birth = |text: &str| Some(RegisterDate::certain(text.parse().unwrap()));
    let is_joined = |stored: Person, fetched: Person| {
        let placed = places_of(stored, &[fetched], &[id(1)], true);
        own(&placed[0]).adopted
    };
    let with_birth = |of: Person, text: &str| Person { birth: birth(text), ..of };
    assert!(is_joined(with_birth(person(1, &[ONE]), "1980-01-01"), with_birth(person(2, &[ONE]), "1980-01-01")));
    assert!(!is_joined(with_birth(person(1, &[ONE]), "1980-01-01"), with_birth(person(2, &[ONE]), "1981-01-01")));
    let named = |of: Person, first: &str| Person { birth: None, names: vec![now(name(first), "1980-01-01")], ..of };
    assert!(is_joined(named(person(1, &[ONE]), "Kim"), named(person(2, &[ONE]), "Kim")));
    assert!(!is_joined(named(person(1, &[ONE]), "Kim"), named(person(2, &[ONE]), "Bo")));
    let bare = |of: Person| Person { birth: None, names: Vec::new(), ..of };
    assert!(!is_joined(bare(person(1, &[ONE])), bare(person(2, &[ONE]))), "nothing to compare is no reason to join");
    let last_is_another = with_birth(person(1, &[ONE, TWO]), "1980-01-01");
    assert!(!is_joined(last_is_another, with_birth(person(2, &[ONE]), "1980-01-01")));
}

#[test]
fn an_entry_of_which_nothing_is_said_is_asked_for_and_else_left_alone() {
    let placed = places_of(person(1, &[ONE]), &[person(2, &[ONE])], &[], true);
    assert_eq!(placed, [Place::Open(Question::Other(id(2), id(1)))]);
    let placed = places_of(person(1, &[ONE]), &[person(2, &[ONE])], &[], false);
    assert_eq!((own(&placed[0]).record, own(&placed[0]).doubtful), (None, true));
    let placed = places_of(closed(1, &[ONE]), &[person(2, &[ONE])], &[], false);
    assert!(own(&placed[0]).adopted, "what is stored says that the entry was closed");
}

#[test]
fn a_newly_closed_entry_asks_for_its_survivor_once() {
    let placed = places_of(person(1, &[ONE]), &[closed(1, &[ONE])], &[], true);
    assert_eq!(placed, [Place::Open(Question::Survivor(id(1), CprNumber::parse(ONE).unwrap()))]);
    let placed = places_of(person(1, &[ONE]), &[closed(1, &[ONE])], &[], false);
    assert_eq!(own(&placed[0]).record, Some(record(1)));
    let placed = places_of(closed(1, &[ONE]), &[closed(1, &[ONE])], &[], true);
    assert_eq!(own(&placed[0]).record, Some(record(1)), "it was closed before");
}

#[test]
fn who_names_a_number_of_another_known_entry_waits_until_that_one_is_asked_for() {
    let (one, two) = (person(1, &[ONE]), person(2, &[TWO]));
    let by_id = HashMap::from([(id(1), record(1)), (id(2), record(2))]);
    let by_number = numbers(&one).map(|number| (number.clone(), record(1))).collect();
    let stored = HashMap::from([(record(1), one.clone()), (record(2), two)]);
    let place = |fetched: &[Person], may_ask| {
        let in_doubt = &HashSet::new();
        let known =
            Knowledge { fetched, gone: &[], may_ask, by_id: &by_id, by_number: &by_number, stored: &stored, in_doubt };
        places(&known).remove(0)
    };
    let both = person(2, &[ONE, TWO]);
    let asks = Place::Open(Question::Other(id(2), id(1)));
    assert_eq!(place(std::slice::from_ref(&both), true), asks);
    assert_eq!(own(&place(std::slice::from_ref(&both), false)).record, Some(record(2)));
    assert_eq!(own(&place(&[both.clone(), one], true)).record, Some(record(2)));
    assert_eq!(own(&place(&[both, closed(1, &[ONE])], true)).record, Some(record(2)));
}

#[test]
fn of_two_who_would_go_on_with_one_record_neither_does() {
    let fetched = [closed(1, &[ONE]), person(2, &[ONE]), person(3, &[ONE])];
    let placed = places_of(person(1, &[ONE]), &fetched, &[], true);
    for rival in &placed[1..] {
        assert_eq!((own(rival).record, own(rival).doubtful), (None, true));
    }
    assert_eq!(own(&placed[0]).record, Some(record(1)));
}

#[test]
fn a_revived_entry_gets_back_its_number_and_a_record_of_its_own() {
    let fetched = [person(1, &[ONE]), person(2, &[TWO])];
    let survivor = person(2, &[ONE, TWO]);
    let by_id = HashMap::from([(id(1), record(1)), (id(2), record(1))]);
    let by_number = numbers(&survivor).map(|number| (number.clone(), record(1))).collect();
    let stored = HashMap::from([(record(1), survivor)]);
    let known = Knowledge {
        fetched: &fetched,
        gone: &[],
        may_ask: true,
        by_id: &by_id,
        by_number: &by_number,
        stored: &stored,
        in_doubt: &HashSet::new(),
    };
    let placed = places(&known);
    let revived = own(&placed[0]);
    assert_eq!((revived.record, revived.parted, revived.doubtful), (None, true, false));
    assert_eq!(revived.released, [CprNumber::parse(ONE).unwrap()]);
    assert_eq!(own(&placed[1]).record, Some(record(1)));
}

#[test]
fn of_strangers_with_one_number_the_living_one_has_it_and_of_two_living_ones_nobody() {
    let strangers = |fetched: &[Person]| places_of(person(9, &["6101800009"]), fetched, &[], true);
    let placed = strangers(&[closed(2, &[ONE]), person(3, &[ONE])]);
    assert_eq!((&placed[0], own(&placed[1])), (&Place::GivenWay, &Own::default()));
    let placed = strangers(&[person(2, &[ONE]), person(3, &[ONE])]);
    for place in &placed {
        assert!(own(place).doubtful && own(place).contested == [CprNumber::parse(ONE).unwrap()]);
    }
}
