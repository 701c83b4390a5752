//! Two states, and what happened between them.

use jiff::civil::{Date, date};

use super::{Seen, corrected, happened, seen};
use crate::domain::change::DerivedFrom;
use crate::domain::event_type::EventType as T;
use crate::domain::field_group::{FieldGroup as G, GroupSet};
use crate::domain::person::RowState::*;
use crate::domain::person::*;
use crate::domain::status::StatusCode;
use crate::domain::testing::*;
use crate::ingest::derive::compare;

const TODAY: Date = date(2026, 11, 22);

/// What is told when a resident, as `before` makes them, becomes what `after` makes of that.
fn between(before: impl Fn(&mut Person), after: impl Fn(&mut Person)) -> Vec<Seen> {
    let mut one = resident();
    before(&mut one);
    let mut two = one.clone();
    after(&mut two);
    seen(&compare((&one, TODAY), (&two, TODAY), DerivedFrom::Comparison))
}

fn as_is(_: &mut Person) {}

/// Moves: the old row ends where the new one begins.
fn moves_to(person: &mut Person, to: Address, from: &str) {
    for row in person.addresses.iter_mut().filter(|row| row.state == Current) {
        (row.state, row.until) = (Historical, Some(on(from)));
    }
    person.addresses.push(now(to, from));
}

const RESIDENCE: &[G] = &[G::Address, G::AddressHistory, G::Municipality];

#[test]
fn residence() {
    let details = |dar: &str| Address { dar_id: Some(dar.into()), ..address("0851", "1") };
    for (claim, after, expected) in [
        (
            "to another municipality",
            &(|p: &mut Person| moves_to(p, address("0101", "9"), "2026-11-20")) as &dyn Fn(&mut Person),
            vec![happened(T::AddressChanged, RESIDENCE, "2026-11-20")],
        ),
        (
            "within it, back-dated",
            &|p: &mut Person| moves_to(p, address("0851", "9"), "2025-01-01"),
            vec![happened(T::AddressChanged, &[G::Address, G::AddressHistory], "2025-01-01")],
        ),
        (
            "to a date to come, nothing yet",
            &|p: &mut Person| {
                p.addresses[0].until = Some(on("2026-12-01"));
                p.addresses.push(now(address("0101", "9"), "2026-12-01"));
            },
            vec![],
        ),
        (
            "the row was wrong",
            &|p: &mut Person| {
                p.addresses[0].state = Corrected;
                p.addresses.push(now(address("0851", "2"), "2015-06-01"));
            },
            vec![corrected(T::AddressChanged, &[G::Address], "2015-06-01")],
        ),
        (
            "the day of the move was wrong",
            &|p: &mut Person| {
                p.addresses[0].state = Corrected;
                p.addresses.push(now(address("0851", "1"), "2015-06-02"));
            },
            vec![corrected(T::AddressChanged, &[G::Address], "2015-06-02")],
        ),
        (
            "the day was put right in its row",
            &|p: &mut Person| p.addresses[0].from = Some(on("2015-05-01")),
            vec![corrected(T::AddressChanged, &[G::Address], "2015-05-01")],
        ),
        (
            "care of somebody",
            &|p: &mut Person| p.addresses[0].value.care_of = Some("Bo".into()),
            vec![happened(T::AddressChanged, &[G::Address], "2015-06-01")],
        ),
        (
            "only details differ",
            &|p: &mut Person| p.addresses[0].value = details("a"),
            vec![happened(T::AddressTechnical, &[G::Address], "2015-06-01")],
        ),
        (
            "replaced for a technical reason",
            &|p: &mut Person| {
                (p.addresses[0].state, p.addresses[0].until) = (Technical, Some(on("2026-11-20")));
                p.addresses.push(now(address("0851", "1B"), "2026-11-20"));
            },
            vec![happened(T::AddressTechnical, &[G::Address, G::AddressHistory], "2026-11-20")],
        ),
        (
            "away and back since we looked",
            &|p: &mut Person| {
                moves_to(p, address("0101", "9"), "2026-11-10");
                moves_to(p, address("0851", "1"), "2026-11-20");
            },
            vec![happened(T::AddressChanged, &[G::Address, G::AddressHistory], "2026-11-20")],
        ),
        (
            "the road has a new name",
            &|p: &mut Person| {
                p.addresses[0].state = Technical;
                p.addresses
                    .push(now(Address { road_name: Some("Ny Vej".into()), ..address("0851", "1") }, "2015-06-01"));
            },
            vec![happened(T::AddressTechnical, &[G::Address], "2015-06-01")],
        ),
        (
            "only an earlier address was corrected",
            &|p: &mut Person| p.addresses.push(was(address("0851", "7"), "2010-01-01", "2015-06-01")),
            vec![happened(T::Changed, &[G::AddressHistory], "")],
        ),
        (
            "to Greenland, the status with it",
            &|p: &mut Person| {
                p.status = StatusCode::Greenland;
                moves_to(p, address("0956", "9"), "2026-11-20");
            },
            vec![happened(
                T::AddressChanged,
                &[G::Address, G::AddressHistory, G::Municipality, G::Status],
                "2026-11-20",
            )],
        ),
    ] {
        assert_eq!(between(as_is, after), expected, "{claim}");
    }
}

