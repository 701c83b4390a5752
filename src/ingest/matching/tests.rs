//! The table of cases: who hears what when a person moves, changes status, and is protected.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::domain::change::DerivedFrom;
use crate::domain::compiled::{Announce, PayloadLevel, Selector, Subscription};
use crate::domain::event_type::EventType as T;
use crate::domain::field_group::{FieldGroup as G, GroupSet};
use crate::domain::municipality::Municipality;
use crate::domain::resource::{ProtectedPersons, Sector};
use crate::domain::status::StatusCode;
use crate::domain::subject::Subject;
use crate::domain::testing::{at, on};

const AALBORG: u16 = 851;
const AARHUS: u16 = 751;
const ODENSE: u16 = 461;
const DAY: u64 = 86_400;

fn source() -> ResourceKey {
    ResourceKey::new("aalborg", "datafordeler")
}

fn now() -> Timestamp {
    at("2026-11-22")
}

fn place(code: u16) -> Municipality {
    Municipality::from_code(code).expect("a real municipality")
}

/// A public consumer's subscription with every group and every selectable type; none selects everyone.
fn subscription(municipalities: &[u16]) -> Subscription {
    let granted: GroupSet = G::ALL.into_iter().collect();
    let selector = match municipalities {
        [] => Selector::everyone(),
        some => Selector::living_in(some.iter().map(|code| place(*code))),
    };
    Subscription {
        key: ResourceKey::new("aalborg", "clients"),
        source: source(),
        consumer: ResourceKey::new("aalborg", "acadre"),
        purpose: "case-work".into(),
        legal_bases: vec!["GDPR-6-1-e".into()],
        selector,
        places: Default::default(),
        types: T::selectable().collect(),
        level: PayloadLevel::Fields,
        fields: granted,
        granted,
        protected_persons: ProtectedPersons::Mask,
        sector: Sector::Public,
        follow_inactive: Duration::from_secs(90 * DAY),
        follow_on_move: None,
        announce: Announce::None,
        suspended: false,
        ends_at: None,
    }
}

fn asking(municipalities: &[u16], types: &[T]) -> Subscription {
    Subscription { types: types.iter().copied().collect(), ..subscription(municipalities) }
}

fn denying(municipalities: &[u16]) -> Subscription {
    Subscription { protected_persons: ProtectedPersons::Deny, ..subscription(municipalities) }
}

/// The subscriptions numbered from 1, each of the consumer of the same number times ten.
fn each_its_consumer(subscriptions: Vec<Subscription>) -> Selectors {
    Selectors::new((1..).zip(subscriptions).map(|(id, subscription)| (id, id * 10, subscription)).collect())
}

fn lives_in(code: u16) -> Standing {
    Standing { municipality: Some(place(code)), status: StatusCode::Resident, inactive_since: None, protected: false }
}

fn gone(status: StatusCode, code: u16, since: &str) -> Standing {
    Standing { status, inactive_since: Some(at(since)), ..lives_in(code) }
}

fn shielded(standing: Standing) -> Standing {
    Standing { protected: true, ..standing }
}

fn change(type_: T) -> Change {
    Change { effective_from: Some(on("2026-11-20")), ..Change::new(type_, DerivedFrom::Comparison) }
}

fn changes(types: &[T]) -> Vec<Change> {
    types.iter().map(|type_| change(*type_)).collect()
}

static NOBODY: LazyLock<Subjects> = LazyLock::new(Subjects::default);

/// A sight of a person whom nobody has by name.
fn sight<'a>(before: Before<'a>, after: &'a Standing) -> Sight<'a> {
    Sight { before, after, subjects: &NOBODY, named: &NOBODY, told: &[], now: now() }
}

fn matching(selectors: &Selectors, before: Before<'_>, after: &Standing, types: &[T]) -> Matching {
    match_person(selectors, &source(), &sight(before, after), changes(types))
}

/// What one subscription alone hears, in order: types, with the reason of a scope.
fn hears(subscription: Subscription, before: Before<'_>, after: &Standing, types: &[T]) -> Vec<String> {
    spoken(&matching(&each_its_consumer(vec![subscription]), before, after, types))
}

