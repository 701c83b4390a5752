//! A process that plays roles: what it opens, what its roles share, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{COMMIT, VERSION, bridge, secrets};
use crate::delivery::credentials::SigningBook;
use crate::domain::resource::ResourceKey;
use crate::ingest::credentials::CredentialBook;
use crate::operator::connect::{self, ClusterConfig};
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::runtime::probes::{self, Health};
use crate::runtime::{shutdown, telemetry};
use crate::settings::Settings;
use crate::store::presence::Presence;
use crate::store::{self, Store};
use crate::{admin, delivery, ingest, operator};

/// How long a supervisor may be silent before `/livez` fails. It waits for the requests of a source that was changed, and a
/// slow register must not end the process.
const STUCK: Duration = Duration::from_secs(600);

/// How soon a database that could not be used is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Everything that the roles of a process share.
pub(super) struct Process {
    settings: Settings,
    store: Store,
    clock: Clock,
    bells: Bells,
    signing: SigningBook,
    credentials: CredentialBook,
    registry: Registry,
    health: Health,
    presence: Presence,
    stop: CancellationToken,
    /// Ends what goes on until all roles have ended.
    leave: CancellationToken,
    roles: Vec<JoinHandle<()>>,
    /// What goes on until then.
    beside: Vec<JoinHandle<()>>,
}

impl Process {
    /// Opens the store and says that the process is there.
    pub(super) async fn begin(settings: Settings, role: &'static str) -> anyhow::Result<Self> {
        telemetry::start(&settings.log).map_err(anyhow::Error::msg)?;
        let stop = shutdown::on_signal()?;
        let clock = Clock::system();
        let store = open(&settings, &clock, &stop).await?;
        tracing::info!(version = VERSION, role, store = %store.id, path = %settings.store.path.display(), "starting");
        let presence = Presence::begin(&store.main, role).await?;
        let mut process = Self {
            settings,
            store,
            clock,
            bells: Bells::default(),
            signing: SigningBook::default(),
            credentials: CredentialBook::default(),
            registry: Registry::default(),
            health: Health::default(),
            presence,
            stop,
            leave: CancellationToken::new(),
            roles: Vec::new(),
            beside: Vec::new(),
        };
        process.tell_build();
        process.join_others().await?;
        Ok(process)
    }

