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
use crate::delivery::credentials::{AccessBook, SigningBook};
use crate::domain::resource::ResourceKey;
use crate::ingest::credentials::CredentialBook;
use crate::operator::connect::{self, ClusterConfig};
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::runtime::probes::{self, Health, Measured};
use crate::runtime::{shutdown, telemetry};
use crate::settings::Settings;
use crate::store::presence::Presence;
use crate::store::trouble::Trouble;
use crate::store::{self, Store};
use crate::{admin, delivery, ingest, operator};

/// How long a supervisor may be silent before `/livez` fails. It waits for the requests of a source that was changed, and a
/// slow register must not end the process.
const STUCK: Duration = Duration::from_secs(600);

/// How soon a database that could not be used is tried again at first, and at most.
const AGAIN: Duration = Duration::from_secs(1);
const AT_MOST: Duration = Duration::from_secs(30);

/// Everything that the roles of a process share.
pub(super) struct Process {
    settings: Settings,
    store: Store,
    clock: Clock,
    bells: Bells,
    signing: SigningBook,
    access: AccessBook,
    credentials: CredentialBook,
    measured: Measured,
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
    /// Serves probes and metrics, opens the store as soon as it can be, and says that the process is there.
    pub(super) async fn begin(settings: Settings, role: &'static str) -> anyhow::Result<Self> {
        telemetry::start(&settings.log).map_err(anyhow::Error::msg)?;
        let stop = shutdown::on_signal()?;
        let (clock, leave) = (Clock::system(), CancellationToken::new());
        let (health, measured) = (Health::default(), Measured::default());
        let watched = store::watch::Metrics::default();
        measured.add(|registry| watched.register(registry));
        measured.add(tell_build);
        let probes = serve(&settings, &health, &measured, &leave).await?;
        let opening = Opening { settings: &settings, role, clock: &clock, health: &health, metrics: &watched };
        let (store, presence) = opening.until_open(&stop).await?;
        tracing::info!(version = VERSION, role, store = %store.id, path = %settings.store.path.display(), "starting");
        let watching = store::watch::run(store.clone(), settings.database.clone(), watched, leave.clone());
        let watching = tokio::spawn(watching);
        let mut process = Self {
            settings,
            store,
            clock,
            bells: Bells::default(),
            signing: SigningBook::default(),
            access: AccessBook::default(),
            credentials: CredentialBook::default(),
            measured,
            health,
            presence,
            stop,
            leave,
            roles: Vec::new(),
            beside: vec![probes, watching],
        };
        process.join_others().await?;
        Ok(process)
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
        let books = secrets::Books {
            signing: self.signing.clone(),
            access: self.access.clone(),
            credentials: self.credentials.clone(),
        };
        self.beside.push(tokio::spawn(secrets::watch(folder, books, self.bells.clone(), self.leave.clone())));
    }

    /// Reads these sources; none: all.
    pub(super) fn ingest(&mut self, only: Option<Vec<ResourceKey>>) {
        let metrics = ingest::metrics::Metrics::default();
        self.measured.add(|registry| metrics.register(registry));
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
        self.measured.add(|registry| metrics.register(registry));
        let context = delivery::supervisor::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            signing: self.signing.clone(),
            access: self.access.clone(),
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
        self.measured.add(|registry| metrics.register(registry));
        let context = operator::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            signing: self.signing.clone(),
            access: self.access.clone(),
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

    fn administer(&mut self, listener: UnixListener) {
        let client: Arc<OnceCell<kube::Client>> = Arc::default();
        let context = admin::Context {
            store: self.store.clone(),
            clock: self.clock.clone(),
            signing: self.signing.clone(),
            access: self.access.clone(),
            bells: self.bells.clone(),
            settings: Arc::new(self.settings.clone()),
            metrics: self.measured.clone(),
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

    /// Serves the admin socket until told to stop; what is in flight is finished and written before it ends.
    pub(super) async fn run(mut self, admin: UnixListener) -> anyhow::Result<()> {
        self.administer(admin);
        self.health.set_ready();
        self.stop.cancelled().await;
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

fn tell_build(registry: &mut Registry) {
    let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("commit", COMMIT)]);
    registry.register("cpr_operator_build", "The program that runs", build);
}

/// Serves probes and metrics until `leave`. One whose address is taken must not have done anything.
async fn serve(
    settings: &Settings,
    health: &Health,
    measured: &Measured,
    leave: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let listen = settings.http.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("http.listen {listen}"))?;
    tracing::info!(address = %listener.local_addr()?, "probes and metrics");
    let serving = probes::serve(listener, health.clone(), measured.clone(), leave.clone());
    Ok(tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "probes and metrics are served no more");
        }
    }))
}

/// What it takes to open the store.
struct Opening<'a> {
    settings: &'a Settings,
    role: &'static str,
    clock: &'a Clock,
    health: &'a Health,
    metrics: &'a store::watch::Metrics,
}

impl Opening<'_> {
    /// Opens the store; waits for a server that is away or whose schema is not up to date yet, longer each time.
    async fn until_open(&self, stop: &CancellationToken) -> Result<(Store, Presence), store::Error> {
        let mut wait = AGAIN;
        loop {
            match self.open().await {
                Err(error) if error.is_passing() || matches!(error, store::Error::NotMigrated { .. }) => {
                    let trouble = Trouble::from(&error);
                    self.metrics.failed(trouble);
                    self.health.set_waiting(trouble);
                    tracing::warn!(%error, kind = trouble.name(), again_in = ?wait, "the database cannot be used yet: {trouble}");
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stop.cancelled() => return Err(error),
                    }
                    wait = (wait * 2).min(AT_MOST);
                }
                opened => return opened,
            }
        }
    }

    async fn open(&self) -> Result<(Store, Presence), store::Error> {
        let store = store::open(&self.settings.store, &self.settings.database, self.clock.now()).await?;
        let presence = Presence::begin(&store.main, self.role).await?;
        Ok((store, presence))
    }
}

/// The admin socket, beside a store that is open: so that no other process can be there.
pub(super) fn admin_socket(process: &Process) -> anyhow::Result<UnixListener> {
    let socket = process.settings.admin.socket(&process.settings.store.path);
    admin::server::bind(&socket).with_context(|| format!("admin.socket {}", socket.display()))
}

/// The client by which the admin socket asks the cluster who a caller is; made when it is first needed.
async fn connected(client: Arc<OnceCell<kube::Client>>) -> Result<kube::Client, String> {
    let metrics = operator::metrics::Metrics::default();
    let made = client.get_or_try_init(|| connect::connect(&ClusterConfig::Inferred, &metrics)).await;
    made.cloned().map_err(|error| error.to_string())
}