fn spoken(matching: &Matching) -> Vec<String> {
    let one = |matched: &Matched, heard: &Heard| match matched.change.scope {
        Some(reason) => format!("{} {reason:?}", heard.type_),
        None => heard.type_.to_string(),
    };
    matching.matched.iter().flat_map(|m| m.heard.iter().map(move |heard| one(m, heard))).collect()
}

#[test]
fn a_change_of_residence_is_seen_from_each_selection() {
    let (here, there, third) = (lives_in(AALBORG), lives_in(AARHUS), lives_in(ODENSE));
    let abroad = Standing { status: StatusCode::Emigrated, ..gone(StatusCode::Emigrated, AALBORG, "2026-11-22") };
    let lost = gone(StatusCode::Disappeared, AALBORG, "2026-11-01");
    let tax = Standing { municipality: None, status: StatusCode::NoResidence, ..lives_in(AALBORG) };
    let all: &[T] = &[T::MovedIn, T::MovedOut, T::MovedWithin, T::AddressChanged];
    for (claim, selection, asked, before, after, expected) in [
        ("within", &[AALBORG][..], all, &here, &here, &["moved.within"][..]),
        ("out", &[AALBORG], all, &here, &there, &["moved.out", "scope.left Moved"]),
        ("in", &[AALBORG], all, &there, &here, &["scope.entered Moved", "moved.in"]),
        ("between two of them", &[AALBORG, AARHUS], all, &here, &there, &["moved.within"]),
        ("elsewhere", &[AALBORG], all, &there, &third, &[]),
        ("everyone", &[], all, &here, &there, &["moved.within"]),
        ("everyone, abroad", &[], all, &here, &abroad, &["moved.out"]),
        ("everyone, from abroad", &[], all, &abroad, &here, &["moved.in"]),
        ("everyone, first residence", &[], all, &tax, &here, &["moved.in"]),
        ("abroad, followed", &[AALBORG], all, &here, &abroad, &["moved.out"]),
        ("disappeared", &[AALBORG], all, &here, &lost, &["address.changed"]),
        ("found where last seen", &[AALBORG], all, &lost, &here, &["moved.within"]),
        ("found elsewhere", &[AALBORG], all, &lost, &there, &["moved.out", "scope.left Moved"]),
        (
            "only the general type",
            &[AALBORG],
            &[T::AddressChanged],
            &there,
            &here,
            &["scope.entered Moved", "address.changed"],
        ),
        (
            "general when the special is not asked for",
            &[AALBORG],
            &[T::MovedIn, T::AddressChanged],
            &here,
            &there,
            &["address.changed", "scope.left Moved"],
        ),
        ("neither asked for", &[AALBORG], &[T::MovedIn], &here, &there, &["scope.left Moved"]),
    ] {
        let told = hears(asking(selection, asked), Before::Stored(before), after, &[T::AddressChanged]);
        assert_eq!(told, expected, "{claim}");
    }
}

#[test]
fn a_type_needs_its_group_granted() {
    let (here, there) = (lives_in(AALBORG), lives_in(AARHUS));
    let granted = |groups: &[G]| Subscription { granted: GroupSet::of(groups), ..subscription(&[AALBORG]) };
    for (groups, types, expected) in [
        (&[G::Municipality][..], &[T::AddressChanged][..], &["moved.out", "scope.left Moved"][..]),
        (&[G::Address], &[T::AddressChanged], &["moved.out", "scope.left Moved"]),
        (&[G::Status], &[T::AddressChanged], &["scope.left Moved"]),
    ] {
        assert_eq!(hears(granted(groups), Before::Stored(&here), &there, types), expected, "{groups:?}");
    }
    let only = |types: &[T]| Subscription { granted: GroupSet::of(&[G::Municipality]), ..asking(&[AALBORG], types) };
    let stays = |s: Subscription, type_| hears(s, Before::Stored(&here), &here, &[type_]);
    assert_eq!(stays(only(&[T::AddressChanged]), T::AddressChanged), [] as [&str; 0], "address.changed needs Address");
    assert_eq!(stays(granted(&[G::Name]), T::Died), [] as [&str; 0]);
    assert_eq!(stays(granted(&[G::Status]), T::Died), ["died"]);
    assert_eq!(stays(granted(&[]), T::NumberChanged), ["number.changed"], "always delivered");
    assert_eq!(stays(granted(&[]), T::ProtectionStarted), ["protection.started"]);
    assert_eq!(stays(asking(&[AALBORG], &[]), T::Died), [] as [&str; 0], "not asked for");
    assert_eq!(stays(asking(&[AALBORG], &[]), T::ProtectionEnded), ["protection.ended"]);
}

