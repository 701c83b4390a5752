//! Following after a move, and snapshots of those who are known when a subscription begins.

use std::time::Duration;

use cpr_operator::domain::compiled::Announce;
use cpr_operator::domain::resource::ProtectedPersons;
use cpr_operator::simulate::datafordeler::Protection::NameAndAddress;

use super::world::{AWAY, HOME, World, living_in};

const NOTHING: [&str; 0] = [];
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A world whose subscription follows who moves away for thirty days.
async fn following() -> World {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.follow_on_move = Some(DAY * 30)).await;
    world.poll().await;
    world
}

#[tokio::test]
async fn who_moves_away_is_followed_until_the_time_is_over() {
    let mut world = following().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out"]);
    world.register.move_within(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre address.changed"]);
    world.days(29).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);
    world.days(3).await;
    assert_eq!(world.told().await, ["acadre scope.left FollowEnded"]);
    assert_eq!(world.rows("subject").await, 0);
    world.register.rename(&person, None, Some("Berg"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn who_moves_back_was_never_away() {
    let mut world = following().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    world.days(10).await;
    world.told().await;
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.in"]);
    assert_eq!(world.rows("subject").await, 0);
    world.days(40).await;
    assert_eq!(world.told().await, NOTHING, "nothing ends any more");
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    world.days(29).await;
    assert_eq!(world.told().await, ["acadre moved.out"], "the time begins anew");
}

#[tokio::test]
async fn a_change_after_the_end_comes_after_the_end() {
    let mut world = following().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    world.told().await;
    world.clock.advance(DAY * 31);
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.left FollowEnded"]);
}

#[tokio::test]
async fn who_is_seen_first_when_moving_away_enters_and_is_followed() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.follow_on_move = Some(DAY * 30)).await;
    let person = world.settle(HOME);
    world.register.load();
    world.poll().await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.entered FirstSeen", "acadre moved.out"]);
}

#[tokio::test]
async fn who_dies_while_followed_leaves_with_the_end_that_comes_first() {
    for (inactive, reason) in [(10, "Inactive"), (90, "FollowEnded")] {
        let mut world = World::new().await;
        world
            .subscribe("clients", "acadre", |form| {
                (form.follow_on_move, form.follow_inactive) = (Some(DAY * 30), DAY * inactive);
            })
            .await;
        world.poll().await;
        let person = world.known(HOME).await;
        world.register.move_to(&person, AWAY, world.today()).unwrap();
        world.import().await;
        world.register.die(&person, world.today()).unwrap();
        world.import().await;
        assert!(world.told().await.contains(&"acadre died".to_owned()));
        world.days(33).await;
        assert_eq!(world.told().await, [format!("acadre scope.left {reason}")]);
    }
}

#[tokio::test]
async fn a_protection_ends_the_following_for_who_is_denied() {
    let mut world = World::new().await;
    world
        .subscribe("clients", "acadre", |form| {
            (form.follow_on_move, form.protected_persons) = (Some(DAY * 30), ProtectedPersons::Deny);
        })
        .await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    world.told().await;
    world.register.protect(&person, NameAndAddress, world.today(), None).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre protection.started", "acadre scope.left Protected"]);
    world.days(40).await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn a_following_that_is_taken_from_the_spec_ends_with_the_change() {
    let mut world = following().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    world.told().await;
    world.subscribe("clients", "acadre", |form| form.follow_on_move = Some(DAY * 60)).await;
    world.work().await;
    world.days(40).await;
    assert_eq!(world.told().await, NOTHING, "the spec says for how long");
    world.subscribe("clients", "acadre", |form| form.follow_on_move = None).await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre scope.left SubscriptionChanged"]);
    assert_eq!(world.rows("subject").await, 0);
}

#[tokio::test]
async fn a_suspended_subscription_follows_on() {
    let mut world = following().await;
    let person = world.known(HOME).await;
    world.subscribe("clients", "acadre", |form| form.suspended = true).await;
    world.work().await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    world.subscribe("clients", "acadre", |form| form.suspended = false).await;
    world.work().await;
    assert_eq!(world.told().await, ["acadre snapshot"], "covered before and after");
    world.days(32).await;
    assert_eq!(world.told().await, ["acadre scope.left FollowEnded"]);
}

#[tokio::test]
async fn a_new_subscription_announces_whom_we_know_and_nobody_twice() {
    let mut world = World::ready().await;
    for _ in 0..3 {
        world.settle(HOME);
    }
    world.known(HOME).await;
    let elsewhere = world.settle(AWAY);
    world.import().await;
    world.told().await;
    let announcing = |form: &mut cpr_operator::domain::compiled::Subscription| form.announce = Announce::Snapshot;
    world.subscribe("pupils", "school", announcing).await;
    world.poll().await;
    world.restart();
    world.poll().await;
    assert_eq!(world.told().await, ["school snapshot"; 4]);
    assert_eq!((world.rows("announcing").await, world.rows("missed").await), (0, 0));

    world.register.move_to(&elsewhere, HOME, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    assert!(told.contains(&"school scope.entered Moved".to_owned()) && !told.contains(&"school snapshot".to_owned()));

    world.unsubscribe("pupils").await;
    world.work().await;
    world.subscribe("pupils", "school", announcing).await;
    world.work().await;
    world.subscribe("pupils", "school", |form| form.suspended = true).await;
    world.work().await;
    world.subscribe("pupils", "school", |form| form.suspended = false).await;
    world.poll().await;
    assert_eq!(world.told().await, NOTHING, "neither made again nor resumed");
}

#[tokio::test]
async fn a_subscription_that_announces_nobody_tells_of_who_comes() {
    let mut world = World::ready().await;
    world.known(HOME).await;
    world.subscribe("pupils", "school", |form| form.selector = living_in(&[HOME])).await;
    world.poll().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn an_announcement_waits_for_what_is_granted_and_not_held() {
    use cpr_operator::domain::field_group::FieldGroup::{Citizenship, Number};
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world
        .subscribe("pupils", "school", |form| {
            (form.announce, form.granted) = (Announce::Snapshot, super::world::groups(&[Number, Citizenship]));
        })
        .await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
    world.poll().await;
    assert_eq!(world.told().await, ["school snapshot"]);
    assert!(!world.stored(&person).await.unwrap().citizenships.is_empty());
}
