//! All that the controllers of one scope share: the client, the objects last seen, who is to be looked at again and when.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::NamespaceResourceScope;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::Context;
use super::counts::Counts;
use super::events::Announcer;
use super::kept::Kept;
use super::kind::Kind;
use super::report::Desk;
use super::requeue::Attempts;
use super::secrets::Fingerprints;
use super::subscription::list::Brought;
use super::workers::names::Role;
use super::workers::wish::{Standing, Wish, Wishes};
use crate::api::consumer::ConsumerSystem;
use crate::api::source::CprSource;
use crate::api::subscription::CprSubscription;
use crate::domain::resource::ResourceKey;

/// Where resources are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In all namespaces.
    All,
    /// In this one. Several are watched side by side; only a reference to a source leads from one into another.
    Namespace(String),
}

impl Scope {
    /// The scopes of a setting that lists namespaces; an empty list means all.
    pub fn of(namespaces: &[String]) -> Vec<Scope> {
        match namespaces {
            [] => vec![Scope::All],
            some => some.iter().cloned().map(Scope::Namespace).collect(),
        }
    }

    /// The API of a kind within the scope. Every watch is made from it.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::All => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }

    /// Whether a resource lies within the scope.
    pub fn contains(&self, key: &ResourceKey) -> bool {
        match self {
            Self::All => true,
            Self::Namespace(namespace) => *namespace == key.namespace,
        }
    }
}

/// What outlives a change of leader: the context, and what is counted over all scopes.
pub struct Process {
    /// What the operator works with.
    pub context: Context,
    /// Fingerprints of secrets.
    pub fingerprints: Fingerprints,
    /// When the next refresh of a counter may be written, over all objects.
    pub next_refresh: Mutex<Timestamp>,
    /// The fleets at work, one for each scope.
    pub fleets: Mutex<Vec<Weak<Fleet>>>,
    /// What resources ask of workers.
    pub wishes: Arc<Wishes>,
}

impl Process {
    /// The fleets at work.
    pub fn fleets(&self) -> Vec<Arc<Fleet>> {
        self.fleets.lock().expect("no holder panics").iter().filter_map(Weak::upgrade).collect()
    }

    /// Has a resource looked at whose workers stand otherwise than before.
    pub fn wake(&self, role: Role, key: &ResourceKey) {
        for fleet in self.fleets().iter().filter(|fleet| fleet.scope.contains(key)) {
            match role {
                Role::Ingest => fleet.sources.wake(key.clone()),
                Role::Deliver => fleet.consumers.wake(key.clone()),
            }
        }
    }

    /// Takes what a resource asks of workers, and says how its workers stand.
    pub fn ask_for_workers(&self, role: Role, key: &ResourceKey, wish: Wish) -> Standing {
        match self.context.workers.are_made() {
            true => self.wishes.take(role, key, wish),
            false => Standing::not_provisioned(),
        }
    }
}

/// The controllers' shared ground within one scope.
pub struct Fleet {
    /// What outlives this fleet.
    pub process: Arc<Process>,
    /// The API server's client.
    pub client: Client,
    /// Where resources are watched.
    pub scope: Scope,
    /// Tells people what changed.
    pub announcer: Announcer,
    /// Sources.
    pub sources: View<CprSource>,
    /// Consumers.
    pub consumers: View<ConsumerSystem>,
    /// Subscriptions.
    pub subscriptions: View<CprSubscription>,
    /// Persons covered by each subscription, as last counted.
    pub counts: Counts,
    /// Lists of Secrets that were brought into the store.
    pub lists: Brought,
    /// Secrets as last read.
    pub kept: Kept,
    /// When it began to work.
    pub began_at: Timestamp,
}

impl Fleet {
    /// The operator's context.
    pub fn context(&self) -> &Context {
        &self.process.context
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.context().clock.now()
    }

    /// How often counters are written.
    pub fn status_interval(&self) -> SignedDuration {
        SignedDuration::try_from(self.context().settings.status_interval).unwrap_or(SignedDuration::MAX)
    }

    /// Has every resource looked at.
    pub fn wake_all(&self) {
        self.sources.wake_all();
        self.consumers.wake_all();
        self.subscriptions.wake_all();
    }

    /// Has the subscriptions looked at whose source or consumer is `key`, since that changed, wherever they are; and those that
    /// cannot be read, for nobody knows what they name.
    pub fn wake_subscriptions(&self, of: Reference, key: &ResourceKey) {
        match of {
            Reference::Source => self.process.fleets().iter().for_each(|fleet| fleet.wake_own(of, key)),
            Reference::Consumer => self.wake_own(of, key),
        }
    }

    fn wake_own(&self, of: Reference, key: &ResourceKey) {
        for object in self.subscriptions.all() {
            let own = key_of(&*object);
            let may_name = match (&object.0, of) {
                (Ok(subscription), Reference::Source) => subscription.spec.source_ref.key(&own.namespace) == *key,
                (Ok(subscription), Reference::Consumer) => {
                    own.namespace == key.namespace && subscription.spec.consumer_ref.name.as_str() == key.name
                }
                (Err(_), Reference::Source) => true,
                (Err(_), Reference::Consumer) => own.namespace == key.namespace,
            };
            if may_name {
                self.subscriptions.wake(own);
            }
        }
    }