#[test]
fn changed_goes_to_who_is_granted_one_of_its_groups() {
    let here = lives_in(AALBORG);
    let of = |groups: &[G]| Change { changed: GroupSet::of(groups), ..change(T::Changed) };
    let told = |granted: &[G], change: Change| {
        let selectors =
            each_its_consumer(vec![Subscription { granted: GroupSet::of(granted), ..subscription(&[AALBORG]) }]);
        let sight = sight(Before::Stored(&here), &here);
        match_person(&selectors, &source(), &sight, vec![change]).matched.len()
    };
    assert_eq!(told(&[G::Sex], of(&[G::Sex, G::Children])), 1);
    assert_eq!(told(&[G::Name], of(&[G::Sex, G::Children])), 0);
    assert_eq!(told(&[G::Name], of(&[])), 1, "the register does not say what changed");
}

#[test]
fn who_has_left_hears_only_what_made_the_person_leave() {
    let (here, there) = (lives_in(AALBORG), lives_in(AARHUS));
    let types = [T::ProtectionStarted, T::AddressChanged, T::NameChanged, T::NumberChanged, T::Changed];
    assert_eq!(
        hears(subscription(&[AALBORG]), Before::Stored(&here), &shielded(there), &types),
        ["protection.started", "moved.out", "scope.left Moved"]
    );
    assert_eq!(
        hears(subscription(&[AARHUS]), Before::Stored(&here), &lives_in(AARHUS), &[T::AddressChanged, T::NameChanged]),
        ["scope.entered Moved", "moved.in", "name.changed"],
        "who is entered hears all"
    );
}

#[test]
fn the_inactive_stay_covered_for_a_while() {
    let here = lives_in(AALBORG);
    let dead = |since| gone(StatusCode::Dead, AALBORG, since);
    let at_once = Subscription { follow_inactive: Duration::ZERO, ..subscription(&[AALBORG]) };
    assert_eq!(hears(subscription(&[AALBORG]), Before::Stored(&here), &dead("2026-11-22"), &[T::Died]), ["died"]);
    assert_eq!(hears(at_once, Before::Stored(&here), &dead("2026-11-22"), &[T::Died]), ["died", "scope.left Inactive"]);
    let late = dead("2026-08-01");
    assert_eq!(hears(subscription(&[AALBORG]), Before::Stored(&late), &late, &[T::NameChanged]), [] as [&str; 0]);
    let void = Standing { municipality: None, status: StatusCode::Cancelled, ..lives_in(AALBORG) };
    assert_eq!(
        hears(subscription(&[AALBORG]), Before::Stored(&here), &void, &[T::NumberCancelled]),
        ["number.cancelled", "scope.left Inactive"]
    );
}

#[test]
fn the_end_of_following_is_known_ahead() {
    let dead = gone(StatusCode::Dead, AALBORG, "2026-08-24");
    let selectors = each_its_consumer(vec![subscription(&[AALBORG]), subscription(&[]), subscription(&[AARHUS])]);
    let end =
        |standing: &Standing, at: Timestamp| next_follow_end(&selectors, &source(), standing, &Subjects::default(), at);
    assert_eq!(end(&dead, at("2026-10-01")), Some(at("2026-11-22")));
    assert_eq!(end(&lives_in(AALBORG), now()), None);
}

