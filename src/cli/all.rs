//! `all`: every role in one process on one SQLite folder.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::settings::{self, SettingsArgs};
use super::{COMMIT, VERSION};
use crate::delivery::credentials::SigningBook;
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

/// Where settings come from.
#[derive(Debug, Args)]
pub struct AllArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// How long a supervisor may be silent before `/livez` fails. It waits for the requests of a source that was changed, and a
/// slow register must not end the process.
const STUCK: Duration = Duration::from_secs(600);

/// Everything that the roles share.
struct Process {
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
}

/// Runs until told to stop; what is in flight is finished and written before it ends.
pub async fn run(args: AllArgs) -> anyhow::Result<()> {
    let settings = settings::load(&args.settings)?;
    telemetry::start(&settings.log).map_err(anyhow::Error::msg)?;
    let stop = shutdown::on_signal()?;
    let clock = Clock::system();
    let store = store::open(&settings.store, &settings.database, clock.now()).await?;
    tracing::info!(version = VERSION, store = %store.id, path = %settings.store.path.display(), "starting");
    let presence = Presence::begin(&store.main, "all").await?;
    let leaving = CancellationToken::new();
    let living = tokio::spawn(presence.clone().run(store.main.clone(), leaving.clone()));
    let mut process = Process {
        settings,
        store: store.clone(),
        clock,
        bells: Bells::default(),
        signing: SigningBook::default(),
        credentials: CredentialBook::default(),
        registry: Registry::default(),
        health: Health::default(),
        presence,
        stop,
    };
    process.tell_build();
    // Before any role: a process whose address is taken must not have done anything.
    let listen = process.settings.http.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("http.listen {listen}"))?;
    let socket = process.settings.admin.socket(&process.settings.store.path);
    let admin = admin::server::bind(&socket).with_context(|| format!("admin.socket {}", socket.display()))?;
    let roles = [process.ingest(), process.deliver(), process.reconcile()];
    let registry = Arc::new(std::mem::take(&mut process.registry));
    let roles = roles.into_iter().chain([Some(process.administer(admin, registry.clone()))]);
    let roles: Vec<_> = roles.collect();
    process.serve(listener, registry).await?;
    for role in roles.into_iter().flatten() {
        role.await.context("a role of the process ended by a fault of its own")?;
    }
    leaving.cancel();
    living.await.context("telling the others that this process lives")?;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// The client by which the admin socket asks the cluster who a caller is; made when it is first needed.
async fn connected(client: Arc<OnceCell<kube::Client>>) -> Result<kube::Client, String> {
    let metrics = operator::metrics::Metrics::default();
    let made = client.get_or_try_init(|| connect::connect(&ClusterConfig::Inferred, &metrics)).await;
    made.cloned().map_err(|error| error.to_string())
}

impl Process {
    fn tell_build(&mut self) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("commit", COMMIT)]);
        self.registry.register("cpr_operator_build", "The program that runs", build);
    }

    fn ingest(&mut self) -> Option<JoinHandle<()>> {
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
        };
        let pulse = self.health.watch("ingest", STUCK);
        Some(self.spawn(ingest::supervisor::run(context, self.stop.clone(), pulse)))
    }

    fn deliver(&mut self) -> Option<JoinHandle<()>> {
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
            only: None,
        };
        let pulse = self.health.watch("delivery", STUCK);
        Some(self.spawn(delivery::supervisor::run(context, self.stop.clone(), pulse)))
    }

    fn reconcile(&mut self) -> Option<JoinHandle<()>> {
        if !self.settings.operator.enabled {
            return None;
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
            accept_local_root_key: self.settings.store.accept_local_root_key,
            metrics,
        };
        Some(self.spawn(operator::run(context, ClusterConfig::Inferred, self.stop.clone())))
    }

    fn administer(&self, listener: UnixListener, metrics: Arc<Registry>) -> JoinHandle<()> {
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
        })
    }

    /// A role that ends before it was told to takes the process with it: a supervisor starts it again as a whole.
    fn spawn(&self, role: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let ended = self.stop.clone();
        tokio::spawn(async move {
            let _ends_all = ended.drop_guard();
            role.await;
        })
    }

    /// Serves probes and metrics until told to stop.
    async fn serve(self, listener: TcpListener, registry: Arc<Registry>) -> anyhow::Result<()> {
        tracing::info!(address = %listener.local_addr()?, "probes and metrics");
        self.health.set_ready();
        let serving = probes::serve(listener, self.health.clone(), registry, self.stop.clone());
        serving.await.context("serving probes and metrics")
    }
}
