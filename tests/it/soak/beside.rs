//! The steady consumer's latency, alone and beside the others, in stretches that take turns.

use super::evidence::Evidence;
use super::plan::Plan;
use super::scene::{STEADY, Scene};
use super::watch::now;
use crate::support::chance::Chance;

/// How many things happen in each second of a stretch.
const A_SECOND: usize = 6;

/// A stretch of the run in which nothing is killed or cut.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    from: i64,
    to: i64,
    alone: bool,
}

/// Lets the stretches take turns.
pub async fn measure(scene: &mut Scene, chance: &mut Chance, plan: &Plan) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    for _ in 0..plan.pairs {
        for alone in [true, false] {
            scene.leave_alone(alone).await;
            let from = now();
            for _ in 0..plan.stretch {
                scene.lives.go_on(&scene.world, chance, A_SECOND);
                scene.world.register.load();
                scene.pause(1_000).await;
            }
            stretches.push(Stretch { from, to: now(), alone });
        }
    }
    stretches
}

/// The latencies from commit to acceptance, in milliseconds and ascending, alone and beside.
pub fn latencies(evidence: &Evidence, stretches: &[Stretch]) -> (Vec<i64>, Vec<i64>) {
    let consumer = evidence.consumers[STEADY];
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for one in evidence.arrivals[STEADY].iter().filter(|one| one.accepted && !one.duplicate) {
        let Some((_, committed)) = evidence.routes.get(&(consumer, one.seq)) else { continue };
        let stretch = stretches.iter().find(|stretch| stretch.from <= *committed && *committed < stretch.to);
        match stretch {
            Some(stretch) if stretch.alone => alone.push(one.at - committed),
            Some(_) => beside.push(one.at - committed),
            None => {}
        }
    }
    alone.sort_unstable();
    beside.sort_unstable();
    (alone, beside)
}

/// The 99th of a hundred.
pub fn p99(sorted: &[i64]) -> i64 {
    sorted.get((sorted.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0)
}