#[test]
fn deny_and_private_areas_end_with_the_protection_and_come_back_after_it() {
    let here = || lives_in(AALBORG);
    let there = || lives_in(AARHUS);
    let private = Subscription {
        sector: Sector::Private,
        protected_persons: ProtectedPersons::Allow,
        ..subscription(&[AALBORG])
    };
    let both = [T::ProtectionStarted, T::AddressChanged];
    for denied in [denying(&[AALBORG]), private] {
        let told = |before: Standing, after: Standing, types: &[T]| {
            hears(denied.clone(), Before::Stored(&before), &after, types)
        };
        let ends = ["protection.started", "scope.left Protected"];
        assert_eq!(told(here(), shielded(here()), &[T::ProtectionStarted, T::NameChanged]), ends);
        assert_eq!(told(here(), shielded(there()), &both), ends, "not where to");
        assert_eq!(told(there(), shielded(here()), &both), [] as [&str; 0], "who moves in protected is not announced");
        assert_eq!(told(shielded(there()), shielded(here()), &[T::AddressChanged]), [] as [&str; 0]);
        assert_eq!(told(shielded(here()), shielded(here()), &[T::Died, T::NumberChanged]), [] as [&str; 0]);
        assert_eq!(
            told(shielded(here()), here(), &[T::ProtectionEnded]),
            ["scope.entered Unprotected", "protection.ended"]
        );
        assert_eq!(
            told(shielded(there()), here(), &[T::ProtectionEnded, T::AddressChanged]),
            ["scope.entered Moved", "protection.ended", "moved.in"]
        );
        let first = |before: Standing, after: Standing, types: &[T]| {
            hears(denied.clone(), Before::Rebuilt(&before), &after, types)
        };
        assert_eq!(first(here(), shielded(here()), &[T::ProtectionStarted]), ends);
        assert_eq!(first(shielded(here()), shielded(here()), &[T::Changed]), [] as [&str; 0]);
        assert_eq!(
            first(shielded(here()), here(), &[T::ProtectionEnded]),
            ["scope.entered FirstSeen", "protection.ended"]
        );
    }
}

#[test]
fn masked_and_allowed_consumers_go_on_hearing_of_protected_persons() {
    let (before, after) = (lives_in(AALBORG), shielded(lives_in(AALBORG)));
    for mode in [ProtectedPersons::Mask, ProtectedPersons::Allow] {
        let subscription = Subscription { protected_persons: mode, ..subscription(&[AALBORG]) };
        assert_eq!(
            hears(subscription, Before::Stored(&before), &after, &[T::NameChanged, T::ProtectionStarted]),
            ["protection.started", "name.changed"],
            "protection first"
        );
    }
}

#[test]
fn a_person_seen_for_the_first_time_enters_and_who_has_gone_is_told_of_once() {
    let (here, there) = (lives_in(AALBORG), lives_in(AARHUS));
    let told = |before, after| hears(subscription(&[AALBORG]), before, after, &[T::AddressChanged]);
    assert_eq!(told(Before::Rebuilt(&there), &here), ["scope.entered Moved", "moved.in"]);
    assert_eq!(told(Before::Rebuilt(&here), &here), ["scope.entered FirstSeen", "moved.within"]);
    assert_eq!(told(Before::Rebuilt(&here), &there), ["moved.out", "scope.left Moved"]);
    assert_eq!(told(Before::Unknown, &here), ["scope.entered FirstSeen", "address.changed"]);
    assert_eq!(told(Before::Unknown, &there), [] as [&str; 0]);
}

#[test]
fn only_everyone_covers_those_without_residence_and_nobody_the_void() {
    let without = |status| Standing { municipality: None, status, ..lives_in(AALBORG) };
    let wide = subscription(&[]);
    let narrow = subscription(&[AALBORG]);
    assert!(covers(&wide, &without(StatusCode::NoResidence), Subject::default(), now()));
    assert!(covers(&wide, &without(StatusCode::Other("nyt".into())), Subject::default(), now()));
    assert!(!covers(&narrow, &without(StatusCode::NoResidence), Subject::default(), now()));
    assert!(!covers(&narrow, &without(StatusCode::Resident), Subject::default(), now()));
    for status in [StatusCode::Cancelled, StatusCode::Closed, StatusCode::Replaced] {
        assert!(!covers(&wide, &without(status.clone()), Subject::default(), now()));
        assert!(!covers(&narrow, &Standing { status, ..lives_in(AALBORG) }, Subject::default(), now()));
    }
    let unknown_since = Standing { inactive_since: None, ..gone(StatusCode::Dead, AALBORG, "2026-11-22") };
    assert!(!covers(&wide, &unknown_since, Subject::default(), now()), "without a beginning there is no following");
}