    /// A source of whatever namespace is watched, if it is there.
    pub fn source(&self, key: &ResourceKey) -> Option<Arc<DeserializeGuard<CprSource>>> {
        self.watching(key).and_then(|fleet| fleet.sources.get(key))
    }

    /// Whether a source's absence means that it is not there: its namespace was listed, or nobody watches it.
    pub fn has_listed_sources_of(&self, key: &ResourceKey) -> bool {
        self.watching(key).is_none_or(|fleet| fleet.sources.is_listed())
    }

    fn watching(&self, key: &ResourceKey) -> Option<Arc<Fleet>> {
        self.process.fleets().into_iter().find(|fleet| fleet.scope.contains(key))
    }
}

/// Which reference of a subscription is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// That to its source.
    Source,
    /// That to its consumer.
    Consumer,
}

/// Namespace and name of an object.
pub fn key_of<K: Resource<DynamicType = ()>>(object: &K) -> ResourceKey {
    ResourceKey::new(object.meta().namespace.clone().unwrap_or_default(), object.name_any())
}

/// The objects of one kind as last seen, and what is to be done about them.
pub struct View<K: Kind> {
    objects: Store<DeserializeGuard<K>>,
    listed: AtomicBool,
    woken: UnboundedSender<ResourceKey>,
    alarms: Mutex<HashMap<ResourceKey, Timestamp>>,
    /// Rings when an object was deleted or a list is complete.
    pub compare: Notify,
    /// How often each failed in a row.
    pub attempts: Attempts,
    /// What was last written of each.
    pub desk: Desk<K::Status>,
}

impl<K: Kind> View<K> {
    /// A view of the objects in a store; resources to look at are sent to `woken`.
    pub fn new(objects: Store<DeserializeGuard<K>>, woken: UnboundedSender<ResourceKey>) -> Self {
        Self {
            objects,
            listed: AtomicBool::new(false),
            woken,
            alarms: Mutex::default(),
            compare: Notify::new(),
            attempts: Attempts::default(),
            desk: Desk::default(),
        }
    }

    /// Whether a list was complete since the start; before that, absence means nothing.
    pub fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }

    /// Remembers that a list was complete.
    pub fn set_listed(&self) {
        self.listed.store(true, Ordering::Release);
        self.compare.notify_one();
    }

    /// Forgets an object that was deleted, and has the store compared.
    pub fn set_deleted(&self, key: &ResourceKey) {
        self.forget(key);
        self.compare.notify_one();
    }

    /// Whether the object is there, readable or not.
    pub fn contains(&self, key: &ResourceKey) -> bool {
        self.objects.get(&object_ref(key)).is_some()
    }

    /// The object, if it is there.
    pub fn get(&self, key: &ResourceKey) -> Option<Arc<DeserializeGuard<K>>> {
        self.objects.get(&object_ref(key))
    }

    /// The object's status as it stands, which may be newer than `object`.
    pub fn last(&self, object: &K) -> K::Status {
        let key = key_of(object);
        self.desk.last(&key, object, || self.get(&key))
    }

    /// Every object, readable or not.
    pub fn all(&self) -> Vec<Arc<DeserializeGuard<K>>> {
        self.objects.state()
    }

    /// Has an object looked at soon.
    pub fn wake(&self, key: ResourceKey) {
        // Fails only where the controller has ended, and then there is nobody to wake.
        let _ = self.woken.send(key);
    }

    /// Has every object looked at soon.
    pub fn wake_all(&self) {
        self.objects.state().iter().for_each(|object| self.wake(key_of(&**object)));
    }

    /// Has an object looked at when its time has come; replaces an earlier alarm.
    pub fn set_alarm(&self, key: &ResourceKey, at: Option<Timestamp>) {
        let mut alarms = self.alarms.lock().expect("no holder panics");
        match at {
            Some(at) => alarms.insert(key.clone(), at),
            None => alarms.remove(key),
        };
    }

    /// Wakes the objects whose time has come.
    pub fn ring(&self, now: Timestamp) {
        let mut alarms = self.alarms.lock().expect("no holder panics");
        alarms.retain(|key, at| {
            let due = *at <= now;
            if due {
                self.wake(key.clone());
            }
            !due
        });
    }

    fn forget(&self, key: &ResourceKey) {
        self.set_alarm(key, None);
        self.attempts.forget(key);
        self.desk.forget(key);
    }
}

/// The reference by which the cache and the scheduler know an object.
pub fn object_ref<K: Kind>(key: &ResourceKey) -> ObjectRef<DeserializeGuard<K>> {
    ObjectRef::new(&key.name).within(&key.namespace)
}

/// The earlier of two times, where either may be absent.
pub fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
