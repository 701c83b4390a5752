//! What is granted decides what is asked for and kept; and what delivery asks of ingest.

use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::field_group::FieldGroup::{Address, Citizenship, Name, Number, Status};
use cpr_operator::domain::field_group::GroupSet;
use cpr_operator::domain::grant::{Allowance, Places};
use cpr_operator::domain::municipality::Municipality;
use cpr_operator::store;

use super::world::{AWAY, HOME, World, groups};

const NOTHING: [&str; 0] = [];

async fn grant(world: &mut World, granted: GroupSet) {
    world.subscribe("clients", "acadre", |form| form.granted = granted).await;
}

#[tokio::test]
async fn what_is_not_granted_is_neither_asked_for_nor_kept() {
    let mut world = World::new().await;
    grant(&mut world, groups(&[Number, Name])).await;
    world.poll().await;
    let person = world.known(HOME).await;
    let row = world.row(&person).await.unwrap();
    assert_eq!(row.held, GroupSet::ALWAYS_HELD.with(Name));
    let stored = world.stored(&person).await.unwrap();
    assert_eq!((stored.names.len(), stored.citizenships.len(), stored.civil_statuses.len()), (1, 0, 0));
    assert!(stored.addresses[0].value.road_name.is_none() && stored.addresses[0].value.municipality().is_some());
    let asked = &world.audited("fetch").await[0]["groups"];
    let mut expected = GroupSet::ALWAYS_HELD.with(Name).names();
    expected.sort();
    assert_eq!(*asked, serde_json::json!(expected));
}

#[tokio::test]
async fn a_widened_grant_fetches_again_without_events() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    assert!(world.stored(&person).await.unwrap().citizenships.is_empty());
    let fetched = world.audited("fetch").await.len();
    grant(&mut world, groups(&[Number, Status, Name, Address, Citizenship])).await;
    world.poll().await;
    assert_eq!(world.told().await, NOTHING);
    assert_eq!(world.stored(&person).await.unwrap().citizenships.len(), 1);
    assert_eq!(world.audited("fetch").await.len(), fetched + 1);
    world.poll().await;
    assert_eq!(world.audited("fetch").await.len(), fetched + 1, "once");
    world.register.change_citizenship(&person, "5110", world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre citizenship.changed"]);
}

#[tokio::test]
async fn a_widened_grant_fetches_more_than_one_batch_without_waiting_for_the_next_reading() {
    let mut world = World::ready().await;
    for _ in 0..5 {
        world.settle(HOME);
    }
    world.import().await;
    world.set_up(|context| context.settings.batch = 2);
    let before = world.audited("fetch").await.len();
    grant(&mut world, groups(&[Number, Citizenship])).await;
    world.poll().await;
    assert_eq!(world.audited("fetch").await.len(), before + 3);
}

#[tokio::test]
async fn a_narrowed_grant_removes_what_is_no_longer_granted() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    assert_eq!(world.stored(&person).await.unwrap().names.len(), 1);
    let fetched = world.audited("fetch").await.len();
    grant(&mut world, groups(&[Number])).await;
    world.work().await;
    let stored = world.stored(&person).await.unwrap();
    assert!(stored.names.is_empty() && stored.addresses[0].value.road_name.is_none());
    assert_eq!((stored.held, stored.held), (GroupSet::ALWAYS_HELD, world.row(&person).await.unwrap().held));
    world.poll().await;
    assert_eq!((world.told().await.len(), world.audited("fetch").await.len()), (0, fetched));
}

#[tokio::test]
async fn who_is_covered_no_more_is_kept_without_content() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    let stored = world.stored(&person).await.unwrap();
    assert!(stored.names.is_empty());
    assert_eq!(stored.held, GroupSet::ALWAYS_HELD);
}

#[tokio::test]
async fn a_snapshot_that_is_asked_for_is_told_to_who_asked() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.subscribe("pupils", "school", |_| ()).await;
    world.poll().await;
    let (here, gone) = (world.known(HOME).await, world.known(HOME).await);
    world.register.move_to(&gone, AWAY, world.today()).unwrap();
    world.import().await;
    world.told().await;
    let records = [world.record(&here).await.unwrap(), world.record(&gone).await.unwrap()];
    let mut tx = world.store.main.begin().await.unwrap();
    store::request::ask(&mut tx, world.consumer_id("school"), &records, world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    world.work().await;
    let heard = world.heard().await;
    assert_eq!(heard.iter().map(|heard| heard.words()).collect::<Vec<_>>(), ["school snapshot"]);
    assert_eq!((heard[0].person.clone(), world.rows("request").await), (Some(here), 0));
}

#[tokio::test]
async fn each_request_to_the_register_is_recorded_with_as_many_subjects() {
    let mut world = World::ready().await;
    for _ in 0..3 {
        world.settle(HOME);
    }
    world.import().await;
    let entries = world.audited("fetch").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["persons"], 3);
    assert_eq!(entries[0]["resource"]["name"], "datafordeler");
    let asked: Vec<usize> =
        world.register.requests().iter().filter(|request| request.by.is_some()).map(|r| r.ids).collect();
    assert_eq!(asked, [3]);
}

#[tokio::test]
async fn a_grant_of_the_source_that_is_taken_away_ends_all_and_comes_back_as_a_wider_selection() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let mut whole = None;
    world
        .subscribe("clients", "acadre", |form| {
            let cut = form.cut_to(Allowance::Nothing);
            whole = Some(std::mem::replace(form, cut));
        })
        .await;
    world.poll().await;
    world.told().await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    let fetched = world.audited("fetch").await.len();
    world.settle(HOME);
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    assert_eq!(world.audited("fetch").await.len(), fetched + 1, "who is stored is followed, nobody else is asked for");
    world.subscribe("clients", "acadre", |form| *form = whole.unwrap()).await;
    world.poll().await;
    assert_eq!(world.told().await, ["acadre scope.entered SubscriptionChanged"]);
}

#[tokio::test]
async fn a_grant_with_municipalities_covers_whoever_lives_there_however_they_are_selected() {
    let mut world = World::new().await;
    let home = [Municipality::parse(HOME).unwrap()].into();
    world
        .subscribe("clients", "acadre", |form| {
            (form.selector, form.places) = (Selector::everyone(), Places::Within(home));
        })
        .await;
    world.poll().await;
    let person = world.known(HOME).await;
    world.settle(AWAY);
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert!(world.told().await.contains(&"acadre scope.left Moved".to_owned()));
}