#[test]
fn an_undoing_goes_with_its_statement_in_scope_or_not() {
    let (dead, back) = (gone(StatusCode::Dead, AARHUS, "2026-01-01"), lives_in(AARHUS));
    let told = [(10, [T::Died].into_iter().collect()), (20, [T::Emigrated].into_iter().collect())];
    let run = |subscription: Subscription, after: &Standing| {
        let selectors = each_its_consumer(vec![subscription.clone(), subscription]);
        let sight = Sight { told: &told, ..sight(Before::Stored(&dead), after) };
        match_person(&selectors, &source(), &sight, changes(&[T::DeathAnnulled, T::NameChanged])).matched
    };
    let heard = run(subscription(&[AALBORG]), &back);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].heard, [Heard { consumer: 10, type_: T::DeathAnnulled, subscriptions: vec![1] }]);
    assert_eq!(run(asking(&[AALBORG], &[T::Died]), &back).len(), 1, "asked for the statement, told its undoing");
    let ungranted = Subscription { granted: GroupSet::of(&[G::Name]), ..subscription(&[AALBORG]) };
    assert!(run(ungranted, &back).is_empty());
    let suspended = Subscription { suspended: true, ..subscription(&[AALBORG]) };
    assert!(run(suspended, &back).is_empty());
    assert_eq!(run(denying(&[AALBORG]), &shielded(back)).len(), 1, "a death annulled is told under protection too");
}

#[test]
fn who_hears_an_undoing_anyway_hears_it_once() {
    let (dead, back) = (gone(StatusCode::Dead, AALBORG, "2026-11-01"), lives_in(AALBORG));
    let selectors = each_its_consumer(vec![subscription(&[AALBORG])]);
    let told = [(10, [T::Died].into_iter().collect())];
    let sight = Sight { told: &told, ..sight(Before::Stored(&dead), &back) };
    let matching = match_person(&selectors, &source(), &sight, changes(&[T::DeathAnnulled]));
    assert_eq!(matching.matched[0].heard, [Heard { consumer: 10, type_: T::DeathAnnulled, subscriptions: vec![1] }]);
}

#[test]
fn one_delivery_for_each_consumer_event_and_type_with_all_its_grounds() {
    let (here, there) = (lives_in(AALBORG), lives_in(AARHUS));
    let general = asking(&[AALBORG], &[T::AddressChanged]);
    let selectors = Selectors::new(vec![
        (1, 10, subscription(&[AALBORG])),
        (2, 10, subscription(&[AALBORG, ODENSE])),
        (3, 10, subscription(&[AARHUS])),
        (4, 10, general),
        (5, 20, subscription(&[])),
    ]);
    let matching = matching(&selectors, Before::Stored(&here), &there, &[T::AddressChanged]);
    let heard = |consumer, type_, subscriptions: &[SubscriptionId]| Heard {
        consumer,
        type_,
        subscriptions: subscriptions.to_vec(),
    };
    let all: Vec<_> = matching.matched.iter().map(|matched| (matched.change.type_, matched.heard.clone())).collect();
    assert_eq!(
        all,
        [
            (T::ScopeEntered, vec![heard(10, T::ScopeEntered, &[3])]),
            (
                T::AddressChanged,
                vec![
                    heard(10, T::AddressChanged, &[4]),
                    heard(10, T::MovedIn, &[3]),
                    heard(10, T::MovedOut, &[1, 2]),
                    heard(20, T::MovedWithin, &[5]),
                ]
            ),
            (T::ScopeLeft, vec![heard(10, T::ScopeLeft, &[1, 2, 4])]),
        ]
    );
    assert_eq!(matching.matched[2].change.effective_from, Some(on("2026-11-20")));
}

#[test]
fn a_suspended_subscription_hears_nothing_and_is_reported() {
    let (here, there) = (lives_in(AALBORG), lives_in(AARHUS));
    let suspended = Subscription { suspended: true, ..subscription(&[AALBORG]) };
    let selectors = each_its_consumer(vec![suspended]);
    let run = |before, after: &Standing, types: &[T]| matching(&selectors, before, after, types);
    let missed = |covered_before| Matching {
        matched: vec![],
        missed: vec![Missed { subscription: 1, covered_before }],
        ..Matching::default()
    };
    assert_eq!(run(Before::Stored(&here), &here, &[T::Died]), missed(true));
    assert_eq!(run(Before::Stored(&here), &there, &[T::AddressChanged]), missed(true));
    assert_eq!(run(Before::Stored(&there), &here, &[T::AddressChanged]), missed(false));
    assert_eq!(run(Before::Rebuilt(&here), &here, &[T::Changed]), missed(false));
    assert_eq!(run(Before::Stored(&there), &there, &[T::Died]), Matching::default());
    assert_eq!(run(Before::Stored(&here), &here, &[]), Matching::default());
    assert_eq!(
        groups_kept(&covering(&selectors, &source(), &here, &Subjects::default(), now())),
        G::ALL.into_iter().collect()
    );
}

