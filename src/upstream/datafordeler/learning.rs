//! What is remembered of the services: their schemas, when they are read again, and what they turned out to demand.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use super::answer::Refusal;
use super::error::Error;
use super::fields::PERSON;
use super::schema::Known;
use super::transport::{Service, Transport};

/// The memory of one source's client.
#[derive(Default)]
pub struct Memory {
    known: Mutex<Option<(Arc<Known>, Instant)>>,
    /// When the schemas could last not be read.
    unread: Mutex<Option<Instant>>,
    learning: tokio::sync::Mutex<()>,
    /// Documented names of members that the person service would not do without.
    demanded: Mutex<BTreeSet<&'static str>>,
}

/// How long the documented form stands in before the schemas are asked for again.
const UNSEEN_MAX_AGE: Duration = Duration::from_secs(600);

impl Memory {
    /// What was learnt last.
    pub fn last(&self) -> Option<Arc<Known>> {
        lock(&self.known).as_ref().map(|(known, _)| known.clone())
    }

    /// What is known, read first where that is due. When it cannot be read again, what was known before goes on.
    pub async fn known(&self, transport: &Transport, settings: &Settings) -> Result<Arc<Known>, Error> {
        let before = self.last();
        let failed_lately = lock(&self.unread).is_some_and(|at| at.elapsed() < settings.schema_min_age);
        if let Some(known) = before.clone().filter(|_| failed_lately) {
            return Ok(known);
        }
        match self.learn(transport, settings.schema_max_age).await {
            Ok(known) => Ok(known),
            Err(error) => before.ok_or(error),
        }
    }

    /// What is known, read again where it is older than `max_age`. One reading at a time.
    pub async fn learn(&self, transport: &Transport, max_age: Duration) -> Result<Arc<Known>, Error> {
        if let Some(known) = self.within(max_age) {
            return Ok(known);
        }
        let _one = self.learning.lock().await;
        if let Some(known) = self.within(max_age) {
            return Ok(known);
        }
        let read = read(transport).await;
        *lock(&self.unread) = read.is_err().then(Instant::now);
        let known = Arc::new(read?);
        *lock(&self.known) = Some((known.clone(), Instant::now()));
        Ok(known)
    }

    /// What is known and not older than `max_age`; the documented form is not believed for long.
    fn within(&self, max_age: Duration) -> Option<Arc<Known>> {
        let known = lock(&self.known);
        let (known, read) = known.as_ref()?;
        let max_age = if known.understanding.from_schema { max_age } else { max_age.min(UNSEEN_MAX_AGE) };
        (read.elapsed() < max_age).then(|| known.clone())
    }

    /// Takes up what a refusal says of the schema. Says whether asking again can help.
    pub async fn adapt(&self, transport: &Transport, settings: &Settings, known: &Known, refusal: &Refusal) -> bool {
        if !refusal.about_schema {
            return false;
        }
        if self.demand(&refusal.demanded) {
            return true;
        }
        let again = self.learn(transport, settings.schema_min_age).await;
        again.is_ok_and(|again| again.understanding.hash != known.understanding.hash)
    }

    /// Adds those of `names` that are members of a person. Says whether one was new.
    fn demand(&self, names: &[String]) -> bool {
        let mut demanded = lock(&self.demanded);
        let before = demanded.len();
        let meant = PERSON.iter().filter(|field| names.iter().any(|name| field.is_called(name)));
        demanded.extend(meant.map(|field| field.key()));
        demanded.len() > before
    }

    /// Documented names of members that are selected whatever is asked.
    pub fn demanded(&self) -> Vec<&'static str> {
        lock(&self.demanded).iter().copied().collect()
    }
}

async fn read(transport: &Transport) -> Result<Known, Error> {
    let entities = transport.schema(Service::Entities).await?;
    let persons = transport.schema(Service::Persons).await?;
    Ok(Known::read(entities.as_deref(), persons.as_deref()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
