//! `CprSource` to a row that ingest reads, and to the credentials that it reads the register with.

pub mod apply;
pub mod build;
pub mod dereference;
pub mod grants;
pub mod status;
pub mod validate;

use super::fleet::{Fleet, Reference, View};
use super::kind::Kind;
use super::report::Done;
use super::requeue::Error;
use crate::api::conditions::{ConditionType, OF_SOURCE};
use crate::api::source::CprSource;
use crate::domain::resource::ResourceKey;
use crate::store;

impl Kind for CprSource {
    const CONTROLLER: &'static str = "cprsource";
    const CONDITIONS: &'static [ConditionType] = OF_SOURCE;

    fn view(fleet: &Fleet) -> &View<Self> {
        &fleet.sources
    }

    async fn reconcile(&self, fleet: &Fleet) -> Result<Done, Error> {
        let found = dereference::dereference(self, fleet).await?;
        let checked = validate::validate(self, &found, &validate::Platform::of(fleet));
        let wanted = checked.map(build::build);
        let applied = apply::apply(self, &found, wanted, fleet).await?;
        let done = status::report(self, &applied, fleet).await?;
        if done.taken_up {
            fleet.wake_subscriptions(Reference::Source, &found.key);
        }
        Ok(done)
    }

    async fn distrust(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
        // What it reads is decided by subscriptions, so the last good form may stay; what it grants may not.
        apply::distrust(fleet, key).await
    }

    async fn stored(fleet: &Fleet) -> Result<Vec<ResourceKey>, store::Error> {
        apply::stored(fleet).await
    }

    async fn end(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
        apply::end(fleet, key).await
    }
}