#[test]
fn a_move_that_is_undone_is_a_correction_with_the_old_date() {
    let moved = |p: &mut Person| moves_to(p, address("0101", "9"), "2026-11-20");
    let undone = |p: &mut Person| {
        p.addresses[1].state = Undone;
        (p.addresses[0].state, p.addresses[0].until) = (Current, None);
    };
    assert_eq!(between(moved, undone), [corrected(T::AddressChanged, RESIDENCE, "2015-06-01")]);
}

#[test]
fn moved_away_and_back_by_undoing_is_nothing_against_the_start() {
    let there_and_back = |p: &mut Person| {
        p.addresses.push(row(address("0101", "9"), Undone, "2026-11-20", ""));
        p.addresses.push(row(address("0751", "9"), Corrected, "2026-11-21", ""));
    };
    assert_eq!(between(as_is, there_and_back), []);
}

#[test]
fn where_only_the_municipality_is_held_a_later_row_is_a_move_within_it() {
    let only = |p: &mut Person| p.held = GroupSet::of(&[G::Municipality]);
    let within = |p: &mut Person| moves_to(p, address("0851", "9"), "2026-11-20");
    assert_eq!(between(only, within), [happened(T::AddressChanged, &[], "2026-11-20")]);
    let stored = resident().cut_to(GroupSet::of(&[G::Municipality]));
    let mut fetched = resident();
    let told = |fetched: &Person| seen(&compare((&stored, TODAY), (fetched, TODAY), DerivedFrom::Comparison));
    assert_eq!(told(&fetched), []);
    (fetched.addresses[0].state, fetched.addresses[0].until) = (Technical, Some(on("2026-11-20")));
    fetched.addresses.push(now(address("0851", "1B"), "2026-11-20"));
    assert_eq!(told(&fetched), []);
    let to_another = |p: &mut Person| moves_to(p, address("0101", "9"), "2026-11-20");
    assert_eq!(between(only, to_another), [happened(T::AddressChanged, &[G::Municipality], "2026-11-20")]);
}

fn status(code: StatusCode, since: &str) -> impl Fn(&mut Person) {
    let since = (!since.is_empty()).then(|| on(since));
    move |p: &mut Person| (p.status, p.status_since) = (code.clone(), since)
}

