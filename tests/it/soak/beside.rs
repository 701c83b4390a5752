//! The steady consumer's latency, alone and beside the others, in stretches that take turns.

use super::evidence::Evidence;
use super::plan::Plan;
use super::scene::STEADY;
use super::watch::now;
use crate::support::chance::Chance;

/// How many things happen in each second of a stretch.
const A_SECOND: usize = 6;

/// Where stretches take place.
pub trait Stage {
    /// Only the steady consumer gets anything, or all do again.
    async fn leave_alone(&mut self, alone: bool);
    /// So much happens within a second.
    async fn live_a_second(&mut self, chance: &mut Chance, count: usize);
    /// The number of the last route.
    async fn last_route(&self) -> i64;
}

/// The stretches in which nothing is killed or cut.
pub struct Stretches {
    all: Vec<Stretch>,
    /// Later routes were committed after them, whatever clock their commits were dated by.
    last_route: i64,
}

#[derive(Clone, Copy)]
struct Stretch {
    from: i64,
    to: i64,
    alone: bool,
}

/// Lets the stretches take turns.
pub async fn measure(stage: &mut impl Stage, chance: &mut Chance, plan: &Plan) -> Stretches {
    let mut all = Vec::new();
    for _ in 0..plan.pairs {
        for alone in [true, false] {
            stage.leave_alone(alone).await;
            let from = now();
            for _ in 0..plan.stretch {
                stage.live_a_second(chance, A_SECOND).await;
            }
            all.push(Stretch { from, to: now(), alone });
        }
    }
    Stretches { all, last_route: stage.last_route().await }
}

/// The latencies from commit to acceptance, in milliseconds and ascending, alone and beside.
pub fn latencies(evidence: &Evidence, stretches: &Stretches) -> (Vec<i64>, Vec<i64>) {
    let consumer = evidence.consumers[STEADY];
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let within = |seq: i64| seq <= stretches.last_route;
    for one in evidence.arrivals[STEADY].iter().filter(|one| one.accepted && !one.duplicate && within(one.seq)) {
        let Some((_, committed)) = evidence.routes.get(&(consumer, one.seq)) else { continue };
        let stretch = stretches.all.iter().find(|stretch| stretch.from <= *committed && *committed < stretch.to);
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

/// The one of a sorted list below which so many of a hundred are.
pub fn percentile(sorted: &[i64], of_hundred: usize) -> i64 {
    sorted.get((sorted.len() * of_hundred).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0)
}
