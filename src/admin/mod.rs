//! The admin socket: what people and programs on the machine may ask of the running process.
//!
//! In comes a request over a Unix socket beside the databases, from the command line. Who asks is known by a token of the cluster, allowed
//! by the cluster's own rules, or, where the settings allow it, by their user on this machine. What changes something is
//! handed to the stage that owns the work and carried out there, so that limits and keys stay in one place; each use, and
//! each refusal, is an entry of the audit record. When it fails, nothing but the command is affected.

pub mod consumer_test;
pub mod dead_letters;
pub mod deliveries;
pub mod doctor;
pub mod jobs;
pub mod persons;
pub mod plan;
mod problem;
pub mod report;
mod requests;
pub mod server;
pub mod who;
pub mod wire;

use std::sync::Arc;

use jiff::Timestamp;

use crate::audit::{self, Asker, Entry, Outcome};
use crate::delivery::credentials::{AccessBook, SigningBook};
use crate::domain::pairwise::RecordId;
use crate::domain::resource::ResourceKey;
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::runtime::probes::Measured;
use crate::settings::Settings;
use crate::store::consumer::ConsumerRow;
use crate::store::{self, ConsumerId, Store};
pub use problem::Problem;
use who::{Caller, Right};

/// What the socket works with.
#[derive(Clone)]
pub struct Context {
    /// Both databases.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Signing secrets in use.
    pub signing: SigningBook,
    /// What lets us in at the consumers.
    pub access: AccessBook,
    /// Whom we wake.
    pub bells: Bells,
    /// All settings.
    pub settings: Arc<Settings>,
    /// What is measured.
    pub metrics: Measured,
    /// Version and commit of the program.
    pub version: &'static str,
    /// Who asks the cluster what a caller may do.
    pub cluster: who::Cluster,
}

impl Context {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Who the caller is, if they may do this. A refusal is recorded.
    async fn admit(&self, caller: &Caller, right: &Right) -> Result<Asker, Problem> {
        match who::admit(&self.cluster, &self.settings.admin, caller, right).await {
            Ok(asker) => Ok(asker),
            Err(refused) => {
                let mut entry = Entry::new(self.now(), audit::EntryType::Refusal, Outcome::Refused);
                entry.class = Some(right.name());
                if let Some(asker) = &refused.asker {
                    entry = entry.asked_by(asker);
                }
                self.record(entry).await?;
                tracing::warn!(right = right.name(), reason = refused.problem.reason(), "a command was refused");
                Err(refused.problem)
            }
        }
    }

    /// Records a use that has no other transaction.
    async fn record(&self, entry: Entry) -> Result<(), Problem> {
        let mut tx = self.store.main.begin().await?;
        audit::record(&mut tx, &self.store.keys, &[entry]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The record of a person whom a consumer knows by this reference, where one is named.
    async fn person(&self, consumer: ConsumerId, reference: Option<&str>) -> Result<Option<RecordId>, Problem> {
        let Some(reference) = reference else { return Ok(None) };
        let found = self.store.keys.find_reference(consumer, reference).await?;
        let unknown = || {
            Problem::NotFound("the consumer knows nobody by this reference: take it from what it was sent".to_owned())
        };
        found.map(Some).ok_or_else(unknown)
    }

    /// A live consumer.
    async fn consumer(&self, key: &ResourceKey) -> Result<ConsumerRow, Problem> {
        let found = store::consumer::find(&mut *self.store.main.read().await?, key).await?;
        found.filter(|row| row.ended_at.is_none()).ok_or_else(|| Problem::not_found("ConsumerSystem", key))
    }
}
