//! Delivery as it runs: on the system's time, many consumers at once.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::receiver::{Answer, Receiver};
use super::world::{MS, SEC, World};
use crate::delivery::run;
use crate::domain::event_type::EventType;
use crate::runtime::probes::{Health, Pulse};

const TYPE: EventType = EventType::AddressChanged;

fn pulse() -> Pulse {
    Health::default().watch("delivery", 60 * SEC)
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < 20 * SEC, "{what}");
        tokio::time::sleep(5 * MS).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_delays_no_other() {
    let (mut world, slow, quick) = (World::in_real_time().await, Receiver::start().await, Receiver::start().await);
    slow.answer(|_| Answer::Hang);
    let (one, one_sub) = world.consumer("slow", &slow, |form| form.delivery.timeout = 30 * SEC).await;
    let (two, two_sub) = world.consumer("quick", &quick, |_| {}).await;
    let mut people = Vec::new();
    for n in 0..40 {
        people.push(world.person(n, &[one, two]).await);
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(world.context.clone(), stop.clone(), pulse()));
    for person in &people {
        world.happen(*person, TYPE, &[(one, &[one_sub]), (two, &[two_sub])]).await;
        world.context.bells.routes.ring();
    }
    let took = until("all arrive at the quick one", || quick.events().len() == 40).await;
    assert!(took < 5 * SEC, "{took:?}");
    assert!(slow.events().len() < 40);
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_finishes_and_records_what_is_under_way() {
    let (mut world, receiver) = (World::in_real_time().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(20, consumer).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(world.context.clone(), stop.clone(), pulse()));
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.context.bells.routes.ring();
    until("the first arrives", || !receiver.events().is_empty()).await;
    stop.cancel();
    running.await.unwrap();
    let sent = receiver.events().len();
    assert_eq!(world.audited("disclosure").await.len(), sent, "each that left is recorded");
    world.deliver().await;
    assert_eq!(receiver.events().len(), 20, "none twice, none lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_appears_is_served_without_a_restart() {
    let (mut world, receiver) = (World::in_real_time().await, Receiver::start().await);
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(world.context.clone(), stop.clone(), pulse()));
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    world.context.bells.delivery.ring();
    let person = world.person(1, &[consumer]).await;
    world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.context.bells.routes.ring();
    until("it arrives", || receiver.events().len() == 1).await;
    stop.cancel();
    running.await.unwrap();
}
