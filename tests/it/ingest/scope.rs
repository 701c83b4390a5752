//! Who is seen for the first time, who comes and goes, who hears of it, and who is not stored at all.

use std::time::Duration;

use cpr_operator::domain::change::DerivedFrom;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::event_type::{EventType, TypeSet};
use cpr_operator::simulate::datafordeler::Service;

use super::world::{AWAY, HOME, World, groups};

const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn somebody_who_lived_there_before_is_first_seen_and_the_rest_is_not_known() {
    let mut world = World::ready().await;
    let person = world.settle(HOME);
    world.import().await;
    let heard = world.heard().await;
    let words: Vec<_> = heard.iter().map(|heard| heard.words()).collect();
    assert_eq!(words, ["acadre scope.entered FirstSeen", "acadre changed"]);
    assert!(heard.iter().all(|heard| heard.person.as_ref() == Some(&person) && heard.subscriptions == ["clients"]));
    assert_eq!(heard[1].derived_from, DerivedFrom::Notice);
}

#[tokio::test]
async fn a_first_sight_tells_the_move_that_its_own_history_tells() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    let person = world.settle(AWAY);
    world.register.load();
    world.poll().await;
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let words: Vec<_> = heard.iter().map(|heard| heard.words()).collect();
    assert_eq!(words, ["acadre scope.entered Moved", "acadre moved.in"]);
    assert!(heard.iter().all(|heard| heard.derived_from == DerivedFrom::History));
}

#[tokio::test]
async fn a_first_sight_tells_a_new_name_beside_the_scope() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    let person = world.settle(HOME);
    world.register.load();
    world.poll().await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.entered FirstSeen", "acadre name.changed"]);
}

#[tokio::test]
async fn who_moves_out_unknown_is_told_and_gone() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    let person = world.settle(HOME);
    world.register.load();
    world.poll().await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"]);
}

#[tokio::test]
async fn who_moves_out_is_told_once_and_nothing_more() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"]);
    world.register.move_within(&person, world.today()).unwrap();
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn who_moves_out_together_with_another_change_is_told_of_the_move_only() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"]);
}

#[tokio::test]
async fn who_did_not_ask_for_moves_hears_only_of_the_scope() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.types = TypeSet::default()).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.left Moved"]);
}

#[tokio::test]
async fn whom_nobody_covers_is_not_stored() {
    let mut world = World::ready().await;
    let person = world.settle(AWAY);
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    assert_eq!(world.audited("fetch").await.len(), 1, "fetched, for the notice did not say from where they came");
    for table in ["person", "event", "route", "unread"] {
        assert_eq!(world.rows(table).await, 0, "{table}");
    }
    assert!(world.record(&person).await.is_none());
    for table in ["person_key", "identifier", "claim"] {
        assert_eq!(world.key_rows(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn both_hints_together_spare_a_fetch() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    let person = world.settle(AWAY);
    world.register.load();
    world.poll().await;
    world.register.move_within(&person, world.today()).unwrap();
    world.import().await;
    let asked = world.register.requests().iter().filter(|request| request.service == Service::Lookup).count();
    assert_eq!(asked, 0);
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.audited("fetch").await.len(), 1);
}

#[tokio::test]
async fn who_is_stored_is_fetched_whatever_the_hints_say() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    let before = world.audited("fetch").await.len();
    world.register.move_within(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.audited("fetch").await.len(), before + 1);
}

#[tokio::test]
async fn everyone_means_everyone() {
    let mut world = World::new().await;
    world.subscribe("all", "statistics", |form| form.selector = Selector::everyone()).await;
    world.poll().await;
    let person = world.settle(AWAY);
    world.import().await;
    assert_eq!(world.told().await, ["statistics scope.entered FirstSeen", "statistics changed"]);
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["statistics moved.within"]);
    world.register.emigrate(&person, "5110", world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["statistics moved.out", "statistics emigrated"]);
}

#[tokio::test]
async fn two_subscriptions_of_one_consumer_share_a_route() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.subscribe("everybody", "acadre", |form| form.selector = Selector::everyone()).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    assert_eq!(heard.iter().map(|heard| heard.words()).collect::<Vec<_>>(), ["acadre name.changed"]);
    assert_eq!(heard[0].subscriptions, ["clients", "everybody"]);
}

#[tokio::test]
async fn a_consumer_hears_a_move_as_each_of_its_subscriptions_sees_it() {
    let mut world = World::new().await;
    world.subscribe("aalborg", "acadre", |_| ()).await;
    world.subscribe("aarhus", "sbsys", |form| form.selector = super::world::living_in(&[AWAY])).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    assert_eq!(told, ["sbsys scope.entered Moved", "acadre moved.out", "sbsys moved.in", "acadre scope.left Moved"]);
}

#[tokio::test]
async fn two_consumers_hear_each_their_own() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.types = [EventType::NameChanged].into_iter().collect()).await;
    world.subscribe("movers", "sbsys", |form| form.types = [EventType::MovedWithin].into_iter().collect()).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.register.move_within(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["sbsys moved.within", "acadre name.changed"]);
}

#[tokio::test]
async fn who_comes_back_within_the_grace_is_the_same_record() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let record = world.record(&person).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    world.deliver().await;
    world.sweep().await;
    world.told().await;
    world.register.move_to(&person, HOME, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre scope.entered Moved", "acadre moved.in"]);
    assert_eq!(world.record(&person).await, record);
    world.pass(Duration::from_secs(30 * 24 * 3600)).await;
    world.deliver().await;
    world.sweep().await;
    assert!(world.row(&person).await.is_some(), "covered again, so nothing removes them");
}

#[tokio::test]
async fn types_whose_group_is_not_granted_are_not_told() {
    use cpr_operator::domain::field_group::FieldGroup::{Municipality, Number};
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |form| form.granted = groups(&[Number, Municipality])).await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    world.register.move_within(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.within"]);
}
