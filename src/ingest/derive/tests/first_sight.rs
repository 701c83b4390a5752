//! Persons seen for the first time.

use jiff::civil::{Date, date};

use super::{Seen, corrected, happened, seen};
use crate::domain::change::DerivedFrom;
use crate::domain::event_type::EventType as T;
use crate::domain::field_group::FieldGroup as G;
use crate::domain::person::RowState::*;
use crate::domain::person::*;
use crate::domain::status::StatusCode;
use crate::domain::testing::*;
use crate::ingest::derive::{FirstSight, first_sight};

const TODAY: Date = date(2026, 11, 22);

fn sight(edit: impl Fn(&mut Person)) -> FirstSight {
    let mut person = resident();
    edit(&mut person);
    first_sight(&person, TODAY, 60)
}

fn told(edit: impl Fn(&mut Person)) -> Vec<Seen> {
    seen(&sight(edit).changes)
}

const MOVE: &[G] = &[G::Address, G::AddressHistory, G::Municipality];

#[test]
fn rows_that_decide_nothing_are_one_change_known_from_the_notice() {
    let sight = sight(|_| {});
    assert_eq!(seen(&sight.changes), [happened(T::Changed, &[], "")]);
    assert_eq!(sight.changes[0].derived_from, DerivedFrom::Notice);
    assert!(sight.before == resident());
}

#[test]
fn a_recent_move_is_told_from_the_row_that_it_followed() {
    let moved = |from: &'static str| {
        move |p: &mut Person| {
            p.addresses = vec![
                was(address("0751", "3"), "2000-01-01", "2010-01-01"),
                was(address("0101", "5"), "2010-01-01", from),
                now(address("0851", "1"), from),
            ];
        }
    };
    let sight = sight(moved("2026-11-15"));
    assert_eq!(seen(&sight.changes), [happened(T::AddressChanged, MOVE, "2026-11-15")]);
    assert_eq!(sight.changes[0].derived_from, DerivedFrom::History);
    assert_eq!(sight.before.municipality(sight.before_on).map(|m| m.to_string()).as_deref(), Some("0101"));
    assert_eq!(told(moved("2026-09-23")), [happened(T::AddressChanged, MOVE, "2026-09-23")]);
    assert_eq!(told(moved("2026-09-22")), [happened(T::Changed, &[], "")], "61 days ago");
}

#[test]
fn a_move_to_come_is_nothing_yet() {
    assert_eq!(told(|p| p.addresses.push(now(address("0101", "9"), "2026-12-01"))), [happened(T::Changed, &[], "")]);
}

#[test]
fn a_move_undone_goes_back_to_what_was_said() {
    let sight = sight(|p| p.addresses.push(row(address("0101", "5"), Undone, "2026-11-01", "")));
    assert_eq!(seen(&sight.changes), [corrected(T::AddressChanged, MOVE, "2015-06-01")]);
    assert_eq!(sight.before.municipality(TODAY).map(|m| m.to_string()).as_deref(), Some("0101"));
}

#[test]
fn a_corrected_name_is_told_against_the_wrong_one_not_the_older_one() {
    let names = |p: &mut Person| {
        p.names = vec![
            was(name("Gammel"), "1980-01-01", "2026-11-01"),
            row(name("Forkert"), Corrected, "2026-11-01", ""),
            now(name("Rigtig"), "2026-11-01"),
        ];
    };
    assert_eq!(told(names), [corrected(T::NameCorrected, &[G::Name], "2026-11-01")]);
}

