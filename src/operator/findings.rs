//! What the stages found, and whom it concerns: a source or consumer itself, a subscription whose list changed, and subscriptions
//! where a schema offers something else than before. Nothing else that is found at a source is in a subscription's status, so a busy one wakes none.

use std::collections::HashMap;

use super::fleet::{Fleet, Reference};
use crate::domain::resource::ResourceKey;
use crate::store::source::SchemaState;
use crate::store::{self, Conn, consumer, list_state, source};

/// How far was read, and what each source's schema offered then.
#[derive(Debug, Default)]
pub struct Findings {
    sources: i64,
    consumers: i64,
    lists: i64,
    schemas: HashMap<ResourceKey, Option<SchemaState>>,
}

impl Findings {
    /// Reads what the schemas offer, before any subscription is looked at.
    pub async fn begin(fleet: &Fleet) -> Self {
        let mut new = Self::default();
        if let Err(error) = new.of_sources(fleet).await {
            tracing::warn!(%error, "what the stages found could not be read");
        }
        Self { schemas: new.schemas, ..Self::default() }
    }

    /// Has those looked at whom it concerns what was found since the last look.
    pub async fn look(&mut self, fleet: &Fleet) -> Result<(), store::Error> {
        for (key, offers_anew) in self.of_sources(fleet).await? {
            if offers_anew {
                fleet.wake_subscriptions(Reference::Source, &key);
            }
            fleet.sources.wake(key);
        }
        let mut conn = fleet.context().store.main.read().await?;
        let (changed, consumers) = consumer::changed_since(&mut conn, self.consumers).await?;
        changed.into_iter().filter(|key| fleet.scope.contains(key)).for_each(|key| fleet.consumers.wake(key));
        self.consumers = consumers;
        let (changed, lists) = list_state::changed_since(&mut conn, self.lists).await?;
        changed.into_iter().filter(|key| fleet.scope.contains(key)).for_each(|key| fleet.subscriptions.wake(key));
        self.lists = lists;
        Ok(())
    }

    /// The sources where something was found, and whether their schema offers something else.
    async fn of_sources(&mut self, fleet: &Fleet) -> Result<Vec<(ResourceKey, bool)>, store::Error> {
        let mut conn = fleet.context().store.main.read().await?;
        let (changed, sources) = source::changed_since(&mut conn, self.sources).await?;
        let mut found = Vec::new();
        for key in changed.into_iter().filter(|key| fleet.scope.contains(key)) {
            let schema = schema(&mut conn, &key).await?;
            let offers_anew = self.schemas.get(&key) != Some(&schema);
            self.schemas.insert(key.clone(), schema);
            found.push((key, offers_anew));
        }
        self.sources = sources;
        Ok(found)
    }
}

async fn schema(conn: &mut Conn, key: &ResourceKey) -> Result<Option<SchemaState>, store::Error> {
    let Some(row) = source::find(&mut *conn, key).await? else { return Ok(None) };
    Ok(source::state(conn, row.id).await?.and_then(|state| state.schema))
}