    fn tell_build(&mut self) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("commit", COMMIT)]);
        self.registry.register("cpr_operator_build", "The program that runs", build);
    }

    /// Where others share the database: tells them that this process lives, and hears their bells.
    async fn join_others(&mut self) -> anyhow::Result<()> {
        if self.presence.is_alone() {
            return Ok(());
        }
        let living = self.presence.clone().run(self.store.main.clone(), self.leave.clone());
        self.beside.push(tokio::spawn(living));
        let bridge = bridge::run(&self.settings.database, self.store.clone(), self.bells.clone(), self.leave.clone())?;
        self.beside.push(tokio::spawn(bridge));
        Ok(())
    }

    /// Takes secrets from files in a folder.
    pub(super) fn read_secrets(&mut self, folder: std::path::PathBuf) {
        let books = secrets::Books { signing: self.signing.clone(), credentials: self.credentials.clone() };
        self.beside.push(tokio::spawn(secrets::watch(folder, books, self.bells.clone(), self.leave.clone())));
    }

    /// Reads these sources; none: all.
    pub(super) fn ingest(&mut self, only: Option<Vec<ResourceKey>>) {
        let metrics = ingest::metrics::Metrics::default();
        metrics.register(&mut self.registry);
        let context = ingest::supervisor::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            credentials: self.credentials.clone(),
            bells: self.bells.clone(),
            settings: self.settings.ingest.clone(),
            lists: self.settings.lists.clone(),
            register: self.settings.register.clone(),
            network: self.settings.network.clone(),
            retention: self.settings.retention.clone(),
            metrics,
            presence: self.presence.clone(),
            only,
        };
        let pulse = self.health.watch("ingest", STUCK);
        self.spawn(ingest::supervisor::run(context, self.stop.clone(), pulse));
    }

    /// Delivers to these consumers; none: all.
    pub(super) fn deliver(&mut self, only: Option<Vec<ResourceKey>>) {
        let metrics = delivery::metrics::Metrics::default();
        metrics.register(&mut self.registry);
        let context = delivery::supervisor::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            signing: self.signing.clone(),
            bells: self.bells.clone(),
            settings: self.settings.delivery.clone(),
            network: self.settings.network.clone(),
            undelivered: self.settings.retention.undelivered,
            metrics,
            chance: delivery::chance::Chance::system(),
            presence: self.presence.clone(),
            only,
        };
        let pulse = self.health.watch("delivery", STUCK);
        self.spawn(delivery::supervisor::run(context, self.stop.clone(), pulse));
    }

    /// Reconciles custom resources, where that is wanted.
    pub(super) fn reconcile(&mut self) {
        if !self.settings.operator.enabled {
            return;
        }
        let metrics = operator::metrics::Metrics::default();
        metrics.register(&mut self.registry);
        let context = operator::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            signing: self.signing.clone(),
            credentials: self.credentials.clone(),
            bells: self.bells.clone(),
            settings: self.settings.operator.clone(),
            network: self.settings.network.clone(),
            lists: self.settings.lists.clone(),
            register: self.settings.register.clone(),
            workers: self.settings.workers.clone(),
            database: self.settings.database.clone(),
            accept_local_root_key: self.settings.store.accept_local_root_key,
            metrics,
        };
        self.spawn(operator::run(context, ClusterConfig::Inferred, self.stop.clone()));
    }

    /// A role that ends before it was told to takes the process with it: a supervisor starts it again as a whole.
    fn spawn(&mut self, role: impl Future<Output = ()> + Send + 'static) {
        let ended = self.stop.clone();
        self.roles.push(tokio::spawn(async move {
            let _ends_all = ended.drop_guard();
            role.await;
        }));
    }

    fn administer(&mut self, listener: UnixListener, metrics: Arc<Registry>) {
        let client: Arc<OnceCell<kube::Client>> = Arc::default();
        let context = admin::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            signing: self.signing.clone(),
            bells: self.bells.clone(),
            settings: Arc::new(self.settings.clone()),
            metrics,
            version: VERSION,
            cluster: Arc::new(move || Box::pin(connected(client.clone()))),
        };
        let serving = admin::server::serve(listener, context, self.stop.clone());
        self.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the admin socket ended");
            }
        });
    }

    /// Serves probes, metrics and the admin socket until told to stop; what is in flight is finished and written before it
    /// ends.
    pub(super) async fn run(mut self, places: Places) -> anyhow::Result<()> {
        let registry = Arc::new(std::mem::take(&mut self.registry));
        self.administer(places.admin, registry.clone());
        tracing::info!(address = %places.http.local_addr()?, "probes and metrics");
        self.health.set_ready();
        let serving = probes::serve(places.http, self.health.clone(), registry, self.stop.clone());
        serving.await.context("serving probes and metrics")?;
        for role in self.roles {
            role.await.context("a role of the process ended by a fault of its own")?;
        }
        self.leave.cancel();
        for task in self.beside {
            task.await.context("a task of the process ended by a fault of its own")?;
        }
        self.store.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Opens the store; waits for a server that is away or whose schema is not up to date yet.
async fn open(settings: &Settings, clock: &Clock, stop: &CancellationToken) -> Result<Store, store::Error> {
    loop {
        match store::open(&settings.store, &settings.database, clock.now()).await {
            Err(error) if error.is_passing() || matches!(error, store::Error::NotMigrated { .. }) => {
                tracing::warn!(%error, "the database cannot be used yet; trying again");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = stop.cancelled() => return Err(error),
                }
            }
            opened => return opened,
        }
    }
}

/// Where a process is spoken to. Taken before any role begins: one whose address is taken must not have done anything.
pub(super) struct Places {
    http: TcpListener,
    admin: UnixListener,
}

impl Places {
    pub(super) async fn take(process: &Process) -> anyhow::Result<Self> {
        let settings = &process.settings;
        let listen = settings.http.listen;
        let http = TcpListener::bind(listen).await.with_context(|| format!("http.listen {listen}"))?;
        let socket = settings.admin.socket(&settings.store.path);
        let admin = admin::server::bind(&socket).with_context(|| format!("admin.socket {}", socket.display()))?;
        Ok(Self { http, admin })
    }
}

/// The client by which the admin socket asks the cluster who a caller is; made when it is first needed.
async fn connected(client: Arc<OnceCell<kube::Client>>) -> Result<kube::Client, String> {
    let metrics = operator::metrics::Metrics::default();
    let made = client.get_or_try_init(|| connect::connect(&ClusterConfig::Inferred, &metrics)).await;
    made.cloned().map_err(|error| error.to_string())
}
