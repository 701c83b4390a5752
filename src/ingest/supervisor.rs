//! The supervisor: a task for every live source, made anew when its form or its credentials change; and the janitor.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::credentials::CredentialBook;
use super::janitor::Janitor;
use super::jobs::Office;
use super::metrics::Metrics;
use super::source::Source;
use super::task::{Basis, Round, Task};
use crate::domain::compiled;
use crate::domain::resource::ResourceKey;
use crate::net;
use crate::net::guard::Guard;
use crate::runtime::bell::Bells;
use crate::runtime::clock::Clock;
use crate::runtime::probes::Pulse;
use crate::settings::ingest::IngestSettings;
use crate::settings::lists::ListSettings;
use crate::settings::network::NetworkSettings;
use crate::settings::register::RegisterSettings;
use crate::settings::retention::RetentionSettings;
use crate::store::keys::Realm;
use crate::store::lease::{self, Lease};
use crate::store::presence::Presence;
use crate::store::source::SourceRow;
use crate::store::{self, SourceId, Store};
use crate::upstream::datafordeler::{Client, Credentials, Settings};

/// What ingest works with.
#[derive(Clone)]
pub struct Context {
    /// Both databases.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Credentials of the registers.
    pub credentials: CredentialBook,
    /// Who wakes us and whom we wake.
    pub bells: Bells,
    /// How sources are read.
    pub settings: IngestSettings,
    /// How fast lists of persons may grow.
    pub lists: ListSettings,
    /// How registers are spoken to.
    pub register: RegisterSettings,
    /// Which private addresses may be reached.
    pub network: NetworkSettings,
    /// How long things are kept.
    pub retention: RetentionSettings,
    /// What is measured.
    pub metrics: Metrics,
    /// This process among those that share the database.
    pub presence: Presence,
    /// The sources that it reads; none: all.
    pub only: Option<Vec<ResourceKey>>,
}

/// The sources that this process works on, by leases where others could.
type Leases = HashMap<SourceId, Option<Lease>>;

/// How long a loop rests at most.
const REST: Duration = Duration::from_secs(1);
/// How long rings are gathered.
const GATHER: Duration = Duration::from_millis(50);
/// How often what has had its time is looked for.
const SWEEP: Duration = Duration::from_secs(2);

/// Runs until told to stop.
pub async fn run(context: Context, stop: CancellationToken, pulse: Pulse) {
    let janitor = tokio::spawn(sweep(context.clone(), stop.clone()));
    let mut tasks: HashMap<SourceId, (Basis, CancellationToken, JoinHandle<()>)> = HashMap::new();
    let mut leases = Leases::new();
    while !stop.is_cancelled() {
        pulse.beat();
        match live(&context).await {
            Ok(sources) => {
                if let Err(error) = hold(&context, &mut leases, &sources).await {
                    tracing::warn!(%error, "it could not be seen which sources are this process's");
                }
                arrange(&context, &mut tasks, &leases, sources, &stop).await;
            }
            Err(error) => tracing::warn!(%error, "sources could not be read from the store"),
        }
        tokio::select! { _ = context.bells.ingest.wait(REST) => {}, () = stop.cancelled() => {} }
        // Many are configured at once: one look for all that ring meanwhile.
        tokio::select! { () = tokio::time::sleep(GATHER) => {}, () = stop.cancelled() => {} }
    }
    for (_, (_, stop, task)) in tasks {
        stop.cancel();
        let _ = task.await;
    }
    let _ = janitor.await;
    for lease in leases.into_values().flatten() {
        if let Err(error) = release(&context.store, &lease).await {
            tracing::warn!(%error, "a lease was not given back: others wait some seconds");
        }
    }
}

async fn release(store: &Store, lease: &Lease) -> Result<(), store::Error> {
    let mut tx = store.main.begin_apart().await?;
    lease::release(&mut tx, lease).await?;
    tx.commit().await
}

/// Takes the leases of sources that nobody living works on, and drops those that were lost.
async fn hold(context: &Context, leases: &mut Leases, sources: &[SourceRow]) -> Result<(), store::Error> {
    leases.retain(|id, _| sources.iter().any(|row| row.id == *id));
    for row in sources {
        if context.presence.is_alone() {
            leases.insert(row.id, None);
        } else if let Some(Some(lease)) = leases.get(&row.id) {
            if !is_held(context, lease).await? {
                tracing::warn!(source = %row.key, "another process reads this source now");
                leases.remove(&row.id);
            }
        } else if let Some(lease) = take(context, &lease::of_source(row.id)).await? {
            leases.insert(row.id, Some(lease));
        }
    }
    Ok(())
}

async fn is_held(context: &Context, lease: &Lease) -> Result<bool, store::Error> {
    lease::is_held(&mut *context.store.main.begin_apart().await?, lease).await
}

async fn take(context: &Context, name: &str) -> Result<Option<Lease>, store::Error> {
    let mut tx = context.store.main.begin_apart().await?;
    let lease = lease::take(&mut tx, name, context.presence.name()).await?;
    tx.commit().await?;
    Ok(lease)
}

async fn live(context: &Context) -> Result<Vec<SourceRow>, store::Error> {
    let rows = store::source::all(&mut *context.store.main.read().await?).await?;
    let is_mine = |row: &SourceRow| context.only.as_ref().is_none_or(|only| only.contains(&row.key));
    Ok(rows.into_iter().filter(|row| row.ended_at.is_none() && row.compiled.is_some() && is_mine(row)).collect())
}

