//! What the store has and the cluster has not: ended after each complete list and after each deletion. A list that failed
//! ends nothing, because the view then still shows what was there before.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fleet::Fleet;
use super::kind::Kind;
use super::requeue::Error;

/// The wait after a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Ends what was deleted, of one kind, until `stop`.
pub async fn run<K: Kind>(fleet: Arc<Fleet>, stop: CancellationToken) {
    let view = K::view(&fleet);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            () = view.compare.notified() => {}
        }
        if let Err(error) = end_absent::<K>(&fleet).await {
            tracing::warn!(controller = K::CONTROLLER, %error, "deleted resources could not be ended; tried again");
            let _ = tokio::time::timeout(AGAIN, stop.cancelled()).await;
            view.compare.notify_one();
        }
    }
}

async fn end_absent<K: Kind>(fleet: &Fleet) -> Result<(), Error> {
    let view = K::view(fleet);
    if !view.is_listed() {
        return Ok(());
    }
    for key in K::stored(fleet).await? {
        if fleet.scope.contains(&key) && !view.contains(&key) {
            K::end(fleet, &key).await?;
            tracing::info!(
                controller = K::CONTROLLER,
                namespace = key.namespace,
                name = key.name,
                "deleted, and ended"
            );
        }
    }
    Ok(())
}
