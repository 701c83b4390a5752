//! Who dies, emigrates or disappears: followed for a time, and heard of again when it is undone.

use std::time::Duration;

use cpr_operator::domain::change::DerivedFrom;

use super::world::{AWAY, HOME, World};

#[tokio::test]
async fn a_death_is_told_and_the_scope_is_left_by_the_clock() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre died"]);
    world.days(89).await;
    assert_eq!(world.told().await, [""; 0]);
    world.days(3).await;
    let heard = world.heard().await;
    assert_eq!(heard.iter().map(|heard| heard.words()).collect::<Vec<_>>(), ["acadre scope.left Inactive"]);
    assert_eq!(heard[0].derived_from, DerivedFrom::Clock);
    world.days(3).await;
    assert_eq!(world.told().await, [""; 0]);
}

#[tokio::test]
async fn the_scope_is_left_by_the_clock_while_the_register_is_down() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    world.told().await;
    world.register.go_down().await;
    world.days(92).await;
    assert_eq!(world.told().await, ["acadre scope.left Inactive"]);
}

#[tokio::test]
async fn a_change_after_the_following_ended_does_not_swallow_the_end() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    world.told().await;
    world.days(89).await;
    // The hour of the death has passed on the last day: the following is over, and the day's clock has been round already.
    world.pass(Duration::from_secs(10 * 3600)).await;
    world.pass(Duration::from_secs(15 * 3600)).await;
    let before = world.told().await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    let mut told = before;
    told.extend(world.told().await);
    world.days(2).await;
    told.extend(world.told().await);
    assert_eq!(told, ["acadre scope.left Inactive"]);
}

#[tokio::test]
async fn the_last_day_of_following_asks_the_register_no_more_than_any_other() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    world.days(89).await;
    let before = world.audited("fetch").await.len();
    for _ in 0..12 {
        world.pass(Duration::from_secs(2 * 3600)).await;
    }
    assert!(world.audited("fetch").await.len() <= before + 1);
}

#[tokio::test]
async fn a_death_that_is_annulled_is_told_to_who_was_told_of_it() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    world.days(92).await;
    assert_eq!(world.told().await, ["acadre died", "acadre scope.left Inactive"]);
    world.deliver().await;
    world.days(60).await;
    world.sweep().await;
    assert!(world.row(&person).await.is_some(), "held while the death may be undone");

    world.register.annul_death(&person).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let annulled = heard.iter().find(|heard| heard.words() == "acadre death.annulled").expect("told");
    assert!(annulled.correction);
    assert_eq!(heard[0].words(), "acadre scope.entered Moved");
}

#[tokio::test]
async fn an_annulled_death_of_somebody_elsewhere_is_still_told() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    world.days(92).await;
    world.told().await;
    world.register.annul_death(&person).unwrap();
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre death.annulled"]);
    world.register.die(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, [""; 0], "who left is heard of no more");
}

#[tokio::test]
async fn who_disappears_and_is_found_is_told_so() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.disappear(&person, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    assert!(told.contains(&"acadre disappeared".to_owned()), "{told:?}");
    world.register.found(&person, HOME, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    assert!(told.contains(&"acadre found".to_owned()), "{told:?}");
}

#[tokio::test]
async fn without_following_the_scope_is_left_at_once() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.follow_inactive = Duration::ZERO).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.emigrate(&person, "5110", world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out", "acadre emigrated", "acadre scope.left Inactive"]);
}