#[test]
fn status_by_code() {
    const D: &str = "2026-11-20";
    let (from_address, none) = ("2015-06-01", "");
    let said = |type_, from: &str| match type_ {
        T::DeathAnnulled => corrected(type_, &[G::Status], from),
        _ => happened(type_, &[G::Status], from),
    };
    for (before, after, expected) in [
        (1, 90, vec![said(T::Died, D)]),
        (1, 70, vec![said(T::Disappeared, D)]),
        (1, 80, vec![said(T::Emigrated, D)]),
        (1, 30, vec![said(T::NumberCancelled, D)]),
        (1, 20, vec![said(T::Changed, none)]),
        (1, 50, vec![said(T::Changed, none)]),
        (1, 60, vec![said(T::Changed, none)]),
        (1, 3, vec![said(T::Changed, none)]),
        (20, 1, vec![said(T::Immigrated, from_address)]),
        (20, 90, vec![said(T::Died, D)]),
        (30, 1, vec![said(T::NumberRestored, D)]),
        (50, 1, vec![said(T::Changed, none)]),
        (70, 1, vec![said(T::Found, from_address)]),
        (70, 80, vec![said(T::Found, from_address), said(T::Emigrated, D)]),
        (70, 90, vec![said(T::Died, D)]),
        (80, 1, vec![said(T::Returned, from_address)]),
        (80, 5, vec![said(T::Returned, from_address)]),
        (80, 70, vec![said(T::Disappeared, D)]),
        (80, 90, vec![said(T::Died, D)]),
        (80, 20, vec![said(T::Changed, none)]),
        (90, 1, vec![said(T::DeathAnnulled, D)]),
        (90, 80, vec![said(T::DeathAnnulled, D), said(T::Emigrated, D)]),
        (90, 70, vec![said(T::DeathAnnulled, D), said(T::Disappeared, D)]),
        (90, 30, vec![said(T::NumberCancelled, D)]),
        (90, 50, vec![said(T::Changed, none)]),
    ] {
        let of = |code| StatusCode::from_code(code).expect("a code of the list");
        let told = between(status(of(before), "2020-01-01"), status(of(after), D));
        assert_eq!(told, expected, "{before} to {after}");
    }
}

#[test]
fn a_status_text_that_we_do_not_know_is_only_changed() {
    let unknown = || status(StatusCode::Other("nyt".into()), "");
    assert_eq!(between(status(StatusCode::Dead, "2020-01-01"), unknown()), [happened(T::Changed, &[G::Status], "")]);
    assert_eq!(between(unknown(), status(StatusCode::Resident, "")), [happened(T::Changed, &[G::Status], "")]);
}

#[test]
fn another_day_of_death_is_a_correction_of_it() {
    let told = between(status(StatusCode::Dead, "2026-11-01"), status(StatusCode::Dead, "2026-11-02"));
    assert_eq!(told, [corrected(T::Died, &[G::Status], "2026-11-02")]);
}

#[test]
fn the_address_lost_by_death_belongs_to_the_death() {
    let told = between(as_is, |p| {
        status(StatusCode::Dead, "2026-11-20")(p);
        (p.addresses[0].state, p.addresses[0].until) = (Historical, Some(on("2026-11-20")));
    });
    let changed = [G::Status, G::Address, G::AddressHistory, G::Municipality];
    assert_eq!(told, [happened(T::Died, &changed, "2026-11-20")]);
}

#[test]
fn what_is_regained_with_the_status_belongs_to_its_undoing() {
    let lost = |code: StatusCode| {
        move |p: &mut Person| {
            status(code.clone(), "2026-11-20")(p);
            p.addresses.clear();
            if code == StatusCode::Cancelled {
                p.numbers.clear();
            }
        }
    };
    let regained = |p: &mut Person| *p = resident();
    assert_eq!(
        between(lost(StatusCode::Dead), regained),
        [corrected(T::DeathAnnulled, &[G::Status, G::Address, G::Municipality], "")]
    );
    let all = [G::Number, G::Status, G::Address, G::Municipality];
    assert_eq!(between(lost(StatusCode::Cancelled), regained), [happened(T::NumberRestored, &all, "")]);
    assert_eq!(between(as_is, lost(StatusCode::Cancelled)), [happened(T::NumberCancelled, &all, "2026-11-20")]);
}

fn leaves(p: &mut Person) {
    status(StatusCode::Emigrated, "2026-11-20")(p);
    (p.addresses[0].state, p.addresses[0].until) = (Historical, Some(on("2026-11-20")));
    let abroad = Residence { kind: ResidenceKind::Emigrated, country: Some("Norge".into()) };
    p.residences.push(now(abroad, "2026-11-20"));
}

#[test]
fn who_emigrates_changes_residence_and_status() {
    assert_eq!(
        between(as_is, leaves),
        [
            happened(T::AddressChanged, RESIDENCE, "2026-11-20"),
            happened(T::Emigrated, &[G::Status, G::Residence], "2026-11-20"),
        ]
    );
}