#[test]
fn deaths_departures_and_returns_are_read_from_status_and_residence() {
    let ended = |p: &mut Person| (p.addresses[0].state, p.addresses[0].until) = (Historical, Some(on("2026-11-15")));
    let abroad = || Residence { kind: ResidenceKind::Emigrated, country: None };
    let home = || Residence { kind: ResidenceKind::Immigrated, country: None };
    let status = |p: &mut Person, code: StatusCode| (p.status, p.status_since) = (code, Some(on("2026-11-15")));

    assert_eq!(told(|p| status(p, StatusCode::Dead)), [happened(T::Died, &[G::Status], "2026-11-15")]);
    let emigrated = |p: &mut Person| {
        status(p, StatusCode::Emigrated);
        ended(p);
        p.residences = vec![now(abroad(), "2026-11-15")];
    };
    assert_eq!(
        told(emigrated),
        [
            happened(T::AddressChanged, MOVE, "2026-11-15"),
            happened(T::Emigrated, &[G::Status, G::Residence], "2026-11-15"),
        ]
    );
    let returned = |p: &mut Person| {
        p.addresses =
            vec![was(address("0101", "1"), "2000-01-01", "2010-01-01"), now(address("0851", "1"), "2026-11-15")];
        p.residences = vec![was(abroad(), "2010-01-01", "2026-11-15"), now(home(), "2026-11-15")];
    };
    assert_eq!(
        told(returned),
        [
            happened(T::AddressChanged, &[G::Address, G::Municipality], "2026-11-15"),
            happened(T::Returned, &[G::Status, G::Residence], "2026-11-15"),
        ]
    );
    let came = |p: &mut Person| {
        p.addresses = vec![now(address("0851", "1"), "2026-11-15")];
        p.residences = vec![now(home(), "2026-11-15")];
        p.numbers[0].from = Some(on("2026-11-15"));
    };
    assert_eq!(
        told(came),
        [
            happened(T::AddressChanged, &[G::Address, G::Municipality], "2026-11-15"),
            happened(T::Immigrated, &[G::Status, G::Residence], "2026-11-15"),
            happened(T::NumberAssigned, &[G::Number], "2026-11-15"),
        ]
    );
    let found = |p: &mut Person| {
        let gone = Residence { kind: ResidenceKind::Disappeared, country: None };
        p.residences = vec![was(gone, "2020-01-01", "2026-11-15")];
    };
    assert_eq!(told(found), [happened(T::Found, &[G::Status, G::Residence], "2026-11-15")]);
    let died_abroad = |p: &mut Person| {
        status(p, StatusCode::Dead);
        p.residences = vec![now(abroad(), "2010-01-01")];
    };
    let sight = sight(died_abroad);
    assert_eq!(sight.before.status, StatusCode::Emigrated);
    assert_eq!(seen(&sight.changes), [happened(T::Died, &[G::Status], "2026-11-15")]);
}

#[test]
fn protection_begun_or_ended_lately() {
    let begun = |p: &mut Person| p.protections = vec![now(Protection::NameAndAddress, "2026-11-15")];
    assert_eq!(told(begun), [happened(T::ProtectionStarted, &[G::Protection], "2026-11-15")]);
    let ended = |p: &mut Person| p.protections = vec![was(Protection::NameAndAddress, "2020-01-01", "2026-11-15")];
    assert_eq!(told(ended), [happened(T::ProtectionEnded, &[G::Protection, G::ProtectionHistory], "2026-11-15")]);
    let long_since = |p: &mut Person| p.protections = vec![now(Protection::NameAndAddress, "2020-01-01")];
    assert_eq!(told(long_since), [happened(T::Changed, &[], "")]);
}

#[test]
fn of_a_newborn_only_the_number_is_new() {
    let born = |p: &mut Person| {
        p.birth = Some(on("2026-11-01"));
        p.numbers[0].from = Some(on("2026-11-01"));
        p.names = vec![now(Name::default(), "2026-11-01")];
        p.addresses[0].from = Some(on("2026-11-01"));
        p.parents = vec![now(Parent { role: ParentRole::Mother, person: relative(1) }, "2026-11-01")];
    };
    assert_eq!(told(born), [happened(T::NumberAssigned, &[G::Number], "2026-11-01")]);
}

#[test]
fn relations_begun_and_ended_lately() {
    let divorced = |p: &mut Person| {
        let status = |kind: &str, spouse| CivilStatus { kind: kind.into(), spouse };
        p.civil_statuses = vec![
            was(status("gift", Some(relative(2))), "2010-01-01", "2026-11-10"),
            now(status("fraskilt", None), "2026-11-10"),
        ];
        p.children = vec![now(relative(3), "2026-11-12")];
    };
    assert_eq!(
        told(divorced),
        [
            happened(T::CivilStatusChanged, &[G::CivilStatus, G::CivilStatusHistory], "2026-11-10"),
            happened(T::Changed, &[G::Children], ""),
        ]
    );
}
