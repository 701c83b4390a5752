//! Registers whose open names turned out otherwise.

use cpr_operator::domain::field_group::FieldGroup;
use cpr_operator::simulate::datafordeler::{Names, Service};

use super::world::{AWAY, HOME, World};

#[tokio::test]
async fn a_register_with_other_names_is_understood() {
    let mut world = World::with(Names::Other).await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.poll().await;
    let (person, _) = (world.settle(HOME), world.settle(HOME));
    world.import().await;
    assert_eq!(world.told().await.len(), 4);
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"]);
    assert!(world.state().await.schema.unwrap().read);
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn a_register_that_is_asked_for_one_at_a_time_is_recorded_so() {
    let mut world = World::with(Names::Other).await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.poll().await;
    for _ in 0..3 {
        world.settle(HOME);
    }
    world.import().await;
    let asked =
        world.register.requests().into_iter().filter(|request| request.service == Service::Lookup && request.ids > 0);
    let recorded: Vec<_> = world.audited("fetch").await.iter().map(|entry| entry["persons"].clone()).collect();
    assert_eq!((recorded, asked.count()), (vec![serde_json::json!(1); 3], 3));
}

#[tokio::test]
async fn a_register_that_offers_fewer_groups_gives_the_others() {
    let mut world = World::with(Names::Fewer).await;
    world.subscribe("clients", "acadre", |form| form.granted = form.granted.with(FieldGroup::MunicipalNotes)).await;
    world.poll().await;
    let person = world.known(HOME).await;
    let offered = world.state().await.schema.unwrap().offered;
    for group in [FieldGroup::MunicipalNotes, FieldGroup::MunicipalConditions, FieldGroup::Guardianship] {
        assert!(!offered.contains(group), "{group:?}");
    }
    assert!(offered.contains(FieldGroup::Address));
    let row = world.row(&person).await.unwrap();
    assert!(!row.refetch && !row.held.contains(FieldGroup::MunicipalNotes));
    let fetched = world.audited("fetch").await.len();
    world.subscribe("clients", "acadre", |form| form.granted = form.granted.with(FieldGroup::Guardianship)).await;
    world.poll().await;
    assert_eq!(world.audited("fetch").await.len(), fetched, "what is not offered is not sought");
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);
}

#[tokio::test]
async fn without_a_lookup_by_person_id_those_who_are_stored_are_found_by_number() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    assert_eq!(world.state().await.lookup_by_person_id, Some(true));

    let twin = world.twin(Names::WithoutPersonId).await;
    assert_eq!(twin.settle(HOME, super::world::LONG_AGO).unwrap(), person);
    twin.load();
    twin.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    twin.settle(HOME, super::world::LONG_AGO).unwrap();
    world.go_over_to(twin);
    let before = world.audited("fetch").await.len();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"]);
    assert_eq!(world.state().await.lookup_by_person_id, Some(false));
    let entries = world.audited("fetch").await;
    assert_eq!(entries.len(), before + 1);
    assert_eq!(entries.last().unwrap()["persons"], 1, "who is not known by number was not asked for");
}
