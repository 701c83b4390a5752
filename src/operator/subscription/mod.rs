//! `CprSubscription` to a row that ingest matches by: who is covered, what is heard, what may be given.

pub mod apply;
pub mod build;
pub mod ceiling;
pub mod dereference;
pub mod keep;
pub mod life;
pub mod list;
pub mod plan;
pub mod status;
pub mod validate;

use super::fleet::{Fleet, View, key_of};
use super::kind::Kind;
use super::report::Done;
use super::requeue::Error;
use crate::api::conditions::{ConditionType, OF_SUBSCRIPTION};
use crate::api::subscription::CprSubscription;
use crate::domain::resource::ResourceKey;
use crate::store;

impl Kind for CprSubscription {
    const CONTROLLER: &'static str = "cprsubscription";
    const CONDITIONS: &'static [ConditionType] = OF_SUBSCRIPTION;

    fn view(fleet: &Fleet) -> &View<Self> {
        &fleet.subscriptions
    }

    async fn reconcile(&self, fleet: &Fleet) -> Result<Done, Error> {
        let source = self.spec.source_ref.key(&key_of(self).namespace);
        if !(fleet.has_listed_sources_of(&source) && fleet.consumers.is_listed()) {
            // What is absent may be there: asked again as soon as both lists are complete.
            return Ok(Done::quiet(Some(fleet.now())));
        }
        let found = dereference::dereference(self, fleet).await?;
        let checked = validate::validate(self, &found, fleet.now());
        let wanted = checked.map(build::build);
        let lines = list::read(self.spec.select.persons_secret_ref.as_ref(), &found.key, fleet).await?;
        let applied = apply::apply(self, found, wanted, lines, fleet).await?;
        status::report(self, &applied, fleet).await
    }

    async fn distrust(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
        apply::distrust(fleet, key).await
    }

    async fn stored(fleet: &Fleet) -> Result<Vec<ResourceKey>, store::Error> {
        apply::stored(fleet).await
    }

    async fn end(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
        apply::end(fleet, key).await
    }
}
