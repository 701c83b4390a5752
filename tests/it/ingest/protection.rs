//! Name and address protection: by notice and by clock, towards those who mask it and those who are denied such persons.

use std::time::Duration;

use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::resource::{ProtectedPersons, Sector};
use cpr_operator::simulate::datafordeler::Protection::NameAndAddress;
use cpr_operator::simulate::datafordeler::{Fault, Names};
use jiff::ToSpan;

use super::world::{AWAY, HOME, LONG_AGO, World};

const NOTHING: [&str; 0] = [];

/// A world with a consumer that hears of protected persons, and one that is denied them.
async fn two_kinds() -> World {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.subscribe("pupils", "denied", |form| form.protected_persons = ProtectedPersons::Deny).await;
    world.poll().await;
    world
}

#[tokio::test]
async fn a_protection_is_told_and_ends_the_scope_of_who_is_denied() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today(), None).unwrap();
    world.import().await;
    assert_eq!(
        world.told().await,
        ["acadre protection.started", "denied protection.started", "denied scope.left Protected"]
    );
    assert!(world.row(&person).await.unwrap().standing.protected);

    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);

    world.register.unprotect(&person, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    assert_eq!(told[0], "denied scope.entered Unprotected");
    assert!(told.contains(&"acadre protection.ended".to_owned()), "{told:?}");
}

#[tokio::test]
async fn who_moves_away_when_protected_is_not_said_to_have_moved() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today(), None).unwrap();
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    let denied: Vec<_> = told.iter().filter(|told| told.starts_with("denied")).collect();
    assert_eq!(denied, ["denied protection.started", "denied scope.left Protected"]);
}

#[tokio::test]
async fn who_moves_in_protected_is_not_announced_to_who_is_denied() {
    let mut world = World::new().await;
    world.subscribe("pupils", "denied", |form| form.protected_persons = ProtectedPersons::Deny).await;
    world.subscribe("customers", "shop", |form| form.sector = Sector::Private).await;
    world.subscribe("all", "bank", |form| (form.sector, form.selector) = (Sector::Private, Selector::everyone())).await;
    let person = world.settle(AWAY);
    world.register.protect(&person, NameAndAddress, LONG_AGO, None).unwrap();
    world.register.load();
    world.poll().await;
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    assert!(world.row(&person).await.is_none());
}

#[tokio::test]
async fn a_private_consumer_is_denied_whatever_it_says() {
    let mut world = World::new().await;
    world
        .subscribe("customers", "shop", |form| {
            (form.sector, form.protected_persons) = (Sector::Private, ProtectedPersons::Mask);
        })
        .await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today(), None).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["shop protection.started", "shop scope.left Protected"]);
}

#[tokio::test]
async fn a_protection_begins_on_its_day_without_a_notice() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    let begins = world.today().saturating_add(3.days());
    world.register.protect(&person, NameAndAddress, begins, None).unwrap();
    world.import().await;
    world.told().await;
    assert!(!world.row(&person).await.unwrap().standing.protected);
    world.days(2).await;
    assert_eq!(world.told().await, NOTHING);
    world.days(1).await;
    assert_eq!(
        world.told().await,
        ["acadre protection.started", "denied protection.started", "denied scope.left Protected"]
    );
    assert!(world.row(&person).await.unwrap().standing.protected);
}

#[tokio::test]
async fn a_protection_begins_on_its_day_while_the_register_is_down() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today().saturating_add(3.days()), None).unwrap();
    world.import().await;
    world.register.go_down().await;
    world.told().await;
    world.days(3).await;
    assert!(world.row(&person).await.unwrap().standing.protected);
    assert_eq!(world.told().await.len(), 3);
}

#[tokio::test]
async fn a_protection_begins_on_its_day_while_the_source_is_suspended() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today().saturating_add(3.days()), None).unwrap();
    world.import().await;
    world.change_source(|form| form.suspended = true);
    let asked = world.register.requests().len();
    world.days(4).await;
    assert!(world.row(&person).await.unwrap().standing.protected);
    assert_eq!(world.register.requests().len(), asked, "nothing is asked of the register meanwhile");
}

#[tokio::test]
async fn a_protection_begins_on_its_day_though_the_person_cannot_be_read() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today().saturating_add(3.days()), None).unwrap();
    world.import().await;
    world.register.faults().set(Fault::DropMandatory { member: "id".into() });
    world.days(4).await;
    assert!(world.row(&person).await.unwrap().standing.protected);
}

#[tokio::test]
async fn a_protection_begins_on_its_day_though_the_register_no_longer_knows_the_person() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today().saturating_add(3.days()), None).unwrap();
    world.import().await;
    let empty = world.twin(Names::Documented).await;
    empty.pretend_last_sequence(world.register.last_sequence());
    world.go_over_to(empty);
    world.days(4).await;
    assert!(world.row(&person).await.unwrap().standing.protected);
}

#[tokio::test]
async fn a_change_of_subscriptions_on_that_day_does_not_keep_a_protection_from_beginning() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    world.register.protect(&person, NameAndAddress, world.today().saturating_add(1.days()), None).unwrap();
    world.import().await;
    world.register.go_down().await;
    world.clock.advance(Duration::from_secs(24 * 3600));
    world.subscribe("clients", "acadre", |form| form.selector = Selector::everyone()).await;
    world.work().await;
    world.pass(Duration::from_secs(3600)).await;
    assert!(world.row(&person).await.unwrap().standing.protected);
}

#[tokio::test]
async fn a_protection_with_an_end_stays_until_a_fetch_shows_it_gone() {
    let mut world = two_kinds().await;
    let person = world.known(HOME).await;
    let ends = world.today().saturating_add(2.days());
    world.register.protect(&person, NameAndAddress, world.today(), Some(ends)).unwrap();
    world.import().await;
    world.told().await;
    world.register.go_down().await;
    world.days(5).await;
    assert!(world.row(&person).await.unwrap().standing.protected);
    assert_eq!(world.told().await, NOTHING);

    world.register.come_back().await.unwrap();
    world.pass(Duration::from_secs(3600)).await;
    let told = world.told().await;
    assert!(told.contains(&"acadre protection.ended".to_owned()), "{told:?}");
    assert!(!world.row(&person).await.unwrap().standing.protected);
}
