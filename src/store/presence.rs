//! That this process lives, told to the others that share the database, and whether it may still count on that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Database, Error, worker};
use crate::domain::pairwise::{EventId, crockford};

/// How often it is told.
const EVERY: Duration = Duration::from_secs(2);
/// After so long without having told it a process begins nothing any more, before others take it for dead.
const DOUBTED_AFTER: Duration = Duration::from_secs(4);

/// This process among those that share a database. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Presence {
    name: Arc<str>,
    role: &'static str,
    /// When the last telling that succeeded began; none for a process that is alone on its files.
    told: Option<Arc<Mutex<Instant>>>,
}

impl Presence {
    /// A process that shares its database with nobody, and knows it.
    pub fn alone(role: &'static str) -> Self {
        Self { name: crockford(&EventId::random().0).into(), role, told: None }
    }

    /// Begins: with SQLite alone, for the lock on the folder says so; else told to the others.
    pub async fn begin(main: &Database, role: &'static str) -> Result<Self, Error> {
        let alone = Self::alone(role);
        if let Database::Sqlite(_) = main {
            return Ok(alone);
        }
        let began = Instant::now();
        let mut tx = main.begin_apart().await?;
        worker::bury(&mut tx).await?;
        worker::arrive(&mut tx, &alone.name, role).await?;
        tx.commit().await?;
        Ok(Self { told: Some(Arc::new(Mutex::new(began))), ..alone })
    }

    /// Under which name it holds things.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether no other process can be there.
    pub fn is_alone(&self) -> bool {
        self.told.is_none()
    }

    /// Whether what it holds is certainly its own still.
    pub fn is_certain(&self) -> bool {
        let last = |told: &Arc<Mutex<Instant>>| *told.lock().unwrap_or_else(PoisonError::into_inner);
        self.told.as_ref().is_none_or(|told| last(told).elapsed() < DOUBTED_AFTER)
    }

    /// Tells it until `stop`, then that it is over.
    pub async fn run(self, main: Database, stop: CancellationToken) {
        let Some(told) = self.told.clone() else { return };
        while !stop.is_cancelled() {
            tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = stop.cancelled() => break }
            let began = Instant::now();
            match self.tell(&main).await {
                Ok(()) => *told.lock().unwrap_or_else(PoisonError::into_inner) = began,
                Err(error) => tracing::warn!(%error, "the database was not told that this process lives"),
            }
        }
        if let Err(error) = self.leave(&main).await {
            tracing::warn!(%error, "the database was not told that this process ends: others wait some seconds");
        }
    }

    async fn tell(&self, main: &Database) -> Result<(), Error> {
        let mut tx = main.begin_apart().await?;
        if !worker::beat(&mut tx, &self.name).await? {
            worker::arrive(&mut tx, &self.name, self.role).await?;
        }
        tx.commit().await
    }

    async fn leave(&self, main: &Database) -> Result<(), Error> {
        let mut tx = main.begin_apart().await?;
        worker::leave(&mut tx, &self.name).await?;
        tx.commit().await
    }
}
