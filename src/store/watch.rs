//! Whether the databases answer: failed calls are counted by kind, and each database is asked now and then.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::open::readdress;
use super::sql::query_scalar;
use super::trouble::Trouble;
use super::{Database, Error, Store};
use crate::settings::database::DatabaseSettings;

/// How often a database is asked.
const EVERY: Duration = Duration::from_secs(5);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Which {
    database: &'static str,
}

/// Failed calls of this process to either database.
static ERRORS: LazyLock<Family<Kind, Counter>> = LazyLock::new(Family::default);

/// Counts a call that failed.
pub(super) fn counted<T>(outcome: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
    outcome.inspect_err(|error| count(Trouble::of_sql(error)))
}

/// The same of what has our error already.
pub(super) fn counted_here<T>(outcome: Result<T, Error>) -> Result<T, Error> {
    outcome.inspect_err(|error| count(Trouble::from(error)))
}

fn count(trouble: Trouble) {
    ERRORS.get_or_create(&Kind { kind: trouble.name() }).inc();
}

/// What is measured of the store.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    up: Family<Which, Gauge>,
}

impl Metrics {
    /// Makes the metrics known under `cpr_store_…`; before a store is open it does not answer.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("cpr_store");
        registry.register("errors", "Calls to the databases that failed, by kind", ERRORS.clone());
        registry.register("up", "1 while a database answers and can be written", self.up.clone());
        for database in ["main", "keys"] {
            self.set(database, false);
        }
    }

    /// A try to open the store failed.
    pub fn failed(&self, trouble: Trouble) {
        count(trouble);
    }

    fn set(&self, database: &'static str, up: bool) {
        self.up.get_or_create(&Which { database }).set(i64::from(up));
    }
}

/// Asks both databases until `stop`, and takes their addresses in anew when those have changed.
pub async fn run(store: Store, settings: DatabaseSettings, metrics: Metrics, stop: CancellationToken) {
    let (mut last, mut addresses) = ([None, None], None);
    while !stop.is_cancelled() {
        if let (Database::Postgres(main), Database::Postgres(keys)) = (&store.main, store.keys.database())
            && let Err(error) = readdress(main, keys, &settings, &mut addresses)
        {
            tracing::error!(%error, "the address of the database cannot be used; the one before stays");
        }
        for ((name, database), last) in
            [("main", &store.main), ("keys", store.keys.database())].into_iter().zip(&mut last)
        {
            let Some(found) = stop.run_until_cancelled(ask(database)).await else { return };
            let found = found.err();
            metrics.set(name, found.is_none());
            say(name, found, *last);
            *last = found;
        }
        tokio::select! { () = sleep(EVERY) => {}, () = stop.cancelled() => {} }
    }
}

/// Whether a database answers and could be written.
async fn ask(database: &Database) -> Result<(), Trouble> {
    match timeout(PATIENCE, is_read_only(database)).await {
        Ok(Ok(false)) => Ok(()),
        Ok(Ok(true)) => Err(Trouble::ReadOnly),
        Ok(Err(error)) => Err(Trouble::from(&error)),
        Err(_) => Err(Trouble::Away),
    }
}

async fn is_read_only(database: &Database) -> Result<bool, Error> {
    if let Database::Sqlite(_) = database {
        let mut conn = database.read().await?;
        query_scalar::<i64>("SELECT 0").fetch_one(&mut conn).await?;
        return Ok(false);
    }
    let mut tx = database.begin_apart().await?;
    let read_only =
        query_scalar::<String>("SELECT current_setting('transaction_read_only')").fetch_one(&mut tx).await?;
    tx.commit().await?;
    Ok(read_only == "on")
}

fn say(database: &'static str, found: Option<Trouble>, last: Option<Trouble>) {
    match found {
        Some(trouble) if found != last => tracing::error!(database, kind = trouble.name(), "{trouble}"),
        None if last.is_some() => tracing::info!(database, "the database answers again"),
        _ => {}
    }
}
