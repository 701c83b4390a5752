//! Bells by which one stage wakes another, in the same process and in others; missing a ring costs time, never an event.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// A bell. Clones ring and hear the same one; rings that nobody waits for are remembered as one.
#[derive(Clone, Debug, Default)]
pub struct Bell {
    here: Arc<Notify>,
    away: Arc<Notify>,
}

impl Bell {
    /// Wakes who waits, or the next who will, here and in other processes.
    pub fn ring(&self) {
        self.here.notify_one();
        self.away.notify_one();
    }

    /// Wakes who waits in this process alone: it rang in another.
    pub fn ring_here(&self) {
        self.here.notify_one();
    }

    /// Waits for a ring, but no longer than `at_most`. Whether it rang.
    pub async fn wait(&self, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, self.here.notified()).await.is_ok()
    }

    /// Waits for a ring that other processes are to hear.
    pub async fn to_tell(&self) {
        self.away.notified().await;
    }
}

/// The bells of a process.
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

impl Bells {
    /// Every bell with its name.
    pub fn each(&self) -> [(&'static str, &Bell); 5] {
        [
            ("routes", &self.routes),
            ("ingest", &self.ingest),
            ("delivery", &self.delivery),
            ("requests", &self.requests),
            ("status", &self.status),
        ]
    }
}