#[test]
fn an_ended_subscription_and_another_source_are_not_there() {
    let here = lives_in(AALBORG);
    let ended = Subscription { ends_at: Some(now()), ..subscription(&[AALBORG]) };
    let selectors = each_its_consumer(vec![ended]);
    assert_eq!(matching(&selectors, Before::Stored(&here), &here, &[T::Died]), Matching::default());
    assert!(!could_cover(&selectors, &source(), None, None, now()));
    assert!(could_cover(&selectors, &source(), None, None, at("2026-11-21")));
    let live = each_its_consumer(vec![subscription(&[AALBORG])]);
    let other = ResourceKey::new("aarhus", "datafordeler");
    let sight = sight(Before::Stored(&here), &here);
    assert_eq!(match_person(&live, &other, &sight, changes(&[T::Died])), Matching::default());
    assert!(!could_cover(&live, &other, None, None, now()));
}

#[test]
fn a_notice_is_skipped_only_when_both_hints_exclude_everybody() {
    let narrow = each_its_consumer(vec![subscription(&[AALBORG])]);
    let wide = each_its_consumer(vec![subscription(&[])]);
    let ask = |selectors: &Selectors, now_in: Option<u16>, before_in: Option<u16>| {
        could_cover(selectors, &source(), now_in.map(place), before_in.map(place), now())
    };
    assert!(!ask(&narrow, Some(AARHUS), Some(ODENSE)));
    assert!(ask(&narrow, Some(AALBORG), Some(ODENSE)));
    assert!(ask(&narrow, Some(ODENSE), Some(AALBORG)));
    assert!(ask(&narrow, Some(ODENSE), None));
    assert!(ask(&narrow, None, None));
    assert!(ask(&wide, Some(AARHUS), Some(ODENSE)));
    assert!(!ask(&Selectors::default(), None, None));
}

#[test]
fn only_what_covering_subscriptions_are_granted_is_kept() {
    let granted = |municipalities: &[u16], groups: &[G]| Subscription {
        granted: GroupSet::of(groups),
        ..subscription(municipalities)
    };
    let selectors = each_its_consumer(vec![
        granted(&[AALBORG], &[G::Name]),
        granted(&[AALBORG, AARHUS], &[G::Sex]),
        denying(&[AARHUS]),
    ]);
    let kept = |standing: Standing| {
        let covering = covering(&selectors, &source(), &standing, &Subjects::default(), now());
        (!covering.is_empty()).then(|| groups_kept(&covering))
    };
    let with = |groups: &[G]| Some(GroupSet::of(groups).union(GroupSet::ALWAYS_HELD));
    assert_eq!(kept(lives_in(AALBORG)), with(&[G::Name, G::Sex]));
    assert_eq!(kept(lives_in(AARHUS)), Some(G::ALL.into_iter().collect()));
    assert_eq!(kept(shielded(lives_in(AARHUS))), with(&[G::Sex]));
    assert_eq!(kept(lives_in(ODENSE)), None);
    assert_eq!(groups_wanted(&selectors, &source(), now()), G::ALL.into_iter().collect());
    assert_eq!(groups_wanted(&Selectors::default(), &source(), now()), GroupSet::ALWAYS_HELD);
}

#[test]
fn only_the_candidates_among_a_hundred_thousand_are_looked_at() {
    let codes: Vec<u16> = Municipality::all().map(Municipality::code).collect();
    let many = (0..100_000).map(|id| (id, id, subscription(&[codes[1 + id as usize % (codes.len() - 1)]])));
    let mut all: Vec<_> = many.collect();
    all.push((100_000, 7, subscription(&[codes[0]])));
    let selectors = Selectors::new(all);
    let found = selectors.candidates(&source(), [place(codes[0])].into_iter(), &NOBODY, now());
    assert_eq!(found.iter().map(|entry| entry.id).collect::<Vec<_>>(), [100_000]);
}
