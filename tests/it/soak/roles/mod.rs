//! The same with PostgreSQL and the roles in processes of their own: whichever of them, the server itself and the wires between them
//! fail, alone and together.
//!
//! `site` is set: a server, an operator, processes that ingest and deliver, each with a wire of its own to the server. It takes turns
//! of lives and faults (`fault`), is mended and comes to rest; `held` says how the invariants are held against it.

mod addresses;
mod fault;
mod held;
mod process;
mod site;

use std::time::{Duration, Instant};

use super::evidence::Evidence;
use super::plan::{Plan, Replay};
use super::{beside, invariants, summary};
use crate::support::chance::Chance;
use site::Site;

/// How many faults the short form has.
const FAULTS: u32 = 6;
/// How long everything may take to come to rest after the last fault.
const PATIENCE: Duration = Duration::from_secs(600);
/// Seconds of the calm stretch of a short run, and of a long one.
const CALM: (u64, u64) = (2, 60);

#[tokio::test(flavor = "multi_thread")]
async fn processes_wires_and_the_server_fail_and_no_invariant_breaks() {
    let (plan, mut chance) = (Plan::from_environment(FAULTS), Chance::from_environment());
    let _replay = Replay::of(&chance, &plan);
    let began = Instant::now();
    let mut site = Site::set(&mut chance, &plan).await;
    site.begin(&mut chance).await;
    summary::say(began, "five consumers receive from three processes, and two read the register");
    let stretches = beside::measure(&mut site, &mut chance, &plan).await;
    site.relent();
    let mut said = Instant::now();
    while site.faults() < plan.faults {
        site.turn(&mut chance).await;
        site.look().await;
        if said.elapsed() >= super::SAY {
            said = Instant::now();
            summary::say(began, &format!("{} of {} faults", site.faults(), plan.faults));
        }
    }
    let calm = Duration::from_secs(if plan.is_long() { CALM.1 } else { CALM.0 });
    let memory = site.calm(&mut chance, calm).await;
    site.mend().await;
    summary::say(began, "everything is mended, and has to come to rest");
    site.settle(PATIENCE).await;
    site.look().await;
    site.end().await;

    super::assert_understood(&site.watch, &site.world.log());
    let evidence = Evidence::of(site::open(&site.world).await, &site.watch, &site.world.log()).await;
    assert!(evidence.routes.len() > 50, "too quiet to prove anything: {} routes", evidence.routes.len());
    invariants::i1_nothing_is_lost(&evidence);
    invariants::i2_order_holds(&evidence);
    let again = held::i3_nothing_is_sent_twice_without_a_cause(&evidence, &site.struck);
    let asked = held::i5_a_waiting_person_waits(&evidence, &site.struck);
    held::i7_a_stale_flush_changes_nothing(&evidence, &site.epochs).await;
    let gaps = invariants::gaps_are_announced(&evidence);
    invariants::the_record_holds(&evidence);
    let memory = held::i8_memory_is_flat(&memory, plan.is_long());
    let latency = invariants::i4_the_steady_consumer_is_not_held_up(&evidence, &stretches, &plan);
    held::print(
        &site,
        &evidence,
        &[
            ("duplicates, each with its cause", again.to_string()),
            ("answers that asked to wait", asked.to_string()),
            ("dead letters, gaps announced", format!("{}, {gaps}", evidence.dead_letters.len())),
            ("steady consumer", latency),
            ("resident memory in the calm, first and last third", memory),
            ("time", format!("{} s", began.elapsed().as_secs())),
        ],
    );
}
