//! One source as ingest works on it: who it is, the store, and the selections in force.

use std::sync::{Arc, Mutex};

use super::selections::Selections;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::resource::ResourceKey;
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::settings::ingest::IngestSettings;
use crate::settings::lists::ListSettings;
use crate::store::keys::Realm;
use crate::store::lease::{self, Lease};
use crate::store::{self, SourceId, Store, Tx, meta};

/// One source. One task works on it, so that no two writers meet on its persons.
pub struct Source {
    /// Row.
    pub id: SourceId,
    /// Namespace and name.
    pub key: ResourceKey,
    /// Authority and environment.
    pub realm: Realm,
    /// Both databases.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Who is woken.
    pub bells: Bells,
    /// How sources are read.
    pub settings: IngestSettings,
    /// How fast lists may grow.
    pub lists: ListSettings,
    /// That this process works on it and no other does; none where there is no other.
    pub lease: Option<Lease>,
    cached: Mutex<Option<Selections>>,
    offered: Mutex<GroupSet>,
}

impl Source {
    /// A source with nothing read yet.
    #[expect(clippy::too_many_arguments, reason = "one for each thing that a source works with")]
    pub fn new(
        id: SourceId,
        key: ResourceKey,
        realm: Realm,
        store: Store,
        clock: Clock,
        bells: Bells,
        settings: IngestSettings,
        lists: ListSettings,
        lease: Option<Lease>,
    ) -> Arc<Self> {
        let all = FieldGroup::ALL.into_iter().collect();
        Arc::new(Self {
            id,
            key,
            realm,
            store,
            clock,
            bells,
            settings,
            lists,
            lease,
            cached: Mutex::new(None),
            offered: Mutex::new(all),
        })
    }

    /// Begins to write alone, as long as this process works on the source.
    pub async fn begin(&self) -> Result<Tx, store::Error> {
        self.fenced(self.store.main.begin().await?).await
    }

    /// As [`Source::begin`], beside those who work on other sources.
    pub async fn begin_beside(&self) -> Result<Tx, store::Error> {
        self.fenced(self.store.main.begin_beside().await?).await
    }

    async fn fenced(&self, mut tx: Tx) -> Result<Tx, store::Error> {
        match &self.lease {
            Some(lease) if !lease::is_held(&mut tx, lease).await? => Err(store::Error::LeaseLost),
            _ => Ok(tx),
        }
    }

    /// The selections in force. When their version has moved, what changed is read.
    pub async fn selections(&self) -> Result<Selections, store::Error> {
        let mut conn = self.store.main.read().await?;
        let version = meta::selectors(&mut conn).await?;
        let known = self.cached.lock().expect("no holder panics").clone();
        let loaded = match known {
            Some(known) if known.version == version => return Ok(known),
            Some(known) => known.renew(&mut conn).await?,
            None => Selections::load(&mut conn).await?,
        };
        *self.cached.lock().expect("no holder panics") = Some(loaded.clone());
        Ok(loaded)
    }

    /// The groups that the register's schema has; all, until it was read.
    pub fn offered(&self) -> GroupSet {
        *self.offered.lock().expect("no holder panics")
    }

    /// Takes note of what the register's schema has.
    pub fn set_offered(&self, offered: GroupSet) {
        *self.offered.lock().expect("no holder panics") = offered;
    }
}
