//! Proof of addresses, and changes of signing secrets.

use super::receiver::{Answer, Receiver};
use super::world::{SEC, World, secret};
use crate::domain::event_type::EventType;

const TYPE: EventType = EventType::AddressChanged;

fn types(receiver: &Receiver) -> Vec<String> {
    receiver.all().iter().map(|got| got.type_().to_owned()).collect()
}

#[tokio::test]
async fn deliveries_wait_until_the_address_has_proved_itself() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let consumer = world.unproved_consumer("acadre", &receiver, |_| {}).await;
    let subscription = world.subscribe(consumer, "clients", |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer_all(|_| Answer::Status(200));
    world.deliver().await;
    assert_eq!(types(&receiver), ["endpoint.verify"]);
    assert_eq!(world.state(consumer).await.endpoint.unwrap().reason, "WrongAnswer");
    assert_eq!(world.sending(consumer).await, "WaitingForVerification");
    receiver.answer(|_| Answer::Status(204));
    world.after(59 * SEC).await;
    assert_eq!(receiver.all().len(), 1);
    world.after(30 * SEC).await;
    assert_eq!(types(&receiver), ["endpoint.verify", "endpoint.verify", "address.changed"]);
    assert!(receiver.all().iter().all(|got| got.is_signed_by(&secret(1))));
    assert_eq!(world.state(consumer).await.endpoint.unwrap().reason, "Verified");
    world.restart();
    world.deliver().await;
    assert_eq!(receiver.all().len(), 3, "the proof is remembered");
}

#[tokio::test]
async fn a_new_address_has_to_prove_itself_before_it_gets_anything() {
    let (mut world, old, new) = (World::new().await, Receiver::start().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &old, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    let url = new.url();
    new.answer_all(|_| Answer::Status(500));
    world.change_consumer(consumer, |form| form.delivery.url = url).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    assert_eq!((old.all().len(), types(&new)), (1, vec!["endpoint.verify".to_owned()]));
    new.answer(|_| Answer::Status(204));
    world.after(90 * SEC).await;
    assert_eq!(types(&new), ["endpoint.verify", "endpoint.verify", "address.changed"]);
}

#[tokio::test]
async fn without_a_secret_nothing_is_sent() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.context.signing.set(&world.consumers[&consumer].key, None);
    world.deliver().await;
    assert!(receiver.all().is_empty());
    assert_eq!(world.sending(consumer).await, "WaitingForSecret");
    world.sign_with("acadre", &[2]);
    world.deliver().await;
    assert!(receiver.events()[0].is_signed_by(&secret(2)));
}

#[tokio::test]
async fn a_changed_secret_leaves_no_delivery_that_the_receiver_cannot_verify() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    // The receiver still knows the old secret alone, and refuses what it cannot verify.
    receiver.answer_all(|got| match got.type_() {
        "endpoint.verify" => Answer::Status(503),
        _ => Answer::Status(if got.is_signed_by(&secret(1)) { 204 } else { 401 }),
    });
    world.sign_with("acadre", &[2]);
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    let both = receiver.events().pop().unwrap();
    assert!(both.is_signed_by(&secret(1)) && both.is_signed_by(&secret(2)));
    assert!(world.parked(consumer).await.is_empty(), "deliveries go on");
    receiver.answer(|got| Answer::Status(if got.is_signed_by(&secret(2)) { 204 } else { 401 }));
    world.after(90 * SEC).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    let new = receiver.events().pop().unwrap();
    assert!(
        !new.is_signed_by(&secret(1)) && new.is_signed_by(&secret(2)),
        "the old one is gone once the new is accepted"
    );
}

#[tokio::test]
async fn old_secrets_go_after_the_overlap_even_if_the_challenge_fails() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.deliver().await;
    receiver.answer_all(|got| Answer::Status(if got.type_() == "endpoint.verify" { 500 } else { 204 }));
    world.sign_with("acadre", &[2]);
    world.deliver().await;
    world.after(86_400 * SEC).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    let got = receiver.events().pop().unwrap();
    let signatures = got.headers["webhook-signature"].to_str().unwrap();
    assert_eq!(signatures.split(' ').count(), 1);
    assert!(world.state(consumer).await.endpoint.unwrap().verified, "the address stays proved");
}
