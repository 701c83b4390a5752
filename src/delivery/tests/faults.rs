//! Whose fault a failure is, and what it costs whom.

use super::receiver::{Answer, Receiver};
use super::world::{SEC, World};
use crate::domain::event_type::EventType;
use crate::store::parked::ParkedState;

const TYPE: EventType = EventType::AddressChanged;

#[tokio::test]
async fn refusals_to_everyone_open_the_circuit_and_spend_no_budget() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(30, consumer).await;
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    receiver.answer(|_| Answer::Status(401));
    world.deliver().await;
    let before = receiver.events().len();
    assert!(before < 15, "{before} requests before it opened");
    assert_eq!(world.sending(consumer).await, "CircuitOpen");
    world.after(29 * SEC).await;
    assert_eq!(receiver.events().len(), before, "nothing before the wait is over");
    let mut probed = Vec::new();
    for _ in 0..6 {
        receiver.forget();
        world.after(700 * SEC).await;
        assert_eq!(receiver.events().len(), 1, "one probe at a time");
        probed.push(receiver.events()[0].subject());
    }
    probed.dedup();
    assert!(probed.len() > 3, "each probe is another person's");
    assert_eq!(world.dead_letters(consumer).await, 0);
    assert!(world.parked(consumer).await.iter().all(|row| row.state == ParkedState::Outage));
    receiver.forget();
    receiver.answer(|_| Answer::Status(200));
    world.after(700 * SEC).await;
    assert_eq!(receiver.events().len(), 30);
    assert!(world.parked(consumer).await.is_empty());
    assert_eq!(world.sending(consumer).await, "Backlogged", "it was for long");
    world.after(61 * SEC).await;
    assert_eq!(world.sending(consumer).await, "Delivering");
}

#[tokio::test]
async fn an_event_is_given_up_when_its_budget_is_spent_and_the_next_one_says_so() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let bad = world.happen(person, TYPE, to).await;
    receiver.answer(move |got| Answer::Status(if got.sequence() == bad { 422 } else { 200 }));
    world.deliver().await;
    for _ in 0..20 {
        world.after(60 * SEC).await;
    }
    assert_eq!(world.dead_letters(consumer).await, 1);
    assert_eq!(world.asked_snapshots().await, [person]);
    assert_eq!(world.parked(consumer).await[0].state, ParkedState::GapOnly);
    assert!(world.state(consumer).await.dead_letters);
    receiver.forget();
    world.happen(person, TYPE, to).await;
    world.happen(person, TYPE, to).await;
    world.deliver().await;
    let got = receiver.events();
    assert_eq!(got[0].json["gapbefore"], true);
    assert!(got[1].json.get("gapbefore").is_none());
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn a_snapshot_that_is_given_up_is_not_followed_by_another() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let bad = world.happen(person, EventType::Snapshot, &[(consumer, &[subscription])]).await;
    receiver.answer(move |got| Answer::Status(if got.sequence() == bad { 422 } else { 200 }));
    world.deliver().await;
    for _ in 0..20 {
        world.after(60 * SEC).await;
    }
    assert_eq!(world.dead_letters(consumer).await, 1);
    assert!(world.asked_snapshots().await.is_empty());
    assert_eq!(world.parked(consumer).await[0].state, ParkedState::GapOnly, "the next event says so");
}

#[tokio::test]
async fn a_gap_is_said_after_a_restart_too() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) =
        world.consumer("acadre", &receiver, |form| form.delivery.retry.give_up_after = SEC).await;
    let person = world.person(1, &[consumer]).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let bad = world.happen(person, TYPE, to).await;
    let next = world.happen(person, TYPE, to).await;
    receiver.answer(move |got| Answer::Status(if got.sequence() <= next { 400 } else { 200 }));
    world.deliver().await;
    world.after(10 * SEC).await;
    assert_eq!(world.dead_letters(consumer).await, 1, "{bad} alone");
    world.restart();
    receiver.forget();
    receiver.answer(|_| Answer::Status(200));
    world.after(60 * SEC).await;
    assert_eq!(receiver.sequences(), [next]);
    assert_eq!(receiver.events()[0].json["gapbefore"], true);
}

#[tokio::test]
async fn a_poisoned_person_is_given_up_while_others_are_served() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(2, consumer).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let bad = world.happen(people[0], TYPE, to).await;
    receiver.answer(move |got| Answer::Status(if got.sequence() == bad { 500 } else { 200 }));
    for _ in 0..40 {
        world.happen(people[1], TYPE, to).await;
        world.after(60 * SEC).await;
    }
    assert_eq!(world.dead_letters(consumer).await, 1);
    assert_eq!(world.sending(consumer).await, "Delivering");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_its_spec_changes_and_proves_itself_again() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(410));
    world.deliver().await;
    assert_eq!(world.sending(consumer).await, "EndpointGone");
    assert_eq!(world.state(consumer).await.endpoint.unwrap().reason, "Gone");
    receiver.answer(|_| Answer::Status(200));
    world.after(10_000 * SEC).await;
    assert_eq!(receiver.all().len(), 1, "left alone");
    world.change_consumer(consumer, |form| form.delivery.max_in_flight = 8).await;
    world.deliver().await;
    let types: Vec<String> = receiver.all().iter().map(|got| got.type_().to_owned()).collect();
    assert_eq!(types, ["address.changed", "endpoint.verify", "address.changed"]);
    assert_eq!(receiver.sequences(), [seq, seq]);
    assert_eq!(world.sending(consumer).await, "Delivering");
}

