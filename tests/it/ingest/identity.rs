//! Who is who: entries that turn out to be one person, that part again, and that must never be taken for one.

use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::field_group::FieldGroup;
use cpr_operator::domain::identifier::CprNumber;
use cpr_operator::simulate::datafordeler::Service;

use super::world::{AWAY, HOME, World, living_in, realm};

/// Two persons known in [`HOME`], the second of whom is a double of the first.
async fn doubles(world: &mut World) -> (String, String) {
    (world.known(HOME).await, world.known(HOME).await)
}

fn number(world: &World, person: &str) -> CprNumber {
    CprNumber::parse(&world.register.citizen(person).unwrap().number).unwrap()
}

#[tokio::test]
async fn a_person_under_another_person_id_keeps_the_reference() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let record = world.record(&person).await;
    let new = world.register.another_person_id(&person).unwrap();
    world.import().await;
    let heard = world.heard().await;
    assert_eq!(heard.iter().map(|heard| heard.words()).collect::<Vec<_>>(), ["acadre person.merged"]);
    assert_eq!((Some(heard[0].record), heard[0].joined), (record, None));
    assert!(heard[0].changed.contains(FieldGroup::PersonId));
    assert_eq!(world.record(&new).await, record);
    assert_eq!((world.feed().await.as_str(), world.rows("person").await), ("Healthy", 1));

    world.register.move_to(&new, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre moved.out", "acadre scope.left Moved"]);
}

