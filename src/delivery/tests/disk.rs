//! A disk that is full, a database that another program holds: deliveries are recorded when that is over, and lost never.

use super::receiver::Receiver;
use super::world::{MS, SEC, World};
use crate::delivery::Engine;
use crate::domain::event_type::EventType;

const TYPE: EventType = EventType::AddressChanged;

/// Delivers in a task of its own, so that the test goes on while results cannot be written.
fn delivering(world: &World) -> tokio::task::JoinHandle<Engine> {
    let mut engine = Engine::start(world.context.clone());
    tokio::spawn(async move {
        while engine.run_once().await.unwrap() {}
        engine
    })
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < 20 * SEC, "{what}");
        tokio::time::sleep(5 * MS).await;
    }
}

#[tokio::test]
async fn results_wait_for_room_on_a_full_disk_and_nothing_is_sent_that_could_not_be_recorded_before() {
    let (mut world, receiver) = (World::on_sqlite().await, Receiver::start().await);
    world.context.settings.read_ahead = 4;
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(20, consumer).await;
    world.deliver().await;
    world.restart();
    for person in people.iter().cycle().take(100) {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    world.limit_pages(Some(1)).await;
    let engine = delivering(&world);
    let (mut before, mut meanwhile) = (usize::MAX, 0);
    while before != meanwhile {
        tokio::time::sleep(300 * MS).await;
        (before, meanwhile) = (meanwhile, receiver.events().len());
    }
    assert!(meanwhile < 100, "it goes no further than what is durable: {meanwhile}");
    assert!(!engine.is_finished(), "results wait");
    world.limit_pages(None).await;
    let engine = tokio::time::timeout(20 * SEC, engine).await.unwrap().unwrap();
    engine.crash();
    let mut arrived = receiver.sequences();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!((arrived.len(), receiver.events().len()), (100, 100), "each, and each once");
    assert_eq!(world.audited("disclosure").await.len(), 100, "each is recorded");
    let last = *arrived.last().unwrap();
    assert_eq!(world.watermarks(consumer).await, (last, last));
}

#[tokio::test]
async fn a_database_that_another_program_holds_is_waited_for() {
    let (mut world, receiver) = (World::on_sqlite().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(10, consumer).await;
    world.deliver().await;
    world.restart();
    for person in &people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
    let engine = delivering(&world);
    until("the first arrives", || !receiver.events().is_empty()).await;
    let held = world.hold_database().await;
    // Longer than a writer waits for another before it gives up a try.
    tokio::time::sleep(5500 * MS).await;
    drop(held);
    let engine = tokio::time::timeout(20 * SEC, engine).await.unwrap().unwrap();
    engine.crash();
    assert_eq!(receiver.events().len(), 10, "each once");
    assert_eq!(world.audited("disclosure").await.len(), 10);
    assert!(world.parked(consumer).await.is_empty());
}
