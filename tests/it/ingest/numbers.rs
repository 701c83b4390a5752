//! Numbers change, and a person may have had several: the same person stays the same record.

use cpr_operator::domain::identifier::CprNumber;

use super::world::{AWAY, HOME, World};

#[tokio::test]
async fn a_changed_number_keeps_the_record() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let record = world.record(&person).await;
    let old = world.register.citizen(&person).unwrap().number;
    world.register.change_number(&person, world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    assert_eq!(heard.iter().map(|heard| heard.words()).collect::<Vec<_>>(), ["acadre number.changed"]);
    assert_eq!(Some(heard[0].record), record);
    assert_eq!(world.record(&person).await, record);

    let new = world.register.citizen(&person).unwrap().number;
    assert_ne!(old, new);
    let stored = world.stored(&person).await.unwrap();
    assert!(stored.number(world.today()) == Some(&CprNumber::parse(&new).unwrap()));
    assert_eq!(world.key_rows("identifier").await, 3, "the PersonID and both numbers mean the record");
}

#[tokio::test]
async fn a_person_with_several_numbers_is_one_person() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    let person = world.settle(HOME);
    world.register.change_number(&person, super::world::LONG_AGO).unwrap();
    world.register.load();
    world.poll().await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.entered FirstSeen", "acadre name.changed"]);
    assert_eq!((world.rows("person").await, world.key_rows("person_key").await), (1, 1));
    assert_eq!(world.key_rows("identifier").await, 3);
}

#[tokio::test]
async fn a_cancelled_number_is_told_and_restored() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.cancel_number(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre number.cancelled", "acadre scope.left Inactive"]);
    world.register.restore_number(&person).unwrap();
    world.import().await;
    let told = world.told().await;
    assert!(told.contains(&"acadre number.restored".to_owned()), "{told:?}");
    assert!(told[0].starts_with("acadre scope.entered"), "{told:?}");
}

#[tokio::test]
async fn the_survivor_of_two_persons_goes_on_under_its_own_record() {
    let mut world = World::ready().await;
    let survivor = world.known(HOME).await;
    let double = world.known(HOME).await;
    let records = (world.record(&survivor).await, world.record(&double).await);
    assert_ne!(records.0, records.1);
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    let told = world.heard().await;
    assert!(told.iter().any(|heard| Some(heard.record) == records.1 && heard.words() == "acadre scope.left Inactive"));
    assert!(!told.iter().any(|heard| Some(heard.record) == records.0 && heard.words().contains("scope.left")));
    assert_eq!((world.record(&survivor).await, world.record(&double).await), records);
    world.register.move_within(&survivor, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.within"]);
}

#[tokio::test]
async fn a_survivor_who_was_not_known_does_not_vanish_with_the_double() {
    for double_first in [true, false] {
        let mut world = World::new().await;
        world.subscribe("clients", "acadre", |_| ()).await;
        let mut both = [world.settle(HOME), world.settle(HOME)];
        both.sort();
        if !double_first {
            both.reverse();
        }
        let [double, survivor] = both;
        world.register.load();
        world.poll().await;
        world.register.notice_without_change(&double).unwrap();
        world.import().await;
        assert!(world.row(&survivor).await.is_none() && world.row(&double).await.is_some());
        world.register.merge(&double, &survivor, world.today()).unwrap();
        let record = world.record(&double).await;
        world.heard().await;
        world.import().await;
        let heard = world.heard().await;
        assert!(
            !heard.is_empty() && heard.iter().all(|heard| Some(heard.record) == record),
            "one reference, old and new"
        );
        assert!(!heard.iter().any(|heard| heard.words().contains("scope")), "{heard:?}");
        let row = world.row(&survivor).await.unwrap();
        assert_eq!(row.standing.municipality.map(|m| m.to_string()), Some(HOME.to_owned()));
        world.register.move_to(&survivor, AWAY, world.today()).unwrap();
        world.import().await;
        assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"]);
    }
}