#[tokio::test]
async fn no_attempt_is_made_before_retry_after_in_either_form() {
    for as_date in [false, true] {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
        let people = world.people(5, consumer).await;
        let until = world.clock.now() + jiff::SignedDuration::from_secs(301);
        let value = if as_date {
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&until).unwrap()
        } else {
            "301".to_owned()
        };
        receiver.answer(move |_| Answer::With(429, "retry-after", value.clone()));
        for person in &people {
            world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
        }
        world.deliver().await;
        let before = receiver.events().len();
        receiver.answer(|_| Answer::Status(200));
        world.after(299 * SEC).await;
        assert_eq!(receiver.events().len(), before, "as date: {as_date}");
        world.after(60 * SEC).await;
        assert_eq!(receiver.events().len(), before + 5, "as date: {as_date}");
        assert_eq!(world.dead_letters(consumer).await, 0);
    }
}

#[tokio::test]
async fn a_long_retry_after_is_shown_and_a_change_of_the_spec_ends_it() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::With(503, "retry-after", "7200".into()));
    world.deliver().await;
    let sending = world.state(consumer).await.sending.unwrap();
    assert!(sending.message.contains("Retry-After"), "{}", sending.message);
    receiver.answer(|_| Answer::Status(200));
    world.change_consumer(consumer, |form| form.delivery.max_in_flight = 8).await;
    world.after(10 * SEC).await;
    assert_eq!(receiver.events().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (mut world, receiver, other) = (World::new().await, Receiver::start().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    let target = other.url().to_string();
    receiver.answer(move |_| Answer::With(307, "location", target.clone()));
    world.deliver().await;
    assert_eq!((receiver.events().len(), other.all().len()), (1, 0));
    assert_eq!(world.parked(consumer).await[0].class, "Http307");
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_its_timeout_and_is_a_disclosure() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) =
        world.consumer("acadre", &receiver, |form| form.delivery.timeout = super::world::MS * 200).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Hang);
    world.deliver().await;
    assert_eq!(world.parked(consumer).await[0].class, "TimedOutWaiting");
    let audited = world.audited("disclosure").await;
    assert_eq!((audited.len(), audited[0]["outcome"].as_str()), (1, Some("Failed")));
}

#[tokio::test]
async fn private_addresses_are_refused_by_literal_and_by_name() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    world.context.network.allowed_networks.clear();
    let port = receiver.address.port();
    for (n, host) in ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"].into_iter().enumerate() {
        let name = format!("consumer-{n}");
        let url = format!("http://{host}:{port}/").parse().unwrap();
        let id = world.unproved_consumer(&name, &receiver, |form| form.delivery.url = url).await;
        world.deliver().await;
        assert_eq!(world.state(id).await.endpoint.unwrap().reason, "AddressRefused", "{host}");
    }
    assert!(receiver.all().is_empty());
}

#[tokio::test]
async fn an_address_that_turned_private_after_its_proof_gets_nothing() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    world.context.network.allowed_networks.clear();
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert!(receiver.all().is_empty());
    assert_eq!(world.parked(consumer).await[0].class, "AddressRefused");
    assert!(world.audited("disclosure").await.is_empty(), "nothing left");
}

#[tokio::test]
async fn too_many_parked_persons_are_the_consumers_fault() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    world.context.settings.max_parked = 3;
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(9, consumer).await;
    receiver.answer(|_| Answer::Status(422));
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.deliver().await;
    assert_eq!(world.sending(consumer).await, "CircuitOpen");
    assert!(world.parked(consumer).await.iter().all(|row| row.state == ParkedState::Outage));
}

#[tokio::test]
async fn no_more_than_its_rate_is_sent() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) =
        world.consumer("acadre", &receiver, |form| form.delivery.rate_per_second = Some(2)).await;
    let people = world.people(6, consumer).await;
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.deliver().await;
    for expected in 1..=6 {
        assert_eq!(receiver.events().len(), expected);
        world.after(super::world::MS * 501).await;
    }
}

#[tokio::test]
async fn no_number_or_name_of_a_person_is_in_the_store_in_the_clear_or_in_status() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::With(500, "x-note", "6101800001 Testine".into()));
    world.deliver().await;
    let shown = format!("{:?}{:?}", world.state(consumer).await, world.parked(consumer).await);
    assert!(!shown.contains("610180") && !shown.contains("Testine"), "{shown}");
}