#[test]
fn an_emigration_taken_back_is_a_correction_and_a_real_return_is_not() {
    let undone = |p: &mut Person| {
        status(StatusCode::Resident, "")(p);
        p.residences[0].state = Undone;
        (p.addresses[0].state, p.addresses[0].until) = (Current, None);
    };
    assert_eq!(
        between(leaves, undone),
        [
            happened(T::AddressChanged, RESIDENCE, "2015-06-01"),
            corrected(T::Returned, &[G::Status, G::Residence], "2015-06-01"),
        ]
    );
    let back = |p: &mut Person| {
        status(StatusCode::Resident, "")(p);
        (p.residences[0].state, p.residences[0].until) = (Historical, Some(on("2026-11-22")));
        p.residences.push(now(Residence { kind: ResidenceKind::Immigrated, country: None }, "2026-11-22"));
        p.addresses.push(now(address("0101", "5"), "2026-11-22"));
    };
    assert_eq!(
        between(leaves, back),
        [
            happened(T::AddressChanged, &[G::Address, G::Municipality], "2026-11-22"),
            happened(T::Returned, &[G::Status, G::Residence], "2026-11-22"),
        ]
    );
}

#[test]
fn names() {
    let renamed = |state: RowState, from: &'static str| {
        move |p: &mut Person| {
            (p.names[0].state, p.names[0].until) = (state.clone(), Some(on(from)));
            p.names.push(now(name("Asta"), from));
        }
    };
    let both = [G::Name, G::NameHistory];
    assert_eq!(between(as_is, renamed(Historical, "2026-11-01")), [happened(T::NameChanged, &both, "2026-11-01")]);
    let only = [G::Name];
    assert_eq!(between(as_is, renamed(Corrected, "2026-11-01")), [corrected(T::NameCorrected, &only, "2026-11-01")]);
    assert_eq!(between(as_is, renamed(Undone, "2026-11-01")), [corrected(T::NameCorrected, &only, "2026-11-01")]);
    assert_eq!(between(as_is, renamed(Technical, "2026-11-01")), [happened(T::NameCorrected, &both, "2026-11-01")]);
    assert_eq!(between(as_is, |p| p.names[0].value = name("Asta")), [corrected(T::NameCorrected, &only, "1980-02-01")]);
    let nameless = |p: &mut Person| p.names[0].value = Name::default();
    assert_eq!(between(nameless, |p| p.names[0].value = name("Asta")), [happened(T::NameChanged, &only, "1980-02-01")]);
    assert_eq!(between(as_is, |p| p.names[0].from = Some(on("1981-01-01"))), []);
}

#[test]
fn numbers() {
    let changed = |state: RowState| {
        move |p: &mut Person| {
            (p.numbers[0].state, p.numbers[0].until) = (state.clone(), Some(on("2026-11-01")));
            p.numbers.push(now(number("6101800002"), "2026-11-01"));
        }
    };
    assert_eq!(between(as_is, changed(Historical)), [happened(T::NumberChanged, &[G::Number], "2026-11-01")]);
    assert_eq!(between(as_is, changed(Corrected)), [corrected(T::NumberChanged, &[G::Number], "2026-11-01")]);
    let without = |p: &mut Person| p.numbers.clear();
    assert_eq!(
        between(without, |p| p.numbers = resident().numbers),
        [happened(T::NumberAssigned, &[G::Number], "1980-01-01")]
    );
    assert_eq!(between(as_is, without), [happened(T::Changed, &[G::Number], "")]);
    let earlier = |p: &mut Person| p.numbers.push(was(number("6101800003"), "1980-01-01", "1981-01-01"));
    assert_eq!(between(as_is, earlier), [happened(T::Changed, &[G::Number], "")]);
    let replaced = |p: &mut Person| {
        changed(Historical)(p);
        p.status = StatusCode::Replaced;
    };
    assert_eq!(between(as_is, replaced), [happened(T::NumberChanged, &[G::Number, G::Status], "2026-11-01")]);
}