#[tokio::test]
async fn a_merge_of_two_known_persons_names_the_other_record_after_its_last_events() {
    let mut world = World::ready().await;
    let (survivor, double) = doubles(&mut world).await;
    let records = (world.record(&survivor).await.unwrap(), world.record(&double).await.unwrap());
    let old = number(&world, &double);
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let words: Vec<_> = heard.iter().map(|heard| (heard.words(), heard.record)).collect();
    let expected = [
        ("acadre changed".to_owned(), records.1),
        ("acadre scope.left Inactive".to_owned(), records.1),
        ("acadre person.merged".to_owned(), records.0),
    ];
    assert_eq!(words, expected);
    assert_eq!((heard[2].joined, heard[2].number_before.as_ref()), (Some(records.1), Some(&old)));
    assert!(
        world.measured().contains(r#"cpr_ingest_identities_total{source="aalborg/datafordeler",outcome="merged"} 1"#)
    );

    for again in [&double, &survivor] {
        world.register.notice_without_change(again).unwrap();
    }
    world.import().await;
    assert_eq!(world.told().await, [""; 0], "it is told once");
}

#[tokio::test]
async fn a_merge_is_told_once_however_its_notices_are_cut_into_batches() {
    let mut world = World::ready().await;
    world.set_up(|context| context.settings.batch = 1);
    for _ in 0..4 {
        let (survivor, double) = doubles(&mut world).await;
        world.register.merge(&double, &survivor, world.today()).unwrap();
        world.import().await;
        let told = world.told().await;
        assert_eq!(told, ["acadre changed", "acadre scope.left Inactive", "acadre person.merged"]);
    }
}

#[tokio::test]
async fn each_hears_of_a_merge_what_concerns_their_own() {
    let mut world = World::new().await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.subscribe("away", "fagsystem", |form| form.selector = living_in(&[AWAY])).await;
    world.poll().await;
    let (survivor, double) = (world.known(AWAY).await, world.known(HOME).await);
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    let told = world.told().await;
    assert_eq!(told, ["acadre changed", "acadre scope.left Inactive", "fagsystem person.merged"]);
}

#[tokio::test]
async fn a_closed_person_whose_survivor_was_not_known_goes_on_wherever_the_survivor_lives() {
    let mut world = World::ready().await;
    let survivor = world.settle(AWAY);
    let double = world.known(HOME).await;
    assert!(world.row(&survivor).await.is_none());
    let (record, old) = (world.record(&double).await.unwrap(), number(&world, &double));
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    assert!(heard.iter().all(|heard| heard.record == record));
    let words: Vec<_> = heard.iter().map(|heard| heard.words()).collect();
    assert_eq!(words, ["acadre moved.out", "acadre scope.left Moved"]);
    assert_eq!(world.record(&survivor).await, Some(record));

    world.register.move_to(&survivor, HOME, world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    assert!(heard.iter().all(|heard| heard.record == record), "the reference stays");
    assert!(world.stored(&survivor).await.unwrap().numbers.iter().any(|row| row.value.0 == old));
}

#[tokio::test]
async fn a_merge_that_carries_the_record_over_is_told_as_such_and_not_as_a_new_number() {
    let mut world = World::ready().await;
    let double = world.known(HOME).await;
    let survivor = world.settle(HOME);
    world.register.lose_import();
    world.register.merge(&double, &survivor, world.today()).unwrap();
    let (record, old) = (world.record(&double).await.unwrap(), number(&world, &double));
    world.import().await;
    let heard = world.heard().await;
    let merged: Vec<_> = heard.iter().filter(|heard| heard.type_ == EventType::PersonMerged).collect();
    assert_eq!((merged.len(), merged[0].record, merged[0].joined), (1, record, None));
    assert_eq!(merged[0].number_before.as_ref(), Some(&old));
    assert!(heard.iter().all(|heard| heard.type_ != EventType::NumberChanged), "one change, one event");
}

#[tokio::test]
async fn a_survivor_is_asked_for_by_number_when_only_the_closed_one_is_told_of() {
    let mut world = World::ready().await;
    let (survivor, double) = doubles(&mut world).await;
    let record = world.record(&double).await;
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.register.lose_import();
    world.poll().await;
    world.register.notice_without_change(&double).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let merged: Vec<_> = heard.iter().filter(|heard| heard.type_ == EventType::PersonMerged).collect();
    assert_eq!((merged.len(), merged[0].person.as_deref(), merged[0].joined), (1, Some(&*survivor), record));
}

#[tokio::test]
async fn a_merge_of_two_known_persons_that_is_undone_leaves_two_persons() {
    let mut world = World::ready().await;
    let (survivor, double) = doubles(&mut world).await;
    let records = (world.record(&survivor).await, world.record(&double).await);
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    world.heard().await;
    world.register.split(&double, &survivor).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let back =
        heard.iter().filter(|heard| Some(heard.record) == records.1).map(|heard| heard.type_).collect::<Vec<_>>();
    assert_eq!(back.first(), Some(&EventType::ScopeEntered), "{heard:?}");
    let other: Vec<_> = heard.iter().filter(|heard| Some(heard.record) == records.0).map(|heard| heard.type_).collect();
    assert_eq!(other, [EventType::Changed]);
    assert_eq!((world.record(&survivor).await, world.record(&double).await), records);
    assert_eq!(world.feed().await, "Healthy");

    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    assert!(world.told().await.contains(&"acadre person.merged".to_owned()), "and it can happen again");
}

#[tokio::test]
async fn a_merge_that_carried_a_record_over_and_is_undone_gives_the_closed_one_a_record_of_its_own() {
    let mut world = World::ready().await;
    let double = world.known(HOME).await;
    let survivor = world.settle(HOME);
    world.register.lose_import();
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    world.heard().await;
    let record = world.record(&survivor).await;
    assert_eq!(world.record(&double).await, record);

    world.register.split(&double, &survivor).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let other = world.record(&double).await;
    assert!(other.is_some() && other != record && world.record(&survivor).await == record);
    let told: Vec<_> = heard.iter().filter(|heard| Some(heard.record) == other).map(|heard| heard.words()).collect();
    assert_eq!(told[0], "acadre scope.entered FirstSeen");
    let name = |person: &cpr_operator::domain::person::Person| person.names.last().unwrap().value.full();
    let (one, two) = (world.stored(&survivor).await.unwrap(), world.stored(&double).await.unwrap());
    assert!(one.id != two.id && name(&one) != name(&two));
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn two_numbers_at_once_are_one_change_when_they_begin_and_none_of_number_when_the_first_ends() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let record = world.record(&person).await;
    world.register.second_number(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre number.changed"]);
    world.register.notice_without_change(&person).unwrap();
    world.import().await;
    assert_eq!(world.told().await, [""; 0]);
    assert_eq!(world.record(&person).await, record);
    assert_eq!(world.key_rows("identifier").await, 3);
}

#[tokio::test]
async fn a_number_that_changes_and_changes_back_is_told_both_times() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let (record, first) = (world.record(&person).await, number(&world, &person));
    world.register.change_number(&person, world.today()).unwrap();
    world.import().await;
    world.days(1).await;
    world.register.former_number(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre number.changed"; 2]);
    assert_eq!((world.record(&person).await, number(&world, &person)), (record, first));
}

#[tokio::test]
async fn two_who_claim_one_number_stay_apart_and_that_is_said() {
    let mut world = World::ready().await;
    let holder = world.known(HOME).await;
    let record = world.record(&holder).await;
    let stored = world.stored(&holder).await.unwrap();
    let other = world.settle(HOME);
    world.register.claim_number(&other, &holder, world.today()).unwrap();
    let bystander = world.settle(HOME);
    world.import().await;
    let heard = world.heard().await;
    assert!(heard.iter().all(|heard| Some(heard.record) != record), "nothing is told of the holder");
    assert!(heard.iter().any(|heard| heard.person.as_deref() == Some(&*bystander)));
    assert_ne!(world.record(&other).await, record);
    assert!(world.stored(&holder).await.unwrap() == stored);
    let state = world.state().await;
    assert_eq!((state.feed.unwrap().reason.as_str(), state.apart), ("IdentitiesDoubtful", 1));
    assert!(world.measured().contains(r#"outcome="apart"} 1"#));

    world.register.notice_without_change(&other).unwrap();
    world.import().await;
    assert_eq!(world.feed().await, "IdentitiesDoubtful", "it lasts while both claim it");
    world.register.merge(&holder, &other, world.today()).unwrap();
    world.import().await;
    let told = world.heard().await;
    assert!(told.iter().any(|heard| heard.type_ == EventType::PersonMerged && heard.joined == record), "{told:?}");
    assert_eq!(world.feed().await, "Healthy");
}

#[tokio::test]
async fn a_number_that_is_given_to_another_after_its_person_vanished_joins_nobody() {
    let mut world = World::ready().await;
    let first = world.known(HOME).await;
    let record = world.record(&first).await;
    let other = world.settle(HOME);
    world.register.claim_number(&other, &first, world.today()).unwrap();
    world.register.vanish(&first).unwrap();
    world.import().await;
    let heard = world.heard().await;
    assert!(!heard.is_empty() && heard.iter().all(|heard| Some(heard.record) != record));
    assert_ne!(world.record(&other).await, record);
    assert!(["IdentitiesDoubtful", "PersonsVanished"].contains(&world.feed().await.as_str()));
}

#[tokio::test]
async fn a_person_whose_other_entry_cannot_be_read_waits_rather_than_being_guessed() {
    use cpr_operator::simulate::datafordeler::Fault;
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let record = world.record(&person).await;
    let new = world.register.another_person_id(&person).unwrap();
    world.register.load();
    let broken = Fault::Replace { member: "status".into(), value: serde_json::json!({}), person: None };
    world.register.faults().set_for(broken, Some(&[Service::Lookup]), None);
    world.poll().await;
    assert_eq!((world.told().await.len(), world.record(&new).await), (0, None));
    world.register.faults().clear();
    world.poll().await;
    assert_eq!(world.told().await, ["acadre person.merged"]);
    assert_eq!(world.record(&new).await, record);
}

#[tokio::test]
async fn a_suspended_subscription_learns_of_a_merge_when_it_goes_on() {
    let mut world = World::ready().await;
    let (survivor, double) = doubles(&mut world).await;
    world.subscribe("clients", "acadre", |form| form.suspended = true).await;
    world.poll().await;
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, [""; 0]);
    world.subscribe("clients", "acadre", |form| form.suspended = false).await;
    world.poll().await;
    let mut told = world.told().await;
    told.sort();
    assert_eq!(told, ["acadre scope.left SubscriptionChanged", "acadre snapshot"]);
}

#[tokio::test]
async fn a_closed_record_goes_when_all_of_it_is_delivered_and_its_number_leads_to_the_survivor_then() {
    let mut world = World::ready().await;
    let (survivor, double) = doubles(&mut world).await;
    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    world.days(8).await;
    world.sweep().await;
    assert!(world.row(&double).await.is_some(), "what was not delivered keeps it");
    world.deliver().await;
    world.sweep().await;
    assert!(world.row(&double).await.is_none() && world.row(&survivor).await.is_some());
    world.heard().await;
    world.register.notice_without_change(&double).unwrap();
    world.register.rename(&survivor, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed"], "the closed entry is not taken for somebody new");
    assert_eq!(world.rows("person").await, 1);
}

#[tokio::test]
async fn a_list_that_names_a_closed_entry_names_the_survivor_from_then_on() {
    use cpr_operator::domain::subject::Origin;
    use cpr_operator::store::subject::{self, SubjectRow};
    let mut world = World::ready().await;
    let list =
        world.subscribe("list", "fagsystem", |form| form.selector = Selector { listed: true, ..living_in(&[]) }).await;
    world.poll().await;
    let (survivor, double) = doubles(&mut world).await;
    let records = (world.record(&survivor).await.unwrap(), world.record(&double).await.unwrap());
    let row = SubjectRow { subscription: list, record: records.1, origin: Origin::Managed };
    let mut tx = world.store.main.begin().await.unwrap();
    subject::write(&mut tx, world.source, &[row], world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();

    world.register.merge(&double, &survivor, world.today()).unwrap();
    world.import().await;
    let heard = world.heard().await;
    let theirs: Vec<_> = heard.iter().filter(|heard| heard.consumer == "fagsystem").collect();
    let words: Vec<_> = theirs.iter().map(|heard| (heard.words(), heard.record)).collect();
    let expected = [
        ("fagsystem changed".to_owned(), records.1),
        ("fagsystem scope.left Inactive".to_owned(), records.1),
        ("fagsystem scope.entered Listed".to_owned(), records.0),
        ("fagsystem person.merged".to_owned(), records.0),
    ];
    assert_eq!(words, expected);
    let mut conn = world.store.main.read().await.unwrap();
    assert_eq!(subject::page(&mut conn, list, None, 10).await.unwrap(), [records.0]);
    drop(conn);
    let number = number(&world, &double);
    let led = world.store.keys.find_numbers(&realm(), std::slice::from_ref(&number)).await.unwrap();
    assert_eq!(led.get(&number), Some(&records.0), "the number is looked for under the survivor");

    world.register.split(&double, &survivor).unwrap();
    world.import().await;
    world.heard().await;
    let led = world.store.keys.find_numbers(&realm(), std::slice::from_ref(&number)).await.unwrap();
    assert_eq!(led.get(&number), Some(&records.1), "and is their own again");
}
