//! A clock that jumps: nothing is lost, nothing goes out twice, and no wait grows.

use super::receiver::{Answer, Receiver};
use super::world::{SEC, World};
use crate::domain::compiled::Consumer;
use crate::domain::event_type::EventType;
use crate::store::parked::ParkedState;

const TYPE: EventType = EventType::AddressChanged;
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

#[tokio::test]
async fn a_clock_set_back_makes_nobody_wait_longer() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(400));
    world.deliver().await;
    receiver.answer(|_| Answer::Status(204));
    world.clock.set_back(DAY);
    world.deliver().await;
    assert_eq!(receiver.events().len(), 1, "not before its time");
    world.after(10 * SEC).await;
    assert_eq!(receiver.events().len(), 2);
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn a_year_ahead_and_back_sends_each_once_gives_nothing_up_and_leaves_no_wait() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) =
        world.consumer("acadre", &receiver, |form| form.delivery.retry.give_up_after = 7 * DAY).await;
    let people = world.people(3, consumer).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let bad = world.happen(people[0], TYPE, to).await;
    let good = world.happen(people[1], TYPE, to).await;
    receiver.answer(move |got| Answer::Status(if got.sequence() == bad { 422 } else { 204 }));
    world.deliver().await;
    world.clock.doubt(true);
    world.after(365 * DAY).await;
    let ahead = world.happen(people[2], TYPE, to).await;
    world.deliver().await;
    assert_eq!(world.dead_letters(consumer).await, 0, "the budget counts waits, not what the clock says");
    world.clock.set_back(365 * DAY);
    world.clock.doubt(false);
    world.deliver().await;
    receiver.answer(|_| Answer::Status(204));
    world.after(60 * SEC).await;
    let mut arrived = receiver.sequences();
    arrived.retain(|seq| *seq != bad);
    assert_eq!(arrived, [good, ahead], "each once");
    assert!(world.parked(consumer).await.is_empty());
    assert_eq!(receiver.sequences().last(), Some(&bad));
    assert_eq!(world.dead_letters(consumer).await, 0);
}

#[tokio::test]
async fn who_was_parked_while_the_clock_was_ahead_waits_no_year_after_a_restart() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.clock.advance(365 * DAY);
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(422));
    world.deliver().await;
    assert_eq!(world.parked(consumer).await[0].state, ParkedState::Retrying);
    world.restart();
    world.clock.set_back(365 * DAY);
    receiver.answer(|_| Answer::Status(204));
    world.deliver().await;
    assert_eq!(receiver.events().len(), 1, "not before its time");
    world.after(10 * SEC).await;
    assert_eq!(receiver.events().len(), 2);
}

#[tokio::test]
async fn who_was_under_way_when_the_clock_jumped_waits_no_year_after_a_restart() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(422));
    world.deliver().await;
    world.clock.doubt(true);
    let clock = world.clock.clone();
    receiver.answer(move |_| {
        clock.advance(365 * DAY);
        Answer::Status(422)
    });
    world.after(10 * SEC).await;
    assert_eq!(receiver.events().len(), 2);
    world.restart();
    world.clock.set_back(365 * DAY);
    receiver.answer(|_| Answer::Status(204));
    world.deliver().await;
    world.after(60 * SEC).await;
    assert_eq!(receiver.events().len(), 3);
}

#[tokio::test]
async fn a_clock_set_back_makes_nobody_wait_longer_who_goes_to_another_process() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let give_up_after = |form: &mut Consumer| form.delivery.retry.give_up_after = 7 * DAY;
    let (consumer, subscription) = world.consumer("acadre", &receiver, give_up_after).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::Status(422));
    world.deliver().await;
    // Of the budget some is used, so that it does not tell how far the clock is ahead.
    for _ in 0..10 {
        world.after(3600 * SEC).await;
    }
    world.clock.doubt(true);
    world.after(365 * DAY).await;
    world.clock.set_back(365 * DAY);
    world.deliver().await;
    let (row, now) = (world.parked(consumer).await.remove(0), world.clock.now());
    assert!(row.since <= now && row.next_at < now + 7200 * SEC, "{row:?} at {now}");
}

#[tokio::test]
async fn a_wait_that_a_receiver_asked_for_is_neither_longer_nor_shorter_for_a_clock_set_back() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    receiver.answer(|_| Answer::With(429, "retry-after", "300".into()));
    world.deliver().await;
    receiver.answer(|_| Answer::Status(204));
    world.clock.set_back(DAY);
    world.deliver().await;
    world.after(290 * SEC).await;
    assert_eq!(receiver.events().len(), 1);
    world.after(20 * SEC).await;
    assert_eq!(receiver.events().len(), 2);
}

#[tokio::test]
async fn an_open_circuit_and_a_challenge_keep_their_waits_when_the_clock_is_set_back() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(12, consumer).await;
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    receiver.answer_all(|_| Answer::Status(500));
    world.deliver().await;
    let other = world.unproved_consumer("other", &receiver, |_| {}).await;
    world.deliver().await;
    assert_eq!(world.sending(consumer).await, "CircuitOpen");
    receiver.answer(|_| Answer::Status(204));
    receiver.forget();
    world.clock.set_back(30 * DAY);
    world.deliver().await;
    assert!(receiver.all().is_empty());
    world.after(100 * SEC).await;
    assert_eq!(receiver.events().len(), 12);
    assert!(world.state(other).await.endpoint.unwrap().verified);
}

#[tokio::test]
async fn old_secrets_go_after_their_time_though_the_clock_was_set_back() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    world.deliver().await;
    receiver.answer_all(|got| Answer::Status(if got.type_() == "endpoint.verify" { 500 } else { 204 }));
    world.sign_with("acadre", &[2]);
    world.deliver().await;
    world.clock.set_back(30 * DAY);
    world.deliver().await;
    world.after(DAY).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    let got = receiver.events().pop().unwrap();
    assert_eq!(got.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 1);
}

#[tokio::test]
async fn what_waits_is_given_up_by_a_clock_that_is_believed_only() {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |form| form.suspended = true).await;
    let person = world.person(1, &[consumer]).await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.clock.doubt(true);
    world.after(365 * DAY).await;
    assert_eq!(world.dead_letters(consumer).await, 0);
    world.clock.set_back(365 * DAY);
    world.clock.doubt(false);
    world.change_consumer(consumer, |form| form.suspended = false).await;
    world.after(SEC).await;
    assert_eq!(receiver.sequences(), [seq]);
    assert_eq!(world.dead_letters(consumer).await, 0);
}
