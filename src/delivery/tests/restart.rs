//! What a new process does with what another left.

use super::receiver::{Answer, Received, Receiver};
use super::world::{MS, SEC, World};
use crate::delivery::Engine;
use crate::domain::event_type::EventType;
use crate::store;

const TYPE: EventType = EventType::AddressChanged;

#[tokio::test]
async fn only_what_was_not_recorded_is_sent_again() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(4, consumer).await;
    let mut sent = Vec::new();
    for person in &people {
        sent.push(world.happen(*person, TYPE, &[(consumer, &[subscription])]).await);
    }
    world.deliver().await;
    world.restart();
    sent.push(world.happen(people[0], TYPE, &[(consumer, &[subscription])]).await);
    world.deliver().await;
    assert_eq!(receiver.sequences().len(), 5);
    assert_eq!(receiver.sequences()[4], sent[4]);
}

#[tokio::test]
async fn another_process_sends_the_same_bytes_where_nothing_has_changed() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(400));
    world.deliver().await;
    world.restart();
    world.clock.advance(86_400 * SEC);
    world.deliver().await;
    let got = receiver.events();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].bytes, got[1].bytes);
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
    assert_ne!(got[0].headers["webhook-timestamp"], got[1].headers["webhook-timestamp"]);
    assert_ne!(got[0].headers["traceparent"], got[1].headers["traceparent"]);
}

#[tokio::test]
async fn what_was_recorded_above_the_watermark_is_not_sent_again() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    // In shard 0, as the event without a person that keeps its watermark down.
    let mut people = world.people(64, consumer).await;
    people.retain(|person| person.shard() == 0);
    world.end_subscription(subscription).await;
    let live = world.subscribe(consumer, "others", |_| {}).await;
    let stuck = world.tell_end(consumer, subscription).await;
    let mut others = Vec::new();
    for person in &people {
        others.push(world.happen(*person, TYPE, &[(consumer, &[live])]).await);
    }
    receiver.answer(move |got| Answer::Status(if got.type_() == "subscription.ended" { 400 } else { 204 }));
    world.deliver().await;
    assert_eq!(world.watermarks(consumer).await.0, stuck - 1, "shard 0 stays");
    receiver.forget();
    world.restart();
    receiver.answer(|_| Answer::Status(204));
    world.after(10 * SEC).await;
    assert_eq!(receiver.events().len(), 1);
    assert_eq!(receiver.events()[0].type_(), "subscription.ended");
}

#[tokio::test]
async fn who_was_parked_above_another_shards_watermark_is_not_passed_over() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let mut people = world.people(64, consumer).await;
    people.retain(|person| person.shard() != 0);
    world.end_subscription(subscription).await;
    let live = world.subscribe(consumer, "others", |_| {}).await;
    // In shard 0, whose watermark it keeps below all that follows.
    let stuck = world.tell_end(consumer, subscription).await;
    // More than are read at a time.
    for number in 0..300 {
        world.happen(people[1 + number % 20], TYPE, &[(consumer, &[live])]).await;
    }
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(world.happen(people[0], TYPE, &[(consumer, &[live])]).await);
    }
    let first = sent[0];
    let refuses = move |got: &Received| got.type_() == "subscription.ended" || got.sequence() >= first;
    receiver.answer(move |got| Answer::Status(if refuses(got) { 400 } else { 204 }));
    world.deliver().await;
    assert_eq!(world.watermarks(consumer).await.0, stuck - 1);
    assert_eq!(world.parked(consumer).await.len(), 1);
    receiver.forget();
    receiver.answer(|_| Answer::Status(204));
    world.restart();
    // The wait is over before the new process has read anything.
    world.after(3600 * SEC).await;
    let received: Vec<i64> =
        receiver.events().iter().filter(|got| got.type_() != "subscription.ended").map(|got| got.sequence()).collect();
    assert_eq!(received, sent);
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn a_worker_that_lost_its_lanes_changes_nothing_and_sends_nothing_more() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    let mut tx = world.store.main.begin().await.unwrap();
    store::lane::take(&mut tx, consumer, "another").await.unwrap();
    tx.commit().await.unwrap();
    let lanes = world.watermarks(consumer).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(422));
    let engine = world.engine.as_mut().unwrap();
    engine.run_once().await.unwrap();
    assert_eq!(world.watermarks(consumer).await, lanes);
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_durable_that_it_may_have_been() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    let store = world.store.clone();
    let (sender, mut taken) = tokio::sync::mpsc::unbounded_channel();
    receiver.answer(move |_| {
        let (store, sender) = (store.clone(), sender.clone());
        tokio::spawn(async move {
            let mut conn = store.main.read().await.unwrap();
            let lanes = store::lane::read(&mut conn, consumer).await.unwrap();
            sender.send(lanes.iter().map(|lane| lane.taken).min().unwrap()).unwrap();
        });
        Answer::Status(204)
    });
    world.deliver().await;
    assert!(taken.recv().await.unwrap() >= seq);
}

#[tokio::test]
async fn what_a_dead_process_may_have_sent_is_withdrawn_as_unknown() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |form| form.delivery.timeout = 3600 * SEC).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Hang);
    let mut engine = Engine::start(world.context.clone());
    let hanging = tokio::spawn(async move { engine.run_once().await });
    while receiver.events().is_empty() {
        tokio::time::sleep(MS).await;
    }
    hanging.abort();
    world.end_subscription(subscription).await;
    world.deliver().await;
    let audited = world.audited("event.withdrawn").await;
    assert_eq!(audited.len(), 1);
    assert_eq!(
        (audited[0]["outcome"].as_str(), audited[0]["class"].as_str()),
        (Some("Unknown"), Some("SubscriptionEnded"))
    );
}

#[tokio::test]
async fn until_it_has_been_told_of_secrets_a_new_process_says_nothing_else_than_the_old_one() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, _) = world.consumer("acadre", &receiver, |_| {}).await;
    world.deliver().await;
    let before = world.state(consumer).await;
    assert_eq!(world.sending(consumer).await, "Delivering");
    world.context.signing = crate::delivery::credentials::SigningBook::default();
    world.restart();
    world.deliver().await;
    assert_eq!(world.state(consumer).await, before);
    world.context.signing.set(&world.consumers[&consumer].key, None);
    world.deliver().await;
    assert_eq!(world.sending(consumer).await, "WaitingForSecret");
}
