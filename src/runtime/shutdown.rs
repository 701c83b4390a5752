//! Signals: the first drains, the second aborts.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status of a process that was told twice to stop.
pub const ABORTED: i32 = 130;

/// A token that SIGINT or SIGTERM cancels. A second signal ends the process at once.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let told = stop.clone();
    tokio::spawn(async move {
        for round in 0..2 {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            match round {
                0 => {
                    tracing::info!("stopping: finishing what is in flight; a second signal ends at once");
                    told.cancel();
                }
                _ => std::process::exit(ABORTED),
            }
        }
    });
    Ok(stop)
}
