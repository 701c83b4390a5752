//! Bells by which one stage of a process wakes another; missing a ring costs time, never an event.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// A bell. Clones ring and hear the same one; rings that nobody waits for are remembered as one.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Wakes who waits, or the next who will.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring, but no longer than `at_most`. Whether it rang.
    pub async fn wait(&self, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, self.0.notified()).await.is_ok()
    }
}

/// The bells of a process in which all stages run together.
#[derive(Clone, Debug, Default)]
pub struct Bells {
    /// Routes were committed.
    pub routes: Bell,
    /// The compiled configuration or a credential changed, for ingest.
    pub ingest: Bell,
    /// The compiled configuration or a credential changed, for delivery.
    pub delivery: Bell,
    /// Delivery asks something of ingest.
    pub requests: Bell,
    /// A stage found something that status should show.
    pub status: Bell,
}
