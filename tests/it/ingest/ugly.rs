//! A register that answers badly: what it says of one person harms no other, and what it means for the source is said.

use std::time::Duration;

use cpr_operator::domain::field_group::FieldGroup;
use cpr_operator::simulate::datafordeler::{Fault, Service};
use serde_json::{Value, json};

use super::world::{AWAY, HOME, World};

fn replaced(member: &str, value: Value, person: &str) -> Fault {
    Fault::Replace { member: member.to_owned(), value, person: Some(person.to_owned()) }
}

async fn contact(world: &World) -> String {
    world.state().await.contact.unwrap().reason
}

#[tokio::test]
async fn a_page_that_comes_again_and_again_is_a_gap_and_tells_nothing_twice() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.register.load();
    world.register.faults().set(Fault::RepeatPage);
    world.poll().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);
    world.settle(HOME);
    world.import().await;
    world.poll().await;
    assert_eq!((world.feed().await.as_str(), world.told().await.len()), ("Gap", 0));
    world.register.faults().clear();
    world.poll().await;
    assert_eq!((world.feed().await.as_str(), world.told().await.len()), ("Healthy", 2));
}

#[tokio::test]
async fn a_cursor_that_goes_round_ends_the_reading_and_loses_nothing() {
    let mut world = World::ready().await;
    world.register.faults().set_for(Fault::LoopCursor, Some(&[Service::Events, Service::Lookup]), None);
    for _ in 0..3 {
        world.settle(HOME);
        world.import().await;
        assert_eq!((world.told().await.len(), contact(&world).await.as_str()), (2, "Succeeded"));
    }
}

