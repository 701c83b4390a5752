//! Workers: the processes that read sources and deliver to consumers, made by the operator beside itself, never in a tenant's
//! namespace.
//!
//! In come wishes of the controllers of sources and consumers, and what there is in the cluster. Out go for each worker a service account,
//! which the installation's anchor owns and which owns the rest: a Secret with just what the worker needs, a network policy, a
//! Deployment, a disruption budget. One place looks at all of them together, because an upgrade takes them in turns, consumers of a
//! namespace may share one, and what belongs to nobody goes. In a steady state nothing is written. Who acts when it fails: the
//! resource's author or the platform team, told by the condition `WorkersAvailable`.
//!
//! | Step | File |
//! | --- | --- |
//! | what a resource wishes | [`demand`], [`shape`], [`hand`] → [`wish`] |
//! | what all workers stand on, what is there | [`ground`], [`present`] |
//! | which there are to be, how many, and whose turn it is | [`plan`], [`scaling`], [`rollout`] |
//! | their objects | [`build`] |
//! | their logins at the database | [`login`], [`logins`] |
//! | made so | [`apply`] |
//! | whether the database has room for them | [`connections`] |
//! | how they stand | [`standing`] |

pub mod apply;
pub mod build;
pub mod connections;
pub mod covers;
pub mod demand;
pub mod ground;
pub mod hand;
pub mod login;
pub mod logins;
pub mod names;
pub mod pass;
pub mod plan;
pub mod present;
pub mod rollout;
pub mod scaling;
pub mod shape;
pub mod standing;
#[cfg(test)]
mod testing;
pub mod wish;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::fleet::Process;
use logins::Orphans;
use pass::Pass;
use present::Present;
use scaling::Scales;

/// How long changes are gathered before they are looked at together.
const GATHERING: Duration = Duration::from_millis(100);

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// The wait after a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Makes workers as they are wished until `stop`, where the platform wants any.
pub async fn run(process: Arc<Process>, client: Client, stop: CancellationToken) {
    let settings = &process.context.workers;
    if !settings.are_made() {
        return;
    }
    let namespace = match settings.namespace.as_str() {
        "" => client.default_namespace().to_owned(),
        named => named.to_owned(),
    };
    tracing::info!(namespace, anchor = settings.anchor, image = settings.image, "workers are made");
    let (present, filling) = Present::begin(&client, &namespace, &settings.anchor, &process.wishes, &stop);
    let pass = Pass {
        process: Arc::clone(&process),
        client,
        namespace,
        present,
        began: Instant::now(),
        scales: Scales::default(),
        orphans: Orphans::default(),
        demands: Vec::new(),
    };
    tokio::join!(filling, follow(pass, &stop));
    process.context.metrics.forget_workers();
}

/// Looks at all workers whenever something changed or the clock makes it necessary, and now and then without cause.
async fn follow(mut pass: Pass, stop: &CancellationToken) {
    let (process, wishes) = (Arc::clone(&pass.process), Arc::clone(&pass.process.wishes));
    let (mut next, mut took) = (process.context.clock.now(), Duration::ZERO);
    loop {
        let is_rung = tokio::select! {
            () = stop.cancelled() => return,
            rung = tokio::time::timeout(TICK, wishes.changed.notified()) => rung.is_ok(),
        };
        if !is_rung && process.context.clock.now() < next {
            continue;
        }
        // However many workers there are, looking at them is a small part of the time.
        let _ = tokio::time::timeout(GATHERING.max(took * 4), stop.cancelled()).await;
        if stop.is_cancelled() {
            return;
        }
        let began = Instant::now();
        let again = pass.run().await;
        took = began.elapsed();
        let now = process.context.clock.now();
        next = match again {
            Ok(again) => again.unwrap_or(Timestamp::MAX).min(later(now, process.context.settings.resync)),
            Err(error) => {
                tracing::warn!(error, "not all workers are as they should be; tried again");
                later(now, AGAIN)
            }
        };
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| now.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
