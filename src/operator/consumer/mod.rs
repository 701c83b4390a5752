//! `ConsumerSystem` to a row that delivery reads, to the secrets that sign, and to the rights that subscriptions draw from.

pub mod access;
pub mod apply;
pub mod build;
pub mod dereference;
pub mod rights;
pub mod status;
pub mod validate;

use super::fleet::{Fleet, Reference, View};
use super::kind::Kind;
use super::report::Done;
use super::requeue::Error;
use super::workers::names::Role;
use super::workers::wish::Wish;
use crate::api::conditions::{ConditionType, OF_CONSUMER};
use crate::api::consumer::ConsumerSystem;
use crate::domain::resource::ResourceKey;
use crate::store;

impl Kind for ConsumerSystem {
    const CONTROLLER: &'static str = "consumersystem";
    const CONDITIONS: &'static [ConditionType] = OF_CONSUMER;

    fn view(fleet: &Fleet) -> &View<Self> {
        &fleet.consumers
    }

    async fn reconcile(&self, fleet: &Fleet) -> Result<Done, Error> {
        let found = dereference::dereference(self, fleet).await?;
        let checked = validate::validate(self, &found, &fleet.context().network.allowed_networks);
        let wanted = checked.map(build::build);
        let applied = apply::apply(self, &found, wanted, fleet).await?;
        let done = status::report(self, &applied, fleet).await?;
        if done.taken_up {
            fleet.wake_subscriptions(Reference::Consumer, &found.key);
        }
        Ok(done)
    }

    async fn distrust(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
        // Its workers go on, but its rights are not known any more, so its subscriptions must not give anything.
        fleet.process.ask_for_workers(Role::Deliver, key, Wish::Unknown);
        fleet.wake_subscriptions(Reference::Consumer, key);
        Ok(())
    }

    async fn stored(fleet: &Fleet) -> Result<Vec<ResourceKey>, store::Error> {
        apply::stored(fleet).await
    }

    async fn end(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
        apply::end(fleet, key).await
    }
}
