//! What is there: the objects of all workers of this installation, watched by their label.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::names;
use super::wish::Wishes;
use crate::operator::watch::without_errors;

/// A kind of object that workers have.
pub trait Part:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl Part for Deployment {}
impl Part for Secret {}
impl Part for ServiceAccount {}
impl Part for NetworkPolicy {}
impl Part for PodDisruptionBudget {}

/// The objects of one kind.
pub struct Shelf<K: Part> {
    /// Where they are read and written.
    pub api: Api<K>,
    namespace: String,
    objects: Store<K>,
    listed: Arc<AtomicBool>,
}

impl<K: Part> Shelf<K> {
    /// An empty one, and what fills it until `stop`.
    fn begin(
        client: &Client,
        namespace: &str,
        anchor: &str,
        wishes: Arc<Wishes>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<K>) {
        let (objects, writer) = reflector::store();
        let api = Api::<K>::namespaced(client.clone(), namespace);
        let new = Self { api: api.clone(), namespace: namespace.to_owned(), objects, listed: Arc::default() };
        let (listed, config) = (Arc::clone(&new.listed), watcher::Config::default().labels(&names::selector(anchor)));
        let filling = async move {
            let watched = watcher(api, config).default_backoff().reflect(writer);
            let mut watched =
                Box::pin(without_errors(watched, K::kind(&()).into_owned()).take_until(stop.cancelled_owned()));
            while let Some(event) = watched.next().await {
                match event {
                    Ok(watcher::Event::InitDone) => listed.store(true, Ordering::Release),
                    Ok(watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {}
                    Ok(_) | Err(_) => continue,
                }
                wishes.changed.notify_one();
            }
        };
        (new, filling)
    }

    /// The object of a name, if it is there.
    pub fn get(&self, name: &str) -> Option<Arc<K>> {
        self.objects.get(&ObjectRef::new(name).within(&self.namespace))
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.objects.state()
    }

    fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }
}

/// The objects of all kinds.
pub struct Present {
    /// Own what else a worker has.
    pub accounts: Shelf<ServiceAccount>,
    /// Hold what a worker needs of its resources' Secrets.
    pub secrets: Shelf<Secret>,
    /// Say whom a worker may reach.
    pub policies: Shelf<NetworkPolicy>,
    /// Keep workers running.
    pub deployments: Shelf<Deployment>,
    /// Keep one running while nodes are drained.
    pub budgets: Shelf<PodDisruptionBudget>,
}

impl Present {
    /// Nothing yet, and what follows the cluster until `stop`. Each change rings.
    pub fn begin(
        client: &Client,
        namespace: &str,
        anchor: &str,
        wishes: &Arc<Wishes>,
        stop: &CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        macro_rules! shelf {
            () => {
                Shelf::begin(client, namespace, anchor, Arc::clone(wishes), stop.clone())
            };
        }
        let (accounts, one) = shelf!();
        let (secrets, two) = shelf!();
        let (policies, three) = shelf!();
        let (deployments, four) = shelf!();
        let (budgets, five) = shelf!();
        let filling = async move {
            tokio::join!(one, two, three, four, five);
        };
        (Self { accounts, secrets, policies, deployments, budgets }, filling)
    }

    /// Whether all is known that is there.
    pub fn is_listed(&self) -> bool {
        let Self { accounts, secrets, policies, deployments, budgets } = self;
        let first = accounts.is_listed() && secrets.is_listed() && policies.is_listed();
        first && deployments.is_listed() && budgets.is_listed()
    }
}
