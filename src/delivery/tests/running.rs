//! Delivery as it runs: on the system's time, many consumers at once.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::receiver::{Answer, Receiver};
use super::world::{MS, SEC, World};
use crate::delivery::run;
use crate::domain::compiled::Delivery;
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
async fn what_was_prepared_while_all_went_well_is_read_again_after_a_pause() {
    let (mut world, receiver) = (World::in_real_time().await, Receiver::start().await);
    let few = |form: &mut Delivery| (form.max_in_flight, form.timeout) = (4, 5 * SEC);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |form| few(&mut form.delivery)).await;
    let people = world.people(200, consumer).await;
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    let (mut heard, quick) = (0, 100);
    receiver.answer(move |_| {
        heard += 1;
        if heard <= quick { Answer::Status(204) } else { Answer::Hang }
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(world.context.clone(), stop.clone(), pulse()));
    until("some hang", || receiver.events().len() == quick + 4).await;
    for person in &people {
        world.protect(*person, true).await;
    }
    let before = receiver.events().len();
    receiver.answer(|_| Answer::Status(204));
    until("the others arrive", || receiver.events().len() > before + 80).await;
    for got in &receiver.events()[before..] {
        assert_eq!(got.json["data"]["protection"]["nameAndAddress"], true, "{}", got.json);
    }
    stop.cancel();
    running.await.unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_slow_from_the_first_second_holds_no_others_results() {
    let (mut world, slow, quick) = (World::in_real_time().await, Receiver::start().await, Receiver::start().await);
    slow.answer(|_| Answer::Hang);
    let (one, one_sub) = world.consumer("slow", &slow, |form| form.delivery.timeout = 30 * SEC).await;
    let (two, two_sub) = world.consumer("quick", &quick, |_| {}).await;
    let person = world.person(1, &[one, two]).await;
    let mut last = 0;
    for _ in 0..20 {
        last = world.happen(person, TYPE, &[(one, &[one_sub]), (two, &[two_sub])]).await;
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(world.context.clone(), stop.clone(), pulse()));
    until("the slow one hangs", || !slow.events().is_empty()).await;
    let began = Instant::now();
    while world.watermarks(two).await != (last, last) {
        assert!(began.elapsed() < 5 * SEC, "results of the quick one are written meanwhile");
        tokio::time::sleep(5 * MS).await;
    }
    assert_eq!((quick.events().len(), slow.events().len()), (20, 1));
    assert_eq!(world.audited("disclosure").await.len(), 20);
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_goes_while_a_request_is_under_way_lets_nothing_more_out_until_there_is_one() {
    let (mut world, receiver) = (World::in_real_time().await, Receiver::start().await);
    receiver.answer(|_| Answer::Hang);
    let (consumer, subscription) = world
        .consumer("acadre", &receiver, |form| {
            (form.delivery.timeout, form.delivery.retry.initial) = (400 * MS, 20 * MS);
        })
        .await;
    let people = world.people(3, consumer).await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    world.happen(people[0], TYPE, to).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(world.context.clone(), stop.clone(), pulse()));
    until("a request is under way", || !receiver.events().is_empty()).await;
    let key = world.consumers[&consumer].key.clone();
    let empty = crate::delivery::credentials::SigningKeys { secrets: Vec::new(), fingerprint: "empty".into() };
    for gone in [None, Some(empty)] {
        world.context.signing.set(&key, gone);
        world.context.bells.delivery.ring();
        world.happen(people[1], TYPE, to).await;
        world.context.bells.routes.ring();
        let began = Instant::now();
        while world.state(consumer).await.sending.is_none_or(|sending| sending.reason != "WaitingForSecret") {
            assert!(began.elapsed() < 10 * SEC);
            tokio::time::sleep(10 * MS).await;
        }
    }
    let began = Instant::now();
    while world.parked(consumer).await.is_empty() {
        assert!(began.elapsed() < 10 * SEC);
        tokio::time::sleep(10 * MS).await;
    }
    let before = receiver.all().len();
    receiver.answer(|_| Answer::Status(204));
    tokio::time::sleep(200 * MS).await;
    assert_eq!(receiver.all().len(), before, "nothing goes out without a secret");
    world.sign_with("acadre", &[2]);
    world.context.bells.delivery.ring();
    until("all arrive", || receiver.sequences().len() >= before + 3).await;
    let later = &receiver.all()[before..];
    assert!(later.iter().all(|got| got.is_signed_by(&super::world::secret(2))), "each is signed");
    stop.cancel();
    running.await.unwrap();
}