/// Stops the tasks of sources that are gone or changed, and starts those that are missing or have ended.
async fn arrange(
    context: &Context,
    tasks: &mut HashMap<SourceId, (Basis, CancellationToken, JoinHandle<()>)>,
    leases: &Leases,
    sources: Vec<SourceRow>,
    stop: &CancellationToken,
) {
    let wanted: HashMap<SourceId, Basis> = sources
        .into_iter()
        .filter(|row| leases.contains_key(&row.id))
        .filter_map(|row| {
            let credentials = context.credentials.get(&row.key);
            // Who else may have of it does not change how it is read.
            row.compiled.map(|form| {
                (
                    row.id,
                    Basis {
                        form: compiled::Source { grants: Vec::new(), ..form },
                        credentials,
                        lease: leases[&row.id].clone(),
                    },
                )
            })
        })
        .collect();
    let stale: Vec<SourceId> = tasks
        .iter()
        .filter(|(id, (basis, _, task))| wanted.get(id) != Some(basis) || task.is_finished())
        .map(|(id, _)| *id)
        .collect();
    for id in stale {
        if let Some((_, stop, task)) = tasks.remove(&id) {
            stop.cancel();
            let _ = task.await;
        }
    }
    for (id, basis) in wanted {
        tasks.entry(id).or_insert_with(|| {
            let stop = stop.child_token();
            let task =
                tokio::spawn(work(task(context, id, &basis), basis.form.clone(), context.bells.clone(), stop.clone()));
            (basis, stop, task)
        });
    }
}

/// A task for a source; without credentials, or with an address that cannot be used, it has no client.
pub fn task(context: &Context, id: SourceId, basis: &Basis) -> Task {
    let form = &basis.form;
    let realm = Realm { authority: form.key.namespace.clone(), environment: form.environment };
    let source = Source::new(
        id,
        form.key.clone(),
        realm,
        context.store.clone(),
        context.clock.clone(),
        context.bells.clone(),
        context.settings.clone(),
        context.lists.clone(),
        basis.lease.clone(),
    );
    let client = basis.credentials.as_ref().and_then(|credentials| {
        let built = client(context, form, credentials);
        built.inspect_err(|error| tracing::warn!(source = %form.key, %error, "no client for this source")).ok()
    });
    Task::new(source, form.clone(), client, context.credentials.clone(), context.metrics.clone())
}

fn client(
    context: &Context,
    form: &compiled::Source,
    credentials: &super::credentials::SourceCredentials,
) -> anyhow::Result<Client> {
    let guard = Guard::new(context.network.allowed_networks.clone(), form.allowed_networks.clone());
    let kept = net::Settings { proxy: form.proxy.clone(), ..net::Settings::default() };
    let http = net::client::Client::new(guard, form.ca_bundle.as_deref(), &kept)?;
    let credentials = Credentials {
        client_id: credentials.client_id.clone(),
        client_secret: credentials.client_secret.clone(),
        schema_api_key: credentials.schema_api_key.clone(),
    };
    Ok(Client::new(form, credentials, &settings(&context.register), http)?)
}

fn settings(register: &RegisterSettings) -> Settings {
    Settings {
        requests_per_second: register.requests_per_second,
        timeout: register.timeout,
        page_size: register.page_size,
        batch_size: register.batch,
        schema_max_age: register.schema_max_age,
        circuit_failures: register.circuit_failures,
        circuit_max: register.circuit_max,
        ..Settings::default()
    }
}

async fn work(mut task: Task, form: compiled::Source, bells: Bells, stop: CancellationToken) {
    while !stop.is_cancelled() {
        // What is broken off is made good by the next task, so a slow register holds up no change of its source.
        let round = tokio::select! { round = task.run_once() => round, () = stop.cancelled() => return };
        let rest = match round {
            Ok(Round::Worked) => continue,
            Ok(Round::Idle(rest)) => rest.max(Duration::from_millis(20)),
            Err(error) => {
                tracing::warn!(source = %form.key, %error, "the store failed; trying again");
                REST
            }
        };
        tokio::select! { _ = bells.requests.wait(rest) => {}, () = stop.cancelled() => {} }
    }
}

async fn sweep(context: Context, stop: CancellationToken) {
    let mut janitor = Janitor::default();
    while !stop.is_cancelled() {
        // One process at a time: each taking lasts until its holder counts as dead.
        let is_ours = context.presence.is_alone() || matches!(take(&context, lease::JANITOR).await, Ok(Some(_)));
        if !is_ours {
            tokio::select! { () = tokio::time::sleep(SWEEP) => continue, () = stop.cancelled() => return }
        }
        // Where no source is live, somebody has to: dead letters can always be dropped.
        let office = Office { store: &context.store, bells: &context.bells, now: context.clock.now(), source: None };
        if let Err(error) = office.run_once(&context.metrics).await {
            tracing::warn!(%error, "jobs could not be carried out; trying again");
        }
        if !context.clock.is_believed() {
            tokio::select! { () = tokio::time::sleep(SWEEP) => continue, () = stop.cancelled() => return }
        }
        let rest = match janitor.run_once(&context.store, &context.retention, context.clock.now()).await {
            Ok(removed) if removed.any() => {
                tracing::debug!(persons = removed.persons, resources = removed.resources, rows = removed.rows, "swept");
                Duration::from_millis(50)
            }
            Ok(_) => SWEEP,
            Err(error) => {
                tracing::warn!(%error, "sweeping failed; trying again");
                SWEEP
            }
        };
        tokio::select! { () = tokio::time::sleep(rest) => {}, () = stop.cancelled() => {} }
    }
}
