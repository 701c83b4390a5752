//! What goes when its time has come: persons, resources, and keys and rows that lost each other.

use std::time::Duration;

use cpr_operator::store;

use super::world::{AWAY, HOME, World};
use crate::store::site;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Somebody known who moved away, which was told.
async fn gone(world: &mut World) -> String {
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    person
}

#[tokio::test]
async fn who_is_covered_no_more_goes_after_the_last_delivery_and_the_grace() {
    let mut world = World::ready().await;
    let person = gone(&mut world).await;
    world.deliver().await;
    world.clock.advance(DAY * 6);
    world.sweep().await;
    assert!(world.row(&person).await.is_some(), "within the grace");
    world.clock.advance(DAY * 2);
    world.sweep().await;
    assert!(world.row(&person).await.is_none() && world.record(&person).await.is_none());
    for table in ["person_key", "identifier", "claim"] {
        assert_eq!(world.key_rows(table).await, 0, "{table}");
    }
    for table in ["person", "event", "route"] {
        assert_eq!(world.rows(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn who_is_covered_no_more_stays_until_the_last_delivery() {
    let mut world = World::ready().await;
    let person = gone(&mut world).await;
    world.clock.advance(DAY * 8);
    world.sweep().await;
    assert!(world.row(&person).await.is_some());
    world.deliver().await;
    world.sweep().await;
    assert!(world.row(&person).await.is_none());
}

#[tokio::test]
async fn who_was_told_of_a_death_keeps_the_person() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    world.days(92).await;
    world.deliver().await;
    world.clock.advance(DAY * 30);
    world.sweep().await;
    assert!(world.row(&person).await.is_some());
    world.clock.advance(DAY * 365);
    world.sweep().await;
    assert!(world.row(&person).await.is_none());
}

#[tokio::test]
async fn a_leaving_person_who_is_met_again_is_taken_up_anew() {
    let mut world = World::ready().await;
    let person = gone(&mut world).await;
    world.deliver().await;
    world.told().await;
    let record = world.record(&person).await.unwrap();
    let mut tx = world.store.main.begin().await.unwrap();
    let marked = store::person::mark_leaving(&mut tx, world.source, &[record]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marked, [record]);

    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.entered Moved", "acadre moved.in"]);
    let anew = world.record(&person).await.unwrap();
    assert_ne!(anew, record);
    world.sweep().await;
    assert!(world.row(&person).await.is_some());
}

#[tokio::test]
async fn deletion_without_grace_leaves_nothing_but_the_record() {
    let mut world = World::new().await;
    world.set_up(|context| context.retention.after_deletion = Duration::ZERO);
    world.subscribe("clients", "acadre", |_| ()).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.known(HOME).await;
    world.store.keys.consumer_key(world.consumer_id("acadre"), world.clock.now()).await.unwrap();
    world.deliver().await;

    world.unsubscribe("clients").await;
    world.end_consumer("acadre").await;
    let mut tx = world.store.main.begin().await.unwrap();
    assert!(store::source::end(&mut tx, world.source, world.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    world.sweep().await;
    for table in [
        "person",
        "event",
        "route",
        "lane",
        "parked",
        "attempt",
        "dead_letter",
        "told",
        "missed",
        "unread",
        "request",
        "subscription",
        "consumer",
        "consumer_state",
        "source",
        "source_state",
        "cursor",
        "notice",
        "selection",
    ] {
        assert_eq!(world.rows(table).await, 0, "{table}");
    }
    for table in ["person_key", "identifier", "claim", "keyring WHERE kind = 'consumer'"] {
        assert_eq!(world.key_rows(table).await, 0, "{table}");
    }
    assert!(!world.audited("fetch").await.is_empty());
}

#[tokio::test]
async fn a_consumer_goes_with_all_its_routes_and_the_record_says_how_many_were_not_delivered() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let record = world.record(&person).await.unwrap();
    let consumer = world.consumer_id("acadre");
    world.deliver().await;
    let routes =
        |count| (0..count).map(|_| site::event(record, world.source, vec![site::route(consumer)])).collect::<Vec<_>>();
    site::append(&world.store, &routes(2_500)).await;
    world.unsubscribe("clients").await;
    world.work().await;
    world.end_consumer("acadre").await;
    world.clock.advance(DAY * 8);
    world.sweep().await;
    assert_eq!((world.rows("consumer").await, world.rows("route").await), (0, 0));
    let withdrawn = world.audited("event.withdrawn").await;
    assert_eq!(withdrawn.len(), 1);
    assert_eq!((&withdrawn[0]["class"], &withdrawn[0]["persons"]), (&"ConsumerDeleted".into(), &1.into()));
    assert_eq!(withdrawn[0]["consumer"], "skole/acadre");
    assert!(world.row(&person).await.is_none());
}

#[tokio::test]
async fn keys_and_rows_that_lost_each_other_are_swept() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let record = world.record(&person).await.unwrap();
    site::ensured(&world.store, 77).await;
    assert_eq!(world.key_rows("person_key").await, 2);
    world.sweep().await;
    assert_eq!(world.key_rows("person_key").await, 2, "a key may be without a row for a day");
    world.clock.advance(DAY * 2);
    world.sweep().await;
    assert_eq!(world.key_rows("person_key").await, 1);

    world.store.keys.forget_persons(&[record]).await.unwrap();
    world.subscribe("clients", "acadre", |form| form.follow_inactive = DAY).await;
    world.work().await;
    world.sweep().await;
    assert_eq!(world.rows("person").await, 0);
}
