//! The operator: turns the resources that users write into rows of the store, and says in their status what became of them.
//!
//! In come resources from the API server, Secrets that they name, and what the stages found. Out go compiled rows with their
//! generation, credentials handed to the stages in memory, audit entries of what may be disclosed and why, and statuses.
//! A resource that is wrong stops nothing else; one that cannot be read is said to be so. Only the leader works here, and
//! losing the Lease or the API server stops neither ingest nor delivery. Who acts when it fails: the platform team, told by
//! metrics and log lines; the resource's author, told by its conditions.
//!
//! Each kind has a folder with the same five steps: `dereference`, `validate`, `build`, `apply`, `status`. What lies outside the
//! store are workers, in a namespace of their own, so no resource has a finalizer: deletion is seen by the watch and by each
//! complete list.
//! What is renewed without a new generation comes from watches of labelled Secrets and ConfigMaps; a ConfigMap without the
//! label `cpr-operator.dev/use` is read again with each resync.

pub mod connect;
pub mod consumer;
mod counts;
pub mod events;
pub mod expiry;
mod findings;
pub mod fleet;
pub mod kept;
pub mod kind;
pub mod metrics;
pub mod network;
pub mod orphans;
pub mod record;
pub mod refusal;
pub mod report;
pub mod requeue;
pub mod secrets;
pub mod source;
pub mod subscription;
pub mod watch;
pub mod workers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::DeserializeGuard;
use kube::runtime::reflector;
use kube::runtime::reflector::store::Writer;
use kube::{Api, Client};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::api::consumer::ConsumerSystem;
use crate::api::names::ADOPT_STORE;
use crate::api::source::CprSource;
use crate::api::subscription::CprSubscription;
use crate::delivery::credentials::{AccessBook, SigningBook};
use crate::domain::resource::ResourceKey;
use crate::ingest::credentials::CredentialBook;
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::runtime::leader::{self, Change, Election, Standing, StoreClaim};
use crate::settings::database::DatabaseSettings;
use crate::settings::lists::ListSettings;
use crate::settings::network::NetworkSettings;
use crate::settings::operator::OperatorSettings;
use crate::settings::register::RegisterSettings;
use crate::settings::workers::WorkerSettings;
use crate::store::Store;
use connect::ClusterConfig;
use counts::Counts;
use events::Announcer;
use findings::Findings;
use fleet::{Fleet, Process, Scope, View};
use kept::Kept;
use kind::Kind;
use metrics::Metrics;
use secrets::Fingerprints;
use subscription::list::Brought;
use watch::Uses;

/// Annotation of the Lease with the id of the store whose processes may reconcile.
const STORE_ANNOTATION: &str = "cpr-operator.dev/store";

/// Labels of the Secrets that are watched.
const USED_SECRETS: &str = "cpr-operator.dev/use in (source,signing,oauth,client-certificate,persons)";

/// Label of the ConfigMaps that are watched.
const USED_CONFIG_MAPS: &str = "cpr-operator.dev/use";

/// What the operator works with.
#[derive(Clone)]
pub struct Context {
    /// The store.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// Where delivery finds its signing secrets.
    pub signing: SigningBook,
    /// Where it finds what lets us in at the consumers.
    pub access: AccessBook,
    /// Where ingest finds its register credentials.
    pub credentials: CredentialBook,
    /// Bells of the other stages.
    pub bells: Bells,
    /// What is reconciled, and who leads.
    pub settings: OperatorSettings,
    /// How fast lists of persons may grow.
    pub lists: ListSettings,
    /// How registers are spoken to, to say how long a list takes to load.
    pub register: RegisterSettings,
    /// What the platform opens.
    pub network: NetworkSettings,
    /// The workers that are made.
    pub workers: WorkerSettings,
    /// The database that they share.
    pub database: DatabaseSettings,
    /// Whether a root key that lies beside the database may serve sources with `environment: Production`.
    pub accept_local_root_key: bool,
    /// What is measured.
    pub metrics: Metrics,
}

/// Reconciles until `stop`, whenever this process leads. Keeps trying where there is no cluster or no API server yet.
pub async fn run(context: Context, cluster: ClusterConfig, stop: CancellationToken) {
    context.metrics.set_leading(&context.settings.lease_name, false);
    let Some(client) = connected(&cluster, &context.metrics, &stop).await else { return };
    let identity = identity();
    let election = election(&context, &client, &identity);
    let (metrics, lease) = (context.metrics.clone(), context.settings.lease_name.clone());
    let process = Arc::new(Process {
        context,
        fingerprints: Fingerprints::new(),
        next_refresh: Mutex::new(Timestamp::UNIX_EPOCH),
        fleets: Mutex::default(),
        wishes: Arc::default(),
    });
    let work = |end| reconcile(Arc::clone(&process), client.clone(), identity.clone(), end);
    leader::run(election, stop, |change| tell(&metrics, &lease, change), work).await;
    metrics.set_leading(&lease, false);
}

/// A client as soon as a cluster is configured; none where `stop` comes first.
async fn connected(cluster: &ClusterConfig, metrics: &Metrics, stop: &CancellationToken) -> Option<Client> {
    let mut last = String::new();
    let mut wait = Duration::from_secs(1);
    while !stop.is_cancelled() {
        match connect::connect(cluster, metrics).await {
            Ok(client) => return Some(client),
            Err(error) if error.to_string() != last => {
                last = error.to_string();
                tracing::warn!(error = last, "resources are not reconciled yet");
            }
            Err(_) => {}
        }
        let _ = tokio::time::timeout(requeue::spread(wait, requeue::chance()), stop.cancelled()).await;
        wait = (wait * 2).min(Duration::from_secs(60));
    }
    None
}

