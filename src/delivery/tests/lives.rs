//! Random lives: answers, waits and deaths of the process at random, and in the end nothing lost and nothing out of order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::receiver::{Answer, Receiver};
use super::world::{MS, SEC, World};
use crate::delivery::Engine;
use crate::delivery::chance::Chance;
use crate::domain::event_type::EventType;

/// What was accepted, by person, in the order of acceptance.
type Accepted = Arc<Mutex<HashMap<String, Vec<i64>>>>;

fn whim(chance: Chance, accepted: Accepted) -> impl FnMut(&super::receiver::Received) -> Answer {
    move |got| match (chance.unit() * 20.0) as u32 {
        0..=1 => Answer::Status(400),
        2..=4 => Answer::Status(500),
        5 => Answer::With(503, "retry-after", "7".into()),
        6 => Answer::With(429, "retry-after", "3".into()),
        7 if chance.unit() < 0.3 => Answer::Hang,
        _ => {
            accepted.lock().unwrap().entry(got.subject()).or_default().push(got.sequence());
            Answer::Status(204)
        }
    }
}

fn pick(chance: &Chance, below: usize) -> usize {
    (chance.unit() * below as f64) as usize
}

/// The process dies while requests are under way; a flush may still be on its way then.
async fn die_at_work(world: &mut World, chance: &Chance, receiver: &Receiver) {
    world.restart();
    let before = receiver.all().len();
    let mut engine = Engine::start(world.context.clone());
    let working = tokio::spawn(async move { engine.run_once().await });
    let enough = before + pick(chance, 6);
    while receiver.all().len() < enough && !working.is_finished() {
        tokio::task::yield_now().await;
    }
    working.abort();
    let _ = working.await;
}

async fn live(seed: u64) {
    let chance = Chance::seeded(seed);
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world
        .consumer("acadre", &receiver, |form| {
            form.delivery.timeout = 40 * MS;
            form.delivery.retry.give_up_after = 100 * 86_400 * SEC;
        })
        .await;
    let people = world.people(8, consumer).await;
    let accepted = Accepted::default();
    receiver.answer(whim(chance.clone(), accepted.clone()));
    let (mut wanted, mut deaths) = (vec![Vec::new(); people.len()], 0);
    for _ in 0..40 {
        for _ in 0..pick(&chance, 8) {
            let who = pick(&chance, people.len());
            let type_ = if chance.unit() < 0.5 { EventType::AddressChanged } else { EventType::Died };
            wanted[who].push(world.happen(people[who], type_, &[(consumer, &[subscription])]).await);
        }
        world.clock.advance(SEC * pick(&chance, 40) as u32);
        if chance.unit() < 0.3 {
            die_at_work(&mut world, &chance, &receiver).await;
            deaths += 1;
        } else {
            world.deliver().await;
        }
    }
    let every = accepted.clone();
    receiver.answer(move |got| {
        every.lock().unwrap().entry(got.subject()).or_default().push(got.sequence());
        Answer::Status(204)
    });
    for _ in 0..8 {
        world.after(3600 * SEC).await;
    }
    let mut twice = 0;
    let mut arrived: Vec<Vec<i64>> = Vec::new();
    for (_, sequences) in accepted.lock().unwrap().drain() {
        let mut first = Vec::new();
        for seq in sequences {
            if first.contains(&seq) { twice += 1 } else { first.push(seq) }
        }
        arrived.push(first);
    }
    wanted.retain(|of_one| !of_one.is_empty());
    arrived.sort();
    wanted.sort();
    assert_eq!(arrived, wanted, "seed {seed}");
    assert!(world.parked(consumer).await.is_empty(), "seed {seed}");
    assert!(twice <= deaths * 40, "seed {seed}: {twice} came twice over {deaths} deaths");
    let last = wanted.iter().flatten().max().copied().unwrap();
    assert_eq!(world.watermarks(consumer).await, (last, last), "seed {seed}");
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_out_of_order_whatever_dies_when() {
    for seed in 0..6 {
        live(seed).await;
    }
}
