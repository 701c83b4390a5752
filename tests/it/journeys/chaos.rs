//! Random lives, faults and kills: nothing lost, nothing out of order, duplicates only of what was on its way.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cpr_operator::simulate::consumer::{Behaviour, RetryAfter as Hint};
use cpr_operator::simulate::datafordeler::{Fault, RetryAfter};

use crate::support::chance::Chance;
use crate::support::files;
use crate::support::world::World;

/// Rounds of lives, each with a fault on either side and, every other time, a kill.
const ROUNDS: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the seed is what a failure is replayed with")]
async fn lives_faults_and_kills_lose_nothing_and_disorder_nothing() {
    let mut chance = Chance::from_environment();
    println!("replay with CPR_SEED={}", chance.seed());
    let mut world = World::new("chaos").await;
    world.register.add_people(40).unwrap();
    for municipality in ["0851", "0851", "0851", "0461", "0461", "0751"] {
        for _ in 0..8 {
            world.register.settle(municipality, jiff::civil::date(2012, 5, 1)).unwrap();
        }
    }
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;

    let mut kills = 0;
    for round in 0..ROUNDS {
        world.register.live(chance.below(30) as usize + 5);
        world.register.faults().set_times(register_fault(&mut chance), 1 + chance.below(4) as u32);
        world.consumer.behave(behaviour(&mut chance));
        match chance.below(4) {
            0 => drop(world.register.fail_import()),
            1 => {
                world.register.load_events_only();
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(chance.below(900))).await;
        world.register.finish_import();
        world.register.load();
        tokio::time::sleep(Duration::from_millis(chance.below(1500))).await;
        if round % 2 == 0 {
            world.kill().await;
            kills += 1;
            world.start();
        }
    }
    world.register.faults().clear();
    world.consumer.behave(Behaviour::Accept);
    world.register.load();
    until_all_is_settled(&world).await;
    world.stop().await;
    judge(&world, kills).await;
}

fn register_fault(chance: &mut Chance) -> Fault {
    match chance.below(9) {
        0 => Fault::Slow { millis: 300 },
        1 => Fault::Unauthorized,
        2 => Fault::TooMany { retry_after: RetryAfter::Seconds(1) },
        3 => Fault::ServerError { status: 503 },
        4 => Fault::Cut,
        5 => Fault::HangUp,
        6 => Fault::Duplicate,
        7 => Fault::BrokenJson,
        _ => Fault::TooMany { retry_after: RetryAfter::Date(1) },
    }
}

fn behaviour(chance: &mut Chance) -> Behaviour {
    match chance.below(7) {
        0 => Behaviour::Status { status: 500 },
        1 => Behaviour::StatusWithRetryAfter { status: 429, retry_after: Hint::Seconds(1) },
        2 => Behaviour::CutConnection,
        3 => Behaviour::CutAfterAccepting,
        4 => Behaviour::Slow { millis: 200 },
        5 => Behaviour::Status { status: 400 },
        _ => Behaviour::Accept,
    }
}

/// Waits until the feed is read to its end and every route is delivered.
async fn until_all_is_settled(world: &World) {
    use sqlx::Row;
    let import = i64::from(world.register.last_sequence());
    let path = world.data().join("main.db");
    let settled = world
        .until("everything settled", async || {
            let mut conn = files::open(&path).await;
            let sql = "SELECT (SELECT MAX(import) FROM cursor),
                              (SELECT COUNT(*) FROM route r LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
                               WHERE r.seq > COALESCE(l.watermark, 0)),
                              (SELECT COUNT(*) FROM parked), (SELECT COUNT(*) FROM request)";
            let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
            let read: Option<i64> = row.get(0);
            let waiting: i64 = row.get::<i64, _>(1) + row.get::<i64, _>(2) + row.get::<i64, _>(3);
            (read == Some(import) && waiting == 0).then_some(())
        })
        .await;
    assert!(settled.is_some(), "the world never came to rest\n{}", world.log());
}

/// Holds what arrived against what was committed.
async fn judge(world: &World, kills: usize) {
    let store = files::store(&world.data()).await;
    let routes = files::routes(&store).await;
    let otherwise = files::settled_otherwise(&store).await;
    let received = world.consumer.received();
    let accepted: HashSet<&str> = received.iter().filter(|one| one.accepted).map(|one| one.id.as_str()).collect();
    assert!(routes.len() > 50, "the world was too quiet to prove anything: {} routes", routes.len());
    let lost: Vec<_> =
        routes.iter().filter(|r| !accepted.contains(r.id.as_str()) && !otherwise.contains(&r.seq)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let committed: HashSet<&str> = routes.iter().map(|route| route.id.as_str()).collect();
    let invented = received
        .iter()
        .filter(|one| one.accepted && one.kind != "endpoint.verify" && !committed.contains(one.id.as_str()));
    assert_eq!(invented.count(), 0, "something arrived that was never committed");

    let report = world.consumer.report();
    assert_eq!((report.forged, report.malformed, report.out_of_order), (0, 0, 0), "{report:?}");
    assert_in_order(world);
    let cut = received.iter().filter(|one| one.duplicate).count();
    let allowed = kills * 200 + received.iter().filter(|one| !one.accepted).count() + accepted.len() / 2;
    assert!(cut <= allowed, "{cut} duplicates after {kills} kills");
}

/// First deliveries of each person come in the order of their numbers.
fn assert_in_order(world: &World) {
    let mut last: HashMap<String, u64> = HashMap::new();
    for one in world.consumer.received().iter().filter(|one| one.accepted && !one.duplicate) {
        if let (Some(reference), Some(sequence)) = (&one.reference, one.sequence) {
            let before = last.insert(reference.clone(), sequence);
            assert!(before.is_none_or(|before| before < sequence), "{} after {before:?}", sequence);
        }
    }
}
