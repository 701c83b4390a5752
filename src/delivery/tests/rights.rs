//! What may be told is decided when it is sent.

use super::receiver::{Answer, Receiver};
use super::world::{GRANTED, SEC, World};
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::resource::ProtectedPersons;

const TYPE: EventType = EventType::AddressChanged;

#[tokio::test]
async fn an_event_of_an_ended_subscription_is_withdrawn_and_recorded() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.end_subscription(subscription).await;
    world.deliver().await;
    assert!(receiver.all().is_empty());
    assert_eq!(world.watermarks(consumer).await.0, seq);
    let audited = world.audited("event.withdrawn").await;
    assert_eq!(audited.len(), 1);
    assert_eq!(
        (audited[0]["outcome"].as_str(), audited[0]["class"].as_str()),
        (Some("Succeeded"), Some("SubscriptionEnded"))
    );
    assert_eq!((&audited[0]["cvr"], &audited[0]["persons"]), (&"12345678".into(), &1.into()));
    assert_eq!(audited[0]["purposes"], serde_json::json!(["case-work"]));
    assert!(audited[0].get("groups").is_none(), "nothing was given");
    assert!(world.audited("disclosure").await.is_empty());
}

#[tokio::test]
async fn a_parked_event_is_withdrawn_when_its_subscription_ends() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(400));
    world.deliver().await;
    world.end_subscription(subscription).await;
    world.after(60 * SEC).await;
    assert_eq!(receiver.events().len(), 1);
    assert!(world.parked(consumer).await.is_empty());
    assert_eq!(world.audited("event.withdrawn").await.len(), 1);
}

#[tokio::test]
async fn everything_of_an_ended_consumer_is_withdrawn() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.end_consumer(consumer).await;
    world.deliver().await;
    assert!(receiver.all().is_empty());
    assert_eq!(world.watermarks(consumer).await.0, seq);
    assert_eq!(world.audited("event.withdrawn").await[0]["class"], "ConsumerEnded");
}

#[tokio::test]
async fn protection_that_began_after_the_event_masks_it() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(400));
    world.deliver().await;
    world.protect(person, true).await;
    world.after(10 * SEC).await;
    world.protect(person, false).await;
    world.after(30 * SEC).await;
    let got = receiver.events();
    assert_eq!(got.len(), 3);
    assert_eq!(got[0].json["id"], got[1].json["id"]);
    assert!(got[0].json["data"]["fields"]["Address"].is_object());
    assert_eq!(got[1].json["data"]["withheld"], serde_json::json!(["Address", "Name"]));
    assert!(!String::from_utf8_lossy(&got[1].bytes).contains("Prøvevej"));
    assert_eq!(got[1].bytes, got[2].bytes, "once less was given, no attempt gives more");
}

#[tokio::test]
async fn a_body_is_the_same_bytes_in_each_attempt_whatever_is_granted_meanwhile() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(400));
    world.deliver().await;
    world.change_subscription(subscription, |form| form.fields = GRANTED).await;
    world.after(10 * SEC).await;
    let got = receiver.events();
    assert_eq!(got[0].bytes, got[1].bytes);
    world.change_consumer(consumer, |form| form.fields = GroupSet::of(&[FieldGroup::Address])).await;
    world.after(30 * SEC).await;
    let fields = receiver.events()[2].json["data"]["fields"].clone();
    assert!(fields["Address"].is_object() && fields.get("Name").is_none());
}

#[tokio::test]
async fn protection_that_began_after_the_event_was_read_into_memory_masks_it() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |form| form.suspended = true).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    world.protect(person, true).await;
    world.change_consumer(consumer, |form| form.suspended = false).await;
    world.deliver().await;
    let got = receiver.events();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].json["data"]["protection"]["nameAndAddress"], true);
    assert_eq!(got[0].json["data"]["withheld"], serde_json::json!(["Address", "Name"]));
    assert!(!String::from_utf8_lossy(&got[0].bytes).contains("Prøvevej"));
}

#[tokio::test]
async fn an_event_that_a_new_rule_forbids_is_withdrawn() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) =
        world.consumer("acadre", &receiver, |form| form.protected_persons = ProtectedPersons::Deny).await;
    let person = world.person(1, &[consumer]).await;
    world.protect(person, true).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.happen(person, EventType::ProtectionStarted, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert_eq!(receiver.events().len(), 1);
    assert_eq!(receiver.events()[0].type_(), "protection.started");
    assert_eq!(world.audited("event.withdrawn").await[0]["class"], "Protected");
}

#[tokio::test]
async fn events_of_a_suspended_subscription_wait_in_order_for_its_resume() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let first = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    let second = world.happen(person, EventType::Died, &[(consumer, &[subscription])]).await;
    world.change_subscription(subscription, |form| form.suspended = true).await;
    world.deliver().await;
    assert!(receiver.all().is_empty());
    world.restart();
    world.change_subscription(subscription, |form| form.suspended = false).await;
    world.deliver().await;
    assert_eq!(receiver.sequences(), [first, second]);
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn a_suspended_consumer_gets_nothing_and_everything_in_order_on_resume() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |form| form.suspended = true).await;
    let person = world.person(1, &[consumer]).await;
    let mut sent = Vec::new();
    for _ in 0..40 {
        sent.push(world.happen(person, TYPE, &[(consumer, &[subscription])]).await);
    }
    world.deliver().await;
    assert!(receiver.all().is_empty());
    assert_eq!(world.sending(consumer).await, "Suspended");
    world.change_consumer(consumer, |form| form.suspended = false).await;
    world.deliver().await;
    assert_eq!(receiver.sequences(), sent);
    assert_eq!(world.sending(consumer).await, "Delivering");
}

#[tokio::test]
async fn a_person_without_a_claim_is_withdrawn_as_erased() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert!(receiver.all().is_empty());
    assert_eq!(world.audited("event.withdrawn").await[0]["class"], "Erased");
}

#[tokio::test]
async fn events_that_wait_for_half_of_their_retention_are_warned_of() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |form| form.suspended = true).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.after(359 * 3600 * SEC).await;
    assert!(!world.state(consumer).await.backlog_expiring);
    world.after(3601 * SEC).await;
    assert!(world.state(consumer).await.backlog_expiring);
    world.change_consumer(consumer, |form| form.suspended = false).await;
    world.deliver().await;
    assert!(!world.state(consumer).await.backlog_expiring);
}

#[tokio::test]
async fn what_a_silent_consumer_did_not_take_in_time_is_one_visible_range_and_a_gap_for_each_person() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let people = world.people(30, consumer).await;
    receiver.answer(|_| Answer::Status(500));
    for person in &people {
        world.happen(*person, TYPE, to).await;
        world.happen(*person, TYPE, to).await;
    }
    world.deliver().await;
    world.after(719 * 3600 * SEC).await;
    assert_eq!(world.dead_letters(consumer).await, 0);
    let late = world.happen(people[3], EventType::Died, to).await;
    world.after(3700 * SEC).await;
    assert_eq!(world.dead_letters(consumer).await, 60);
    assert_eq!(world.asked_snapshots().await.len(), 30);
    let expired = world.audited("event.withdrawn").await;
    assert!(expired.len() == 60 && expired.iter().all(|entry| entry["class"] == "Expired"));
    receiver.forget();
    receiver.answer(|_| Answer::Status(204));
    world.after(3600 * SEC).await;
    assert_eq!(receiver.sequences(), [late]);
    assert_eq!(receiver.events()[0].json["gapbefore"], true);
    assert!(!world.state(consumer).await.backlog_expiring);
}
