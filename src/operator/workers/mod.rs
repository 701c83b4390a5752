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
//! | which there are to be, and whose turn it is | [`plan`], [`rollout`] |
//! | their objects | [`build`] |
//! | made so | [`apply`] |
//! | how they stand | [`standing`] |

pub mod apply;
pub mod build;
pub mod covers;
pub mod demand;
pub mod ground;
pub mod hand;
pub mod names;
pub mod pass;
pub mod plan;
pub mod present;
pub mod rollout;
pub mod shape;
pub mod standing;
#[cfg(test)]
mod testing;
pub mod wish;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use tokio_util::sync::CancellationToken;

use super::fleet::Process;
use pass::Pass;
use present::Present;

/// How long changes are gathered before they are looked at together.
const GATHERING: Duration = Duration::from_millis(100);

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
    let pass = Pass { process: Arc::clone(&process), client, namespace, present, began: Instant::now() };
    tokio::join!(filling, follow(pass, &stop));
}

/// Looks at all workers whenever something changed, and now and then without cause.
async fn follow(pass: Pass, stop: &CancellationToken) {
    let changed = &pass.process.wishes.changed;
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tokio::time::timeout(wait, changed.notified()) => {}
        }
        let _ = tokio::time::timeout(GATHERING, stop.cancelled()).await;
        if stop.is_cancelled() {
            return;
        }
        wait = match pass.run().await {
            Ok(next) => next.unwrap_or(pass.process.context.settings.resync),
            Err(error) => {
                tracing::warn!(error, "not all workers are as they should be; tried again");
                AGAIN
            }
        };
    }
}
