//! The table of cases: every sector and mode, every type, every group.

use super::*;

const MODES: [ProtectedPersons; 3] = [ProtectedPersons::Allow, ProtectedPersons::Mask, ProtectedPersons::Deny];

fn regard(sector: Sector, protected_persons: ProtectedPersons, reach: Reach) -> Regard {
    Regard { sector, protected_persons, reach }
}

fn public(mode: ProtectedPersons) -> Regard {
    regard(Sector::Public, mode, Reach::Area)
}

fn every_regard() -> Vec<Regard> {
    let mut all = Vec::new();
    for sector in [Sector::Public, Sector::Private] {
        for mode in MODES {
            all.extend([Reach::Area, Reach::List].map(|reach| regard(sector, mode, reach)));
        }
    }
    all
}

#[test]
fn each_consumer_has_its_treatment() {
    use ProtectedPersons::*;
    use Reach::*;
    use Sector::*;
    for (sector, mode, reach, expected) in [
        (Public, Allow, Area, Treatment::AsGranted),
        (Public, Allow, List, Treatment::AsGranted),
        (Public, Mask, Area, Treatment::Masked),
        (Public, Mask, List, Treatment::Masked),
        (Public, Deny, Area, Treatment::NotCovered),
        (Public, Deny, List, Treatment::NotCovered),
        (Private, Allow, Area, Treatment::NotCovered),
        (Private, Allow, List, Treatment::Essentials),
        (Private, Mask, Area, Treatment::NotCovered),
        (Private, Mask, List, Treatment::Essentials),
        (Private, Deny, Area, Treatment::NotCovered),
        (Private, Deny, List, Treatment::NotCovered),
    ] {
        assert_eq!(regard(sector, mode, reach).treatment(), expected, "{sector:?} {mode:?} {reach:?}");
    }
}

/// For a protected person: a private list, a private area, a public consumer with Deny. Allow and Mask tell all types.
const TYPES: [(EventType, Ruling, Ruling, Ruling); 39] = {
    use EventType::*;
    use Ruling::{Tell, TellBare as Bare, Withhold as No};
    [
        (AddressChanged, No, No, No),
        (MovedIn, No, No, No),
        (MovedOut, No, No, No),
        (MovedWithin, No, No, No),
        (AddressTechnical, No, No, No),
        (SupplementaryAddressChanged, No, No, No),
        (ContactAddressChanged, No, No, No),
        (Disappeared, No, No, No),
        (Found, No, No, Bare),
        (Emigrated, No, No, No),
        (Immigrated, No, No, No),
        (Returned, No, No, Bare),
        (Died, Bare, No, No),
        (DeathAnnulled, Bare, Bare, Bare),
        (NameChanged, No, No, No),
        (NameCorrected, No, No, No),
        (CivilStatusChanged, No, No, No),
        (ChurchChanged, No, No, No),
        (NumberAssigned, No, No, No),
        (NumberCancelled, No, No, No),
        (NumberRestored, No, No, No),
        (CitizenshipChanged, No, No, No),
        (CustodyChanged, No, No, No),
        (GuardianshipChanged, No, No, No),
        (ParentageChanged, No, No, No),
        (BirthCorrected, No, No, No),
        (MunicipalConditionsChanged, No, No, No),
        (MunicipalNotesChanged, No, No, No),
        (ProtectionStarted, Bare, Bare, Bare),
        (ProtectionEnded, Bare, No, No),
        (ScopeEntered, No, No, No),
        (ScopeLeft, Bare, Bare, Bare),
        (NumberChanged, Bare, No, No),
        (PersonMerged, Bare, No, No),
        (SubscriptionEnded, Tell, Tell, Tell),
        (Snapshot, No, No, No),
        (Changed, No, No, No),
        (Unknown, No, No, No),
        (EndpointVerify, Tell, Tell, Tell),
    ]
};

