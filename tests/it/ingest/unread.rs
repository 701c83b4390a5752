//! Persons who cannot be read while others can: tried three times, then later.

use std::time::Duration;

use cpr_operator::simulate::datafordeler::{Fault, Service};

use super::world::{HOME, World};

/// Two persons of one import, of whom the first cannot be read at the next reading: the lookup of both fails, then that of
/// the first.
async fn half_readable(world: &mut World) -> (String, String) {
    let mut both = [world.settle(HOME), world.settle(HOME)];
    both.sort();
    world.register.load();
    let [first, second] = both;
    fail_twice(world);
    (first, second)
}

fn fail_twice(world: &World) {
    world.register.faults().set_for(Fault::BrokenJson, Some(&[Service::Lookup]), Some(2));
}

#[tokio::test]
async fn a_person_who_cannot_be_read_is_left_behind_after_three_tries_and_read_later() {
    let mut world = World::ready().await;
    let began = world.state().await.import;
    let (first, second) = half_readable(&mut world).await;
    for tries in 1..=3 {
        assert_eq!(world.state().await.import, began, "the import waits after {} tries", tries - 1);
        world.poll().await;
        fail_twice(&world);
    }
    assert_eq!(world.state().await.import, began.map(|import| import + 1));
    assert_eq!((world.feed().await.as_str(), world.state().await.unread), ("PersonsUnread", 1));
    let told: Vec<_> = world.heard().await.into_iter().map(|heard| heard.person.unwrap()).collect();
    assert_eq!(told, [second.clone(), second]);

    world.register.faults().clear();
    world.settle(HOME);
    world.import().await;
    assert_eq!(world.told().await.len(), 2, "the feed goes on");
    world.pass(Duration::from_secs(15 * 60)).await;
    let told: Vec<_> = world.heard().await.into_iter().map(|heard| heard.person.unwrap()).collect();
    assert_eq!(told, [first.clone(), first]);
    assert_eq!((world.feed().await.as_str(), world.rows("unread").await), ("Healthy", 0));
}

#[tokio::test]
async fn a_person_who_can_be_read_at_the_second_try_is_told_once() {
    let mut world = World::ready().await;
    half_readable(&mut world).await;
    world.poll().await;
    assert_eq!(world.told().await.len(), 2);
    world.poll().await;
    assert_eq!((world.told().await.len(), world.rows("unread").await), (2, 0));
}

#[tokio::test]
async fn a_register_that_is_down_costs_nobody_a_try() {
    let mut world = World::ready().await;
    world.settle(HOME);
    world.register.load();
    world.register.faults().set_for(Fault::ServerError { status: 503 }, Some(&[Service::Lookup]), None);
    for _ in 0..6 {
        world.pass(Duration::from_secs(3600)).await;
    }
    assert_eq!((world.rows("unread").await, world.state().await.contact.unwrap().reason.as_str()), (0, "Down"));
    world.register.faults().clear();
    world.pass(Duration::from_secs(3600)).await;
    assert_eq!(world.told().await.len(), 2);
}

#[tokio::test]
async fn persons_whom_the_register_does_not_know_are_counted() {
    use cpr_operator::simulate::datafordeler::Names;
    let mut world = World::with(Names::WithoutPersonId).await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.poll().await;
    world.settle(HOME);
    world.import().await;
    assert_eq!(world.told().await, [""; 0]);
    let measured = world.measured();
    let line = measured.lines().find(|line| line.contains("cpr_ingest_persons") && line.contains("unknown")).unwrap();
    assert!(line.ends_with(" 1"), "{line}");
    assert_eq!(world.audited("fetch").await.len(), 0, "nothing was asked of the register");
}
