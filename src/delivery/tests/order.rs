//! Order of one person's events, whatever happens to them.

use std::collections::HashMap;

use super::receiver::{Answer, Receiver};
use super::world::{SEC, World};
use crate::domain::event_type::EventType;

#[tokio::test]
async fn an_event_becomes_one_signed_request_and_an_entry_in_the_record() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let seq = world.happen(person, EventType::AddressChanged, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    let got = receiver.events();
    assert_eq!(got.len(), 1);
    assert!(got[0].is_signed_by(&super::world::secret(1)));
    assert_eq!(got[0].headers["webhook-id"], got[0].json["id"].as_str().unwrap());
    assert_eq!(got[0].json["sequence"], format!("{seq:020}"));
    assert_eq!(got[0].json["source"], "/aalborg/datafordeler");
    assert_eq!(got[0].json["data"]["fields"]["Name"]["first"], "Testine");
    assert_eq!(world.watermarks(consumer).await, (seq, seq));
    assert!(world.parked(consumer).await.is_empty());
    assert_eq!(world.sending(consumer).await, "Delivering");
    let audited = world.audited("disclosure").await;
    assert_eq!(audited.len(), 1);
    assert_eq!(audited[0]["delivery"], got[0].json["id"]);
    assert_eq!(audited[0]["groups"], serde_json::json!(["Address", "Name"]));
    assert_eq!((&audited[0]["consumer"], &audited[0]["cvr"]), (&"aalborg/acadre".into(), &"12345678".into()));
    assert_eq!(audited[0]["purposes"], serde_json::json!(["case-work"]));
    assert_eq!(audited[0]["bases"], serde_json::json!(["GDPR-6-1-e"]));
    assert_eq!((&audited[0]["persons"], &audited[0]["attempt"]), (&1.into(), &1.into()));
    assert_eq!(audited[0]["outcome"], "Succeeded");
    let user_agent = concat!("cpr-operator/", env!("CARGO_PKG_VERSION"));
    assert_eq!(got[0].headers["user-agent"], user_agent);
    assert_eq!(got[0].headers["content-type"], "application/cloudevents+json; charset=utf-8");
    world.deliver().await;
    assert_eq!(receiver.events().len(), 1, "once is enough");
}

#[tokio::test]
async fn a_failed_event_holds_back_its_person_and_nobody_else() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(3, consumer).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let mut sent = Vec::new();
    for _ in 0..3 {
        for person in &people {
            sent.push(world.happen(*person, EventType::AddressChanged, to).await);
        }
    }
    let bad = sent[0];
    receiver.answer(move |got| Answer::Status(if got.sequence() == bad { 422 } else { 204 }));
    world.deliver().await;
    let held: Vec<i64> = vec![sent[3], sent[6]];
    let arrived = receiver.sequences();
    assert_eq!(arrived.len(), 7, "{arrived:?}");
    assert!(held.iter().all(|seq| !arrived.contains(seq)));
    assert_eq!(world.parked(consumer).await[0].first_seq, bad);
    assert_eq!(world.watermarks(consumer).await.1, sent[8]);
    receiver.answer(|_| Answer::Status(204));
    let late = world.happen(people[0], EventType::Died, to).await;
    world.deliver().await;
    assert_eq!(receiver.sequences().len(), 7, "not before its time");
    world.after(10 * SEC).await;
    assert_eq!(receiver.sequences()[7..], [bad, sent[3], sent[6], late]);
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn order_holds_for_each_person_under_random_failures() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(12, consumer).await;
    let chance = crate::delivery::chance::Chance::seeded(42);
    let mut expected: HashMap<usize, Vec<i64>> = HashMap::new();
    let dice = chance.clone();
    receiver.answer(move |_| Answer::Status(if dice.unit() < 0.3 { 400 } else { 204 }));
    for round in 0..15 {
        for (n, person) in people.iter().enumerate() {
            if chance.unit() < 0.5 {
                let seq = world.happen(*person, EventType::AddressChanged, &[(consumer, &[subscription])]).await;
                expected.entry(n).or_default().push(seq);
            }
        }
        world.after(SEC * (round % 4)).await;
        if round == 8 {
            world.restart();
        }
    }
    receiver.answer(|_| Answer::Status(204));
    for _ in 0..10 {
        world.after(120 * SEC).await;
    }
    let mut last: HashMap<String, Vec<i64>> = HashMap::new();
    for got in receiver.events() {
        let seen = last.entry(got.subject()).or_default();
        if !seen.contains(&got.sequence()) {
            seen.push(got.sequence());
        }
    }
    let mut arrived: Vec<Vec<i64>> = last.into_values().collect();
    let mut wanted: Vec<Vec<i64>> = expected.into_values().collect();
    arrived.sort();
    wanted.sort();
    assert_eq!(arrived, wanted);
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn the_end_of_a_subscription_is_told_outside_the_persons_queues() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    world.end_subscription(subscription).await;
    let seq = world.tell_end(consumer, subscription).await;
    receiver.answer(|_| Answer::Status(400));
    world.deliver().await;
    assert_eq!(world.watermarks(consumer).await.0, seq - 1, "not parked, so not passed");
    receiver.answer(|_| Answer::Status(204));
    world.after(10 * SEC).await;
    let got = receiver.events();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].bytes, got[1].bytes);
    assert_eq!(got[1].type_(), "subscription.ended");
    assert_eq!(got[1].json["data"]["reason"], "Deleted");
    assert!(got[1].json.get("subject").is_none());
    assert_eq!(world.watermarks(consumer).await.0, seq);
}