#[test]
fn every_type_is_ruled_for_every_consumer() {
    let listed: Vec<EventType> = TYPES.iter().map(|case| case.0).collect();
    assert_eq!(listed, EventType::ALL, "each type once, in order");
    for (type_, list, private_area, deny) in TYPES {
        for regard in every_regard() {
            let expected = match (regard.sector, regard.protected_persons, regard.reach) {
                (Sector::Public, ProtectedPersons::Deny, _) => deny,
                (Sector::Public, _, _) => Ruling::Tell,
                (Sector::Private, ProtectedPersons::Deny, _) | (Sector::Private, _, Reach::Area) => private_area,
                (Sector::Private, _, Reach::List) => list,
            };
            assert_eq!(regard.rule(true, type_), expected, "{type_} {regard:?}");
            assert_eq!(regard.rule(false, type_), Ruling::Tell, "{type_} {regard:?}");
        }
    }
}

/// Whether protection governs the group; no wildcard, so that a new group has to be classified here.
fn governed(group: FieldGroup) -> bool {
    use FieldGroup::*;
    match group {
        Name | NameHistory | Address | AddressHistory | SupplementaryAddress | ContactAddress | Municipality
        | Guardianship | Residence | MunicipalConditions | MunicipalNotes => true,
        Number | PersonId | Status | Birth | Sex | CivilStatus | CivilStatusHistory | Citizenship
        | CitizenshipHistory | Parents | Children | Custody | Protection | ProtectionHistory | Church
        | ChurchHistory => false,
    }
}

#[test]
fn every_group_is_cut_for_every_consumer() {
    for group in FieldGroup::ALL {
        let only = GroupSet::of(&[group]);
        for regard in every_regard() {
            let given = Cut { give: only, withheld: GroupSet::EMPTY, say_protection: governed(group) };
            let kept = Cut { give: GroupSet::EMPTY, withheld: only, say_protection: governed(group) };
            let expected = match regard.treatment() {
                Treatment::AsGranted => given,
                Treatment::Masked | Treatment::Essentials if governed(group) => kept,
                Treatment::Masked | Treatment::Essentials => given,
                Treatment::NotCovered => kept,
            };
            assert_eq!(regard.cut(only, only, true), expected, "{group:?} {regard:?}");
            assert_eq!(regard.cut(only, only, false), given, "{group:?} {regard:?}");
            for protected in [true, false] {
                let none = Cut { give: GroupSet::EMPTY, withheld: GroupSet::EMPTY, say_protection: false };
                assert_eq!(regard.cut(only, GroupSet::EMPTY, protected), none, "ungranted {group:?} {regard:?}");
                assert_eq!(regard.cut(GroupSet::EMPTY, only, protected), none, "unasked {group:?} {regard:?}");
            }
        }
    }
}

#[test]
fn what_is_withheld_brings_the_granted_protection_with_it() {
    let asked = GroupSet::of(&[FieldGroup::Address, FieldGroup::Status]);
    let granted = asked.with(FieldGroup::Protection);
    let cut = public(ProtectedPersons::Mask).cut(asked, granted, true);
    assert_eq!(cut.give, GroupSet::of(&[FieldGroup::Status, FieldGroup::Protection]));
    assert_eq!(cut.withheld, GroupSet::of(&[FieldGroup::Address]));
    assert!(cut.say_protection);
    assert_eq!(public(ProtectedPersons::Allow).cut(asked, granted, true).give, asked);
    assert!(public(ProtectedPersons::Deny).cut(asked, granted, true).give.is_empty());
}

#[test]
fn only_the_unprotected_are_covered_where_protected_persons_are_not() {
    for regard in every_regard() {
        assert!(regard.covers(false));
        assert_eq!(regard.covers(true), regard.treatment() != Treatment::NotCovered);
    }
}

#[test]
fn a_related_person_without_a_flag_counts_as_protected() {
    assert_eq!(related(None, false), Shown::Withheld);
    assert_eq!(related(Some(true), false), Shown::Withheld);
    assert_eq!(related(Some(false), false), Shown::NameAndBirth);
    for flag in [None, Some(true), Some(false)] {
        assert_eq!(related(flag, true), Shown::Reference);
    }
}
