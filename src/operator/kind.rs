//! What the controllers need to know of a kind, to treat all kinds alike.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::core::object::HasStatus;
use serde::de::DeserializeOwned;

use super::fleet::{Fleet, View};
use super::report::{Done, Status};
use super::requeue::Error;
use crate::api::conditions::ConditionType;
use crate::domain::resource::ResourceKey;
use crate::store;

/// A kind of resource that is reconciled.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status: Status>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Name of its controller.
    const CONTROLLER: &'static str;

    /// The conditions that each object has.
    const CONDITIONS: &'static [ConditionType];

    /// The view of its objects.
    fn view(fleet: &Fleet) -> &View<Self>;

    /// The five steps.
    fn reconcile(&self, fleet: &Fleet) -> impl Future<Output = Result<Done, Error>> + Send;

    /// Does to the store what an object demands that cannot be read.
    fn distrust(fleet: &Fleet, key: &ResourceKey) -> impl Future<Output = Result<(), Error>> + Send;

    /// The resources that the store has and does not know to be deleted.
    fn stored(fleet: &Fleet) -> impl Future<Output = Result<Vec<ResourceKey>, store::Error>> + Send;

    /// Ends a resource that was deleted, unless it is there again.
    fn end(fleet: &Fleet, key: &ResourceKey) -> impl Future<Output = Result<(), Error>> + Send;
}