#[tokio::test]
async fn answers_that_are_none_are_told_apart_and_read_when_they_are_over() {
    let faults = [
        (Fault::ServerError { status: 200 }, "NotUnderstood"),
        (Fault::Huge { bytes: 33 << 20 }, "NotUnderstood"),
        (Fault::Packed, "NotUnderstood"),
        (Fault::Drip { millis: 5 }, "Down"),
        (
            Fault::Refuse { code: "HC0016".into(), message: "The argument `formaal` is required.".into() },
            "QueryRefused",
        ),
        (Fault::Refuse { code: "DAF-AUTH-0001".into(), message: "No.".into() }, "NotGranted"),
    ];
    let mut world = World::ready().await;
    for (fault, reason) in faults {
        let seconds = if matches!(fault, Fault::Drip { .. }) { 1 } else { 20 };
        world.set_up(|context| context.register.timeout = Duration::from_secs(seconds));
        world.settle(HOME);
        world.register.load();
        world.register.faults().set_for(fault.clone(), Some(&[Service::Events, Service::ImportStatus]), None);
        world.pass(Duration::from_secs(2 * 3600)).await;
        assert_eq!((contact(&world).await.as_str(), world.told().await.len()), (reason, 0), "{fault:?}");
        world.register.faults().clear();
        world.pass(Duration::from_secs(2 * 3600)).await;
        assert_eq!((contact(&world).await.as_str(), world.told().await.len()), ("Succeeded", 2), "{fault:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_in_one_person_keeps_no_other_waiting() {
    let wrong = [
        ("status", json!(null)),
        ("status", json!({ "kode": 1 })),
        ("personnumre", json!(null)),
        ("personnummer", json!("ikke et nummer")),
        ("adresseoplysninger", json!("Prøvevej 1")),
        ("cprkommunekode", json!([101])),
    ];
    for (member, value) in wrong {
        let mut world = World::ready().await;
        let (bad, good) = (world.settle(HOME), world.settle(HOME));
        world.register.load();
        world.register.faults().set(replaced(member, value.clone(), &bad));
        for _ in 0..3 {
            world.poll().await;
        }
        let heard = world.heard().await;
        assert!(heard.iter().all(|heard| heard.person.as_deref() == Some(&*good)), "{member} {value}");
        assert_eq!((heard.len(), world.feed().await.as_str()), (2, "PersonsUnread"), "{member} {value}");
        world.register.faults().clear();
        world.pass(Duration::from_secs(15 * 60)).await;
        assert_eq!((world.told().await.len(), world.feed().await.as_str()), (2, "Healthy"), "{member} {value}");
    }
}

#[tokio::test]
async fn a_date_that_does_not_exist_is_left_out_and_moves_nobody() {
    let mut world = World::ready().await;
    let (bad, good) = (world.known(HOME).await, world.known(HOME).await);
    world.register.faults().set(replaced("virkningfra", json!("2026-02-30"), &bad));
    world.register.notice_without_change(&bad).unwrap();
    world.register.move_to(&good, AWAY, world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let moved = |words: &str| words.contains("moved") || words.contains("scope") || words.contains("number");
    let of_bad = heard.iter().filter(|heard| heard.person.as_deref() == Some(&*bad));
    assert!(of_bad.map(|heard| heard.words()).all(|words| !moved(&words)), "{heard:?}");
    assert_eq!(heard.iter().filter(|heard| heard.person.as_deref() == Some(&*good)).count(), 2);
    assert_eq!(world.row(&bad).await.unwrap().standing.municipality.map(|m| m.to_string()).as_deref(), Some(HOME));
    let measured = world.measured();
    let line = measured.lines().find(|line| line.starts_with("cpr_ingest_values_not_understood")).unwrap();
    assert!(!line.ends_with(" 0"), "{line}");
}

#[tokio::test]
async fn a_protection_whose_end_is_no_date_stays() {
    use cpr_operator::simulate::datafordeler::Protection;
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, Protection::NameAndAddress, world.today(), None).unwrap();
    world.import().await;
    world.heard().await;
    world.register.faults().set(replaced("virkningtil", json!("2026-06-31"), &person));
    world.register.notice_without_change(&person).unwrap();
    world.import().await;
    assert!(world.row(&person).await.unwrap().standing.protected);
    assert!(!world.told().await.iter().any(|told| told.contains("protection.ended")));
}

#[tokio::test]
async fn the_same_letters_in_another_form_are_no_change() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.rename(&person, Some("Zoé"), Some("Sørensen-Ågård"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);
    let decomposed = "Sørensen-A\u{30a}ga\u{30a}rd";
    world.register.faults().set(replaced("efternavn", json!(decomposed), &person));
    world.register.notice_without_change(&person).unwrap();
    world.import().await;
    assert_eq!(world.told().await, [""; 0]);
    let stored = world.stored(&person).await.unwrap();
    assert_eq!(stored.names.last().unwrap().value.last.as_deref(), Some("Sørensen-Ågård"));
}

#[tokio::test]
async fn a_name_of_two_hundred_characters_is_a_name() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let long = "Å".repeat(200);
    world.register.rename(&person, Some(&long), None, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);
    assert!(world.stored(&person).await.unwrap().names.iter().any(|row| row.value.first.as_deref() == Some(&*long)));
}

#[tokio::test]
async fn a_municipality_that_is_no_more_has_no_residents() {
    let mut world = World::ready().await;
    let (moved, stays) = (world.known(HOME).await, world.known(HOME).await);
    for code in ["0835", "835", "9999", "kommune"] {
        world.register.faults().set(replaced("cprkommunekode", json!(code), &moved));
        world.register.notice_without_change(&moved).unwrap();
        world.register.rename(&stays, None, Some(code), world.today()).unwrap();
        world.import().await;
        let told = world.told().await;
        assert!(told.iter().any(|told| told.starts_with("acadre name.")), "{code}: {told:?}");
        let standing = world.row(&moved).await.unwrap().standing;
        assert_eq!(standing.municipality, None, "{code}");
        world.register.faults().clear();
    }
    world.register.notice_without_change(&moved).unwrap();
    world.import().await;
    assert_eq!(world.row(&moved).await.unwrap().standing.municipality.map(|m| m.to_string()).as_deref(), Some(HOME));
}

#[tokio::test]
async fn who_vanished_stays_as_stored_is_said_and_asked_for_again() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let stored = world.stored(&person).await.unwrap();
    world.register.vanish(&person).unwrap();
    let other = world.settle(HOME);
    world.import().await;
    let told: Vec<_> = world.heard().await.into_iter().filter_map(|heard| heard.person).collect();
    assert_eq!(told, [other.clone(), other]);
    assert!(world.stored(&person).await.unwrap() == stored);
    assert_eq!((world.feed().await.as_str(), world.state().await.vanished), ("PersonsVanished", 1));
    assert!(world.measured().contains(r#"outcome="vanished"} 1"#));

    world.register.reappear(&person).unwrap();
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.register.lose_import();
    world.days(1).await;
    assert!(world.told().await.contains(&"acadre name.changed".to_owned()), "without a notice");
    assert_eq!(world.state().await.vanished, 0);
}

#[tokio::test]
async fn what_a_register_knew_before_is_not_taken_for_news_unless_it_lasts() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let earlier = json!("2014-01-01T10:00:00.000000Z");
    world.register.faults().set(replaced("registreringfra", earlier, &person));
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    let other = world.settle(HOME);
    world.register.load();
    for _ in 0..3 {
        world.poll().await;
    }
    let heard = world.heard().await;
    assert!(heard.iter().all(|heard| heard.person.as_deref() == Some(&*other)), "{heard:?}");
    assert_eq!((heard.len(), world.feed().await.as_str()), (2, "PersonsUnread"));
    for _ in 0..12 {
        world.pass(Duration::from_secs(15 * 60)).await;
    }
    assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"], "rows can be deleted there");
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn events_with_new_numbers_after_a_failure_tell_nothing_twice() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    for name in ["Andersen", "Berg", "Carlsen"] {
        world.register.rename(&person, None, Some(name), world.today()).unwrap();
        world.register.load_events_only();
        world.poll().await;
        world.register.fail_import();
        world.poll().await;
        world.import().await;
        world.poll().await;
        let told = world.told().await;
        assert!(told.len() == 1 && told[0].starts_with("acadre name."), "{told:?}");
    }
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn a_widened_grant_that_meets_newer_data_tells_what_changed_and_not_what_is_new_here() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.register.change_citizenship(&person, "5110", world.today()).unwrap();
    world.subscribe("clients", "acadre", |form| form.granted = form.granted.with(FieldGroup::Citizenship)).await;
    world.poll().await;
    assert_eq!(world.told().await, ["acadre name.changed"], "what was granted before is told, a little early");
    assert!(world.row(&person).await.unwrap().held.contains(FieldGroup::Citizenship));
    world.import().await;
    assert_eq!(world.told().await, [""; 0], "the notice finds nothing new");
}
