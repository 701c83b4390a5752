//! Random lives, faults and kills over the real program, and the invariants of delivery held against what came of it.
//!
//! One run in two lengths: short with all tests, long by `make soak` (`CPR_SOAK_FAULTS`). Everything random follows from the
//! seed that is printed first (`CPR_SEED`); what the machine adds in timing does not. The walk: `scene` is set, `beside`
//! measures a steady consumer, `scene` takes turns of `lives` and `fault` while `watch`, `receiver` and `sample` look on;
//! everything is mended and comes to rest; `evidence` is gathered and held against the `invariants`. `roles` is the same with
//! PostgreSQL and processes of their own.

mod beside;
mod evidence;
mod fault;
mod ground;
mod invariants;
mod lives;
mod plan;
mod receiver;
mod roles;
mod sample;
mod scene;
mod summary;
mod watch;

use std::time::{Duration, Instant};

use crate::support::chance::Chance;
use crate::support::files;
use beside::Stage;
use evidence::Evidence;
use plan::{Plan, Replay};
use scene::Scene;
use summary::Summary;
use watch::Watch;

/// How many faults the short form has.
const FAULTS: u32 = 10;
/// How long everything may take to come to rest after the last fault.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often a long run says how far it is.
const SAY: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn lives_faults_and_kills_break_no_invariant() {
    let (plan, mut chance) = (Plan::from_environment(FAULTS), Chance::from_environment());
    let _replay = Replay::of(&chance, &plan);
    let began = Instant::now();
    let mut scene = Scene::set(&mut chance, &plan).await;
    scene.begin(&mut chance).await;
    summary::say(began, "six consumers receive, each in its own way");
    let stretches = beside::measure(&mut scene, &mut chance, &plan).await;
    go_wrong(&mut scene, &mut chance, &plan, began).await;
    let calmed = calm(&mut scene, &mut chance, &plan).await;
    scene.mend().await;
    summary::say(began, "everything is mended, and has to come to rest");
    scene.settle(PATIENCE).await;
    scene.end(false).await;

    scene.samples.iter().for_each(invariants::i6_watermarks_pass_nothing_unrecorded);
    let store = files::store(&scene.world.data()).await;
    let evidence = Evidence::of(store, &scene.watch, &scene.world.log()).await;
    assert!(evidence.routes.len() > 50, "too quiet to prove anything: {} routes", evidence.routes.len());
    assert!(!evidence.record.withdrawn.is_empty(), "a subscription ended, and nothing was withdrawn");
    assert_understood(&scene.watch, &scene.world.log());
    invariants::i1_nothing_is_lost(&evidence);
    invariants::i2_order_holds(&evidence);
    let (duplicates, unwritten) = invariants::i3_duplicates_are_bounded(&evidence, &scene.samples);
    let asked = invariants::i5_retry_after_is_obeyed(&evidence, &scene);
    invariants::i7_a_stale_flush_changes_nothing(&evidence, &scene.samples).await;
    let gaps = invariants::gaps_are_announced(&evidence);
    invariants::the_record_holds(&evidence);
    let latency = invariants::i4_the_steady_consumer_is_not_held_up(&evidence, &stretches, &plan);
    let memory = invariants::i8_memory_is_flat(&scene.watch.memory(), calmed, &plan);
    Summary { scene: &scene, evidence: &evidence, duplicates, unwritten, asked, gaps, latency, memory }.print(began);
}

/// The turns, each with a fault.
async fn go_wrong(scene: &mut Scene, chance: &mut Chance, plan: &Plan, began: Instant) {
    let mut said = Instant::now();
    for number in 1..=plan.faults {
        scene.turn(chance).await;
        if let Some(sample) = scene.samples.last() {
            invariants::i6_watermarks_pass_nothing_unrecorded(sample);
        }
        if said.elapsed() >= SAY {
            said = Instant::now();
            summary::progress(scene, number, plan, began);
        }
    }
}

/// Lives without faults, in which memory is weighed. From when to when.
async fn calm(scene: &mut Scene, chance: &mut Chance, plan: &Plan) -> (i64, i64) {
    let from = watch::now();
    for _ in 0..plan.calm {
        scene.live_a_second(chance, 10).await;
    }
    (from, watch::now())
}

/// Nothing that arrived was forged or against the contract, and no process panicked.
fn assert_understood(watch: &Watch, log: &str) {
    for receiver in &watch.receivers {
        let report = receiver.consumer.report();
        assert_eq!((report.malformed, report.out_of_order), (0, 0), "{}: {report:?}", receiver.name);
    }
    assert_eq!(watch.forged_in_time(), 0, "forged, or signed by a wrong time");
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked")).collect();
    assert!(panics.is_empty(), "{panics:?}");
}