#[test]
fn protection() {
    let kind = |kind, from: &'static str, until: &'static str| {
        move |p: &mut Person| p.protections.push(row(Protection::clone(&kind), Current, from, until))
    };
    let shield = kind(Protection::NameAndAddress, "2026-11-20", "2027-11-20");
    let own = [G::Protection];
    assert_eq!(between(as_is, &shield), [happened(T::ProtectionStarted, &own, "2026-11-20")]);
    assert_eq!(
        between(as_is, kind(Protection::Other("ny".into()), "2026-11-20", "")),
        [happened(T::ProtectionStarted, &own, "2026-11-20")]
    );
    let ended = |state: RowState| {
        move |p: &mut Person| (p.protections[0].state, p.protections[0].until) = (state.clone(), Some(on("2026-11-21")))
    };
    let both = [G::Protection, G::ProtectionHistory];
    assert_eq!(between(&shield, ended(Historical)), [happened(T::ProtectionEnded, &both, "2026-11-21")]);
    assert_eq!(between(&shield, ended(Undone)), [corrected(T::ProtectionEnded, &own, "2026-11-21")]);
    assert_eq!(between(as_is, kind(Protection::Marketing, "2026-11-20", "")), [happened(T::Changed, &own, "")]);
    assert_eq!(between(&shield, |p| p.protections[0].until = Some(on("2028-01-01"))), [happened(T::Changed, &own, "")]);
    assert_eq!(between(as_is, |p| p.protection_known = false), [happened(T::ProtectionStarted, &own, "")]);
    assert_eq!(
        between(as_is, |p| (p.protection_known, p.held) = (false, GroupSet::EMPTY)),
        [happened(T::ProtectionStarted, &[], "")]
    );
}

#[test]
fn a_date_that_comes_begins_a_protection_and_a_move_and_ends_no_protection() {
    let mut person = resident();
    person.protections = vec![row(Protection::NameAndAddress, Current, "2026-12-01", "2027-02-01")];
    person.addresses[0].until = Some(on("2027-01-01"));
    person.addresses.push(now(address("0101", "9"), "2027-01-01"));
    let told = |from: &str, to: &str| seen(&compare((&person, day(from)), (&person, day(to)), DerivedFrom::Clock));
    assert_eq!(told("2026-11-22", "2026-11-30"), []);
    assert_eq!(told("2026-11-30", "2026-12-01"), [happened(T::ProtectionStarted, &[G::Protection], "2026-12-01")]);
    assert_eq!(told("2026-12-31", "2027-01-01"), [happened(T::AddressChanged, RESIDENCE, "2027-01-01")]);
    assert_eq!(told("2027-01-31", "2027-02-02"), []);
}

#[test]
fn the_other_facts_have_each_its_type() {
    let lines = || Lines(vec!["Havnen".into()]);
    let church = |kind: &str| Church { kind: kind.into() };
    let danish = Citizenship { country_code: None, country: Some("Danmark".into()) };
    let guarded = Guardianship { kind: Some("v".into()), guardian: None };
    let condition = MunicipalCondition { kind: Some("1".into()), code: None, note: None };
    let holder = CustodyHolder { role: ParentRole::Mother, person: relative(1) };
    let parent = Parent { role: ParentRole::Mother, person: relative(1) };
    const D: &str = "2026-11-01";
    for (type_, group, from, after) in [
        (
            T::SupplementaryAddressChanged,
            G::SupplementaryAddress,
            D,
            &(|p: &mut Person| p.supplementary_addresses = vec![now(lines(), D)]) as &dyn Fn(&mut Person),
        ),
        (T::ContactAddressChanged, G::ContactAddress, D, &|p| p.contact_addresses = vec![now(lines(), D)]),
        (T::CivilStatusChanged, G::CivilStatus, D, &|p| {
            p.civil_statuses = vec![now(CivilStatus { kind: "gift".into(), spouse: Some(relative(2)) }, D)];
        }),
        (T::ChurchChanged, G::Church, D, &|p| p.church = vec![now(church("x"), D)]),
        (T::CitizenshipChanged, G::Citizenship, D, &|p| p.citizenships = vec![now(danish.clone(), D)]),
        (T::CustodyChanged, G::Custody, D, &|p| p.custody_holders = vec![now(holder.clone(), D)]),
        (T::CustodyChanged, G::Custody, D, &|p| p.custody_over = vec![now(relative(1), D)]),
        (T::GuardianshipChanged, G::Guardianship, D, &|p| p.guardianships = vec![now(guarded.clone(), D)]),
        (T::ParentageChanged, G::Parents, D, &|p| p.parents = vec![now(parent.clone(), D)]),
        (T::MunicipalConditionsChanged, G::MunicipalConditions, D, &|p| {
            p.municipal_conditions = vec![now(condition.clone(), D)];
        }),
        (T::MunicipalNotesChanged, G::MunicipalNotes, D, &|p| {
            p.municipal_notes = vec![now(MunicipalNote { text: "Bemærk".into() }, D)];
        }),
        (T::Changed, G::Sex, "", &|p| p.sex = Sex::Male),
        (T::Changed, G::Children, "", &|p| p.children = vec![now(relative(3), D)]),
        (T::Changed, G::PersonId, "", &|p| p.id = None),
        (T::Changed, G::Residence, "", &|p| {
            let stay = Residence { kind: ResidenceKind::Emigrated, country: None };
            p.residences = vec![was(stay, "2010-01-01", "2011-01-01")];
        }),
        (T::Changed, G::ChurchHistory, "", &|p| p.church = vec![was(church("x"), "2010-01-01", "2011-01-01")]),
    ] {
        assert_eq!(between(as_is, after), [happened(type_, &[group], from)], "{group:?}");
        let unheld = |p: &mut Person| p.held = p.held.minus(GroupSet::of(&[group]));
        assert_eq!(between(unheld, after), [], "{group:?} is not held");
    }
    let reborn = |p: &mut Person| p.birth = Some(on("1980-01-02"));
    assert_eq!(between(as_is, reborn), [corrected(T::BirthCorrected, &[G::Birth], "")]);
}

