//! Several processes on one database: they share the lanes of a consumer, and when one of them goes the others go on for it.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::receiver::Receiver;
use super::world::{MS, SEC, World};
use crate::delivery::run;
use crate::domain::event_type::EventType;
use crate::domain::pairwise::RecordId;
use crate::runtime::bell::Bells;
use crate::runtime::probes::Health;
use crate::store::presence::Presence;
use crate::store::{ConsumerId, SubscriptionId, sql};

const TYPE: EventType = EventType::AddressChanged;

/// A process that delivers.
struct Process {
    presence: Presence,
    stop: CancellationToken,
    living: JoinHandle<()>,
    delivering: JoinHandle<()>,
}

impl Process {
    async fn start(world: &World) -> Self {
        let presence = Presence::begin(&world.store.main, "deliver").await.unwrap();
        let (stop, leave) = (CancellationToken::new(), CancellationToken::new());
        let living = tokio::spawn(presence.clone().run(world.store.main.clone(), leave.clone()));
        let mut context = world.context.clone();
        (context.presence, context.bells) = (presence.clone(), Bells::default());
        let (stopped, pulse) = (stop.clone(), Health::default().watch("delivery", 60 * SEC));
        let delivering = tokio::spawn(async move {
            run(context, stopped, pulse).await;
            leave.cancel();
        });
        Self { presence, stop, living, delivering }
    }

    /// Ends as a process does that is told to.
    async fn stop(self) {
        self.stop.cancel();
        self.delivering.await.unwrap();
        // One that fell silent has ended before.
        let _ = self.living.await;
    }

    /// Says no more that it lives, and goes on.
    fn fall_silent(&self) {
        self.living.abort();
    }
}

/// How many lanes of the consumer each process holds.
async fn held(world: &World, consumer: ConsumerId) -> BTreeMap<String, i64> {
    let mut conn = world.store.main.read().await.unwrap();
    let rows: Vec<(String, i64)> =
        sql::query_as("SELECT worker, count(*) FROM lane WHERE consumer = $1 GROUP BY worker")
            .bind(consumer)
            .fetch_all(&mut conn)
            .await
            .unwrap();
    rows.into_iter().collect()
}

async fn until_held(world: &World, consumer: ConsumerId, by: &[(&Process, i64)]) -> Duration {
    let began = Instant::now();
    let wanted: BTreeMap<String, i64> =
        by.iter().map(|(one, lanes)| (one.presence.name().to_owned(), *lanes)).collect();
    loop {
        let found = held(world, consumer).await;
        if found == wanted {
            return began.elapsed();
        }
        assert!(began.elapsed() < 20 * SEC, "{found:?} instead of {wanted:?}");
        tokio::time::sleep(20 * MS).await;
    }
}

/// One more event of each person.
async fn round(world: &mut World, people: &[RecordId], consumer: ConsumerId, subscription: SubscriptionId) {
    for person in people {
        world.happen(*person, TYPE, &[(consumer, &[subscription])]).await;
    }
}

async fn until_received(receiver: &Receiver, count: usize) {
    let began = Instant::now();
    while distinct(receiver).len() < count {
        assert!(began.elapsed() < 30 * SEC, "{} of {count}", distinct(receiver).len());
        tokio::time::sleep(10 * MS).await;
    }
}

/// The numbers of all events that came, in the order in which each came first.
fn distinct(receiver: &Receiver) -> Vec<i64> {
    let mut seen = Vec::new();
    for sequence in receiver.sequences() {
        if !seen.contains(&sequence) {
            seen.push(sequence);
        }
    }
    seen
}

/// Each person's events came in the order of their numbers.
fn assert_ordered(receiver: &Receiver) {
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut seen = std::collections::HashSet::new();
    for event in receiver.events() {
        let (person, sequence) = (
            event.json["subject"].as_str().unwrap().to_owned(),
            event.json["sequence"].as_str().unwrap().parse().unwrap(),
        );
        if seen.insert(sequence) {
            let before = last.insert(person, sequence);
            assert!(before.is_none_or(|before| before < sequence), "{sequence} after {before:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_a_consumer_and_the_others_take_over_from_one_that_ends() {
    let (mut world, receiver) = (World::on_postgres().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(40, consumer).await;
    let one = Process::start(&world).await;
    until_held(&world, consumer, &[(&one, 16)]).await;
    round(&mut world, &people, consumer, subscription).await;
    let two = Process::start(&world).await;
    until_held(&world, consumer, &[(&one, 8), (&two, 8)]).await;
    round(&mut world, &people, consumer, subscription).await;
    until_received(&receiver, 80).await;
    let began = Instant::now();
    one.stop().await;
    until_held(&world, consumer, &[(&two, 16)]).await;
    assert!(began.elapsed() < 5 * SEC, "it gave its lanes back and nobody waits for its death");
    round(&mut world, &people, consumer, subscription).await;
    until_received(&receiver, 120).await;
    assert_eq!(receiver.events().len(), 120, "nothing came twice");
    assert_ordered(&receiver);
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_of_a_process_that_falls_silent_are_taken_over_and_it_writes_and_sends_no_more() {
    let (mut world, receiver) = (World::on_postgres().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(40, consumer).await;
    let silent = Process::start(&world).await;
    until_held(&world, consumer, &[(&silent, 16)]).await;
    silent.fall_silent();
    let other = Process::start(&world).await;
    let mut rounds = 0;
    while held(&world, consumer).await.get(other.presence.name()) != Some(&16) {
        round(&mut world, &people, consumer, subscription).await;
        rounds += 1;
        assert!(rounds < 200, "the lanes were not taken over");
        tokio::time::sleep(100 * MS).await;
    }
    assert!(!silent.presence.is_certain());
    round(&mut world, &people, consumer, subscription).await;
    until_received(&receiver, 40 * (rounds + 1)).await;
    assert_ordered(&receiver);
    other.stop().await;
    silent.stop().await;
    let recorded = world.audited("disclosure").await.len();
    assert!(recorded >= 40 * (rounds + 1), "{recorded}: each event is recorded, whoever sent it");
}

/// What stood under the name of a process that lives, and no worker of its held, was delivered by nobody as long as it lived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_that_a_worker_left_behind_are_taken_up_again_by_its_own_process() {
    let (mut world, receiver) = (World::on_postgres().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let people = world.people(40, consumer).await;
    let process = Process::start(&world).await;
    until_held(&world, consumer, &[(&process, 16)]).await;
    // Its worker finds another epoch than its own, ends, and cannot give back what is not its any more.
    let mut tx = world.store.main.begin().await.unwrap();
    sql::query("UPDATE lane SET epoch = epoch + 1").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    round(&mut world, &people, consumer, subscription).await;
    until_received(&receiver, 40).await;
    assert_ordered(&receiver);
    process.stop().await;
}