fn election(context: &Context, client: &Client, identity: &str) -> Election {
    let settings = &context.settings;
    let namespace = lease_namespace(client, settings);
    let store =
        StoreClaim { id: context.store.id.clone(), annotation: STORE_ANNOTATION, adopt_annotation: ADOPT_STORE };
    let api = Api::namespaced(client.clone(), &namespace);
    Election::new(api, &settings.lease_name, identity, settings.lease_duration, store)
}

/// The setting, else the namespace of the client's configuration: in a pod its own, with a kubeconfig that of its context.
fn lease_namespace(client: &Client, settings: &OperatorSettings) -> String {
    if settings.lease_namespace.is_empty() {
        client.default_namespace().to_owned()
    } else {
        settings.lease_namespace.clone()
    }
}

/// A name of this process that no other has, and that its pod can be told by.
fn identity() -> String {
    let pod =
        std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "cpr-operator".into());
    format!("{pod}_{}", uuid::Uuid::new_v4())
}

fn tell(metrics: &Metrics, lease: &str, change: &Change) {
    metrics.set_leading(lease, *change == Change::Standing(Standing::Leading));
    match change {
        Change::Standing(Standing::Leading) => tracing::info!(lease, "this process reconciles"),
        Change::Standing(Standing::HeldElsewhere) => tracing::info!(lease, "another process reconciles"),
        Change::Standing(Standing::OtherStore(store)) => tracing::error!(
            lease,
            store,
            "the Lease belongs to another store: nothing is reconciled until its annotation {ADOPT_STORE} holds this store's id"
        ),
        Change::Unreachable(error) => {
            tracing::warn!(lease, error, "the API server was not reached: nothing is reconciled")
        }
    }
}

/// Runs all controllers until `stop`, then until what is under way is finished.
async fn reconcile(process: Arc<Process>, client: Client, identity: String, stop: CancellationToken) {
    process.wishes.clear();
    let scopes = Scope::of(&process.context.settings.namespaces);
    let fitted: Vec<_> = scopes.into_iter().map(|scope| fit_out(&process, &client, scope, &identity)).collect();
    // All are known to each other before the first one looks for a source of another namespace.
    *process.fleets.lock().expect("no holder panics") = fitted.iter().map(|(fleet, _)| Arc::downgrade(fleet)).collect();
    let fleets = fitted.into_iter().map(|(fleet, inlets)| sail(fleet, inlets, stop.clone()));
    let workers = workers::run(Arc::clone(&process), client, stop.clone());
    tokio::join!(future::join_all(fleets.collect::<Vec<_>>()), workers);
}

/// Where the objects of one kind come in, and who is to be looked at.
struct Inlet<K: Kind> {
    writer: Writer<DeserializeGuard<K>>,
    woken: UnboundedReceiver<ResourceKey>,
}

fn view<K: Kind>() -> (View<K>, Inlet<K>) {
    let (reader, writer) = reflector::store();
    let (wake, woken) = unbounded_channel();
    (View::new(reader, wake), Inlet { writer, woken })
}

type Inlets = (Inlet<CprSource>, Inlet<ConsumerSystem>, Inlet<CprSubscription>);

fn fit_out(process: &Arc<Process>, client: &Client, scope: Scope, identity: &str) -> (Arc<Fleet>, Inlets) {
    let (sources, sources_in) = view::<CprSource>();
    let (consumers, consumers_in) = view::<ConsumerSystem>();
    let (subscriptions, subscriptions_in) = view::<CprSubscription>();
    let announcer = Announcer::new(client.clone(), identity, &process.context.metrics);
    let (process, client, counts) = (Arc::clone(process), client.clone(), Counts::default());
    let fleet = Fleet {
        began_at: process.context.clock.now(),
        process,
        client,
        scope,
        announcer,
        sources,
        consumers,
        subscriptions,
        counts,
        lists: Brought::default(),
        kept: Kept::default(),
    };
    (Arc::new(fleet), (sources_in, consumers_in, subscriptions_in))
}

async fn sail(fleet: Arc<Fleet>, (sources_in, consumers_in, subscriptions_in): Inlets, stop: CancellationToken) {
    let findings = Findings::begin(&fleet).await;
    tokio::join!(
        tend(&fleet, sources_in, &stop),
        tend(&fleet, consumers_in, &stop),
        tend(&fleet, subscriptions_in, &stop),
        watch::follow::<Secret>(Arc::clone(&fleet), USED_SECRETS, Uses::Secret, stop.clone()),
        watch::follow::<ConfigMap>(Arc::clone(&fleet), USED_CONFIG_MAPS, Uses::ConfigMap, stop.clone()),
        watch::poll(Arc::clone(&fleet), findings, stop.clone()),
    );
}

/// The controller of one kind, and the end of what was deleted.
async fn tend<K: Kind>(fleet: &Arc<Fleet>, inlet: Inlet<K>, stop: &CancellationToken) {
    let controller = watch::control::<K>(Arc::clone(fleet), inlet.writer, inlet.woken, stop.clone());
    tokio::join!(controller, orphans::run::<K>(Arc::clone(fleet), stop.clone()));
}