#[test]
fn what_ends_has_effect_from_its_end_and_what_was_wrong_is_a_correction() {
    let given = |p: &mut Person| p.contact_addresses = vec![now(Lines(vec!["Havnen".into()]), "2026-01-01")];
    let ended = |p: &mut Person| {
        (p.contact_addresses[0].state, p.contact_addresses[0].until) = (Historical, Some(on("2026-11-01")));
    };
    let group = [G::ContactAddress];
    assert_eq!(between(given, ended), [happened(T::ContactAddressChanged, &group, "2026-11-01")]);
    assert_eq!(
        between(given, |p| p.contact_addresses[0].state = Undone),
        [corrected(T::ContactAddressChanged, &group, "")]
    );
    assert_eq!(
        between(given, |p| p.contact_addresses[0].until = Some(on("2027-01-01"))),
        [happened(T::ContactAddressChanged, &group, "")]
    );
}

#[test]
fn a_relative_in_other_words_is_no_change_of_the_relation() {
    let married = |p: &mut Person| {
        p.civil_statuses = vec![now(CivilStatus { kind: "gift".into(), spouse: Some(relative(2)) }, "2020-01-01")];
        p.parents = vec![now(Parent { role: ParentRole::Mother, person: relative(1) }, "1980-01-01")];
    };
    let reworded = |p: &mut Person| {
        p.civil_statuses[0].value.spouse = Some(Related { name: Some("Ny".into()), ..relative(2) });
        p.parents[0].value.person.protected = Some(true);
    };
    assert_eq!(between(married, reworded), [happened(T::Changed, &[G::CivilStatus, G::Parents], "")]);
    let known = |p: &mut Person| {
        p.parents[0].value.person.record = Some(crate::domain::pairwise::RecordId([1; 16]));
    };
    assert_eq!(between(married, known), []);
}

#[test]
fn several_changes_come_in_order_and_the_rest_in_one() {
    let told = between(as_is, |p| {
        p.sex = Sex::Male;
        p.children = vec![now(relative(3), "2026-01-01")];
        p.names[0].value = name("Asta");
        p.status = StatusCode::Disappeared;
        p.addresses[0].state = Historical;
        p.protections = vec![now(Protection::NameAndAddress, "2026-11-20")];
    });
    let types: Vec<T> = told.iter().map(|seen| seen.type_).collect();
    assert_eq!(types, [T::ProtectionStarted, T::AddressChanged, T::Disappeared, T::NameCorrected, T::Changed]);
    assert_eq!(told[4].changed, GroupSet::of(&[G::Sex, G::Children]));
}

#[test]
fn every_differing_group_is_accounted_for_once() {
    let told = between(as_is, |p| *p = Person { held: p.held, protection_known: true, ..Person::default() });
    let all = told.iter().fold(GroupSet::EMPTY, |all, seen| {
        assert!(all.intersection(seen.changed).is_empty());
        all.union(seen.changed)
    });
    let groups = [G::Number, G::PersonId, G::Status, G::Birth, G::Sex, G::Name, G::Address, G::Municipality];
    assert_eq!(all, GroupSet::of(&groups));
}
