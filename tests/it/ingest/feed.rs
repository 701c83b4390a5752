//! The feed: imports that wait, fail, are lost or go back, and notices that come twice or late.

use std::time::Duration;

use super::world::{AWAY, HOME, World};

#[tokio::test]
async fn what_came_before_the_first_reading_is_not_told() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.settle(HOME);
    world.import().await;
    world.poll().await;
    assert_eq!(world.told().await, [""; 0]);
    assert_eq!((world.rows("person").await, world.feed().await.as_str()), (0, "Healthy"));
}

#[tokio::test]
async fn an_unfinished_import_waits_and_comes_whole() {
    let mut world = World::ready().await;
    let first = world.settle(HOME);
    world.register.load_events_only();
    world.poll().await;
    assert_eq!(world.told().await, [""; 0]);
    assert!(world.row(&first).await.is_none());

    let second = world.settle(HOME);
    world.register.finish_import();
    world.poll().await;
    let told: Vec<_> = world.heard().await.into_iter().filter_map(|heard| heard.person).collect();
    assert!(told.contains(&first) && told.contains(&second));
}

#[tokio::test]
async fn an_import_that_is_unfinished_for_six_hours_is_said() {
    let mut world = World::ready().await;
    world.settle(HOME);
    world.register.load_events_only();
    world.poll().await;
    assert_eq!(world.feed().await, "Healthy");
    world.pass(Duration::from_secs(6 * 3600)).await;
    assert_eq!(world.feed().await, "UnfinishedImport");
    world.register.finish_import();
    world.poll().await;
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn a_failed_import_and_its_repetition_tell_once() {
    let mut world = World::ready().await;
    world.settle(HOME);
    world.register.fail_import();
    world.poll().await;
    assert_eq!(world.told().await, [""; 0]);
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.entered FirstSeen", "acadre changed"]);
    assert_eq!(world.audited("fetch").await.len(), 1);
}

#[tokio::test]
async fn a_lost_import_is_said_and_the_feed_goes_on() {
    let mut world = World::ready().await;
    world.known(HOME).await;
    world.settle(HOME);
    world.register.lose_import();
    world.poll().await;
    assert_eq!(world.feed().await, "Gap");

    world.settle(HOME);
    world.import().await;
    assert_eq!(world.told().await.len(), 2);
    assert_eq!(world.feed().await, "Gap");
}

#[tokio::test]
async fn a_status_that_goes_back_stops_reading_until_it_has_caught_up() {
    let mut world = World::ready().await;
    world.known(HOME).await;
    let told = world.register.last_sequence();
    world.register.pretend_last_sequence(told - 1);
    world.poll().await;
    assert_eq!(world.feed().await, "Backwards");
    world.register.pretend_last_sequence(told);
    world.poll().await;
    assert_eq!((world.feed().await.as_str(), world.told().await.len()), ("Healthy", 0));
}

#[tokio::test]
async fn notices_and_persons_that_come_twice_are_taken_once() {
    use cpr_operator::simulate::datafordeler::Fault;
    let mut world = World::ready().await;
    world.register.faults().set(Fault::Duplicate);
    for _ in 0..4 {
        world.settle(HOME);
    }
    let twice = world.settle(HOME);
    world.register.notice_without_change(&twice).unwrap();
    world.import().await;
    assert_eq!(world.told().await.len(), 2 * 5);
    world.register.faults().clear();
    world.settle(AWAY);
    world.import().await;
    assert_eq!((world.told().await.len(), world.feed().await.as_str()), (0, "Healthy"));
}

#[tokio::test]
async fn silence_on_a_loading_day_is_said() {
    let mut world = World::ready().await;
    world.known(HOME).await;
    world.days(1).await;
    assert_eq!(world.feed().await, "Healthy");
    world.days(1).await;
    assert_eq!(world.feed().await, "Stale");
    world.known(HOME).await;
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn late_rows_of_an_earlier_import_are_taken() {
    let mut world = World::ready().await;
    world.known(HOME).await;
    let late = world.settle(HOME);
    // The register writes them under the number of the import that was announced already.
    let announced = world.register.last_sequence();
    world.register.pretend_last_sequence(announced - 1);
    world.register.load_events_only();
    world.register.pretend_last_sequence(announced);
    world.poll().await;
    let told: Vec<_> = world.heard().await.into_iter().filter_map(|heard| heard.person).collect();
    assert_eq!(told, [late.clone(), late]);
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn rows_of_a_lost_import_are_taken_when_they_come() {
    let mut world = World::ready().await;
    world.known(HOME).await;
    let lost = world.register.lose_import();
    world.poll().await;
    assert_eq!(world.feed().await, "Gap");

    let late = world.settle(HOME);
    world.register.pretend_last_sequence(lost - 1);
    world.register.load_events_only();
    world.register.pretend_last_sequence(lost);
    world.poll().await;
    assert_eq!(world.heard().await.first().and_then(|heard| heard.person.clone()), Some(late));
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn a_person_is_fetched_once_per_import() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let before = world.audited("fetch").await.len();
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    let fetches = world.audited("fetch").await;
    assert_eq!(fetches.len(), before + 1);
    assert_eq!(fetches.last().unwrap()["persons"], 1);
}

#[tokio::test]
async fn a_restart_before_credentials_are_handed_over_changes_nothing_in_status() {
    let mut world = World::ready().await;
    let before = world.state().await;
    assert!(before.schema.is_some());
    world.restart_without_credentials();
    world.poll().await;
    assert_eq!(world.state().await, before);
    world.withdraw_credentials();
    world.poll().await;
    let after = world.state().await;
    assert_eq!(after.contact.unwrap().reason, "NoCredentials");
    assert_eq!(after.schema, before.schema, "it was read");
}
