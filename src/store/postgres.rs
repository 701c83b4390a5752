//! PostgreSQL: pools of connections to the primary, a gate that keeps writers apart where one writer was meant, time limits.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool, Row, SqlSafeStr, Transaction};
use url::Url;

use super::database::Held;
use super::error::Unfit;
use super::{ConsumerId, Error, files, schema};
use crate::settings::database::DatabaseSettings;

/// Oldest server that is taken, as the server numbers itself.
const OLDEST_SERVER: i32 = 15_00_00;

/// What the server says of a table, or a schema, that is not there.
const NO_SUCH_TABLE: &str = "42P01";
/// The advisory lock of whoever brings the schema up to date.
const MIGRATION: i64 = 0x6370_7203;

/// What is kept where.
#[derive(Debug)]
pub struct Content {
    schema: &'static str,
    /// The advisory lock by which writers who must be alone are. Those who write beside each other share it.
    gate: i64,
    migrations: &'static Migrator,
    /// What each role may do with it.
    rights: &'static str,
}

/// What makes the roles, for whoever may make roles on the server.
pub const ROLES: &str = include_str!("rights/roles.sql");

/// What lets the operator make a login for each worker, for the same, in each database.
pub const LOGINS: &str = include_str!("rights/logins.sql");

/// The main database.
pub const MAIN: Content = Content {
    schema: "cpr",
    gate: 0x6370_7201,
    migrations: &schema::POSTGRES_MAIN,
    rights: include_str!("rights/main.sql"),
};
/// The key store. In a schema of its own, so that it can lie in the same database.
pub const KEYS: Content = Content {
    schema: "cpr_keys",
    gate: 0x6370_7204,
    migrations: &schema::POSTGRES_KEYS,
    rights: include_str!("rights/keys.sql"),
};

/// A database that is open. Clones share it.
#[derive(Clone, Debug)]
pub struct Database {
    writers: PgPool,
    readers: PgPool,
    begin: Begin,
    persistent: bool,
}

/// How transactions begin: one simple query, so one journey to the server.
#[derive(Clone, Debug)]
struct Begin {
    alone: &'static str,
    beside: &'static str,
    apart: &'static str,
    read: &'static str,
}

impl Begin {
    fn new(content: &Content, settings: &DatabaseSettings) -> Self {
        let Content { schema, gate, .. } = content;
        // Set in each transaction and not on the connection, which a pooler may give to somebody else. All that we ask has an
        // index; but what is planned while a table is almost empty, also the check of a foreign key, would read all of it again and
        // again while it grows, until the server has looked at it.
        let limits = format!(
            "SELECT set_config('search_path', '{schema}', true), set_config('enable_seqscan', 'off', true),
                    set_config('jit', 'off', true), set_config('statement_timeout', '{}', true),
                    set_config('lock_timeout', '{}', true), set_config('idle_in_transaction_session_timeout', '{}', true)",
            settings.statement_timeout.as_millis(),
            settings.lock_timeout.as_millis(),
            settings.idle_timeout.as_millis(),
        );
        Self {
            alone: String::leak(format!("BEGIN; {limits}, pg_advisory_xact_lock({gate})")),
            beside: String::leak(format!("BEGIN; {limits}, pg_advisory_xact_lock_shared({gate})")),
            apart: String::leak(format!("BEGIN; {limits}")),
            read: String::leak(format!("BEGIN READ ONLY; {limits}")),
        }
    }
}

impl Database {
    /// Connects, and brings the schema up to date where it is not, which takes its owner.
    pub async fn open(url: &str, content: &Content, settings: &DatabaseSettings) -> Result<Self, Error> {
        let options = verified(options(url)?, settings)?;
        let (found, needed) = (version(&options, content).await?, schema::newest(content.migrations));
        if found < needed && settings.pooler {
            // Preparing what brings it up to date would stay on a connection that others get.
            return Err(Error::NotMigrated { schema: content.schema, found, needed });
        }
        if found < needed {
            migrate(&options, content).await.map_err(|error| error.of_migration(content.schema, found, needed))?;
        }
        Ok(Self {
            writers: pool(settings.writers).connect_lazy_with(options.clone()),
            readers: pool(settings.readers).connect_lazy_with(options),
            begin: Begin::new(content, settings),
            persistent: !settings.pooler,
        })
    }

    /// From now on new connections are made to this address; those that are there stay until they end by themselves.
    pub fn readdress(&self, url: &str, settings: &DatabaseSettings) -> Result<(), Error> {
        let options = verified(options(url)?, settings)?;
        self.writers.set_connect_options(options.clone());
        self.readers.set_connect_options(options);
        Ok(())
    }

    /// Begins to write alone.
    pub(super) async fn begin(&self, consumers: &[ConsumerId]) -> Result<Held, Error> {
        self.held(&self.writers, self.begin.alone, consumers).await
    }

    /// Begins to write beside others.
    pub(super) async fn begin_beside(&self, consumers: &[ConsumerId]) -> Result<Held, Error> {
        self.held(&self.writers, self.begin.beside, consumers).await
    }

    /// Begins to write and waits for nobody.
    pub(super) async fn begin_apart(&self, consumers: &[ConsumerId]) -> Result<Held, Error> {
        self.held(&self.writers, self.begin.apart, consumers).await
    }

    /// Begins to read.
    pub(super) async fn read(&self, consumers: &[ConsumerId]) -> Result<Held, Error> {
        self.held(&self.readers, self.begin.read, consumers).await
    }

    /// Begins for these consumers, whose rows are seen then by whoever may not see those of all.
    async fn held(&self, pool: &PgPool, begin: &'static str, consumers: &[ConsumerId]) -> Result<Held, Error> {
        let begin = match consumers {
            [] => begin.into_sql_str(),
            consumers => {
                let list = consumers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                AssertSqlSafe(format!("{begin}, set_config('cpr.consumers', '{list}', true)")).into_sql_str()
            }
        };
        // In a task of its own, for one whose beginning is broken off would be open, unknown to the library, and hold its locks.
        let pool = pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(begin).await }).await;
        let tx: Transaction<'static, _> = begun.map_err(|_| sqlx::Error::WorkerCrashed)??;
        Ok(Held::Postgres { tx, persistent: self.persistent })
    }

    /// Closes every connection, after those who hold one have given it back.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url)?;
    look_for_authority(url)?;
    // Poolers refuse a connection that asks for what they do not keep track of; we read no floating-point numbers.
    Ok(options.application_name("cpr-operator").extra_float_digits(None))
}

/// Looks for the file with the certificates to trust the server by: connecting without it would look as if there were no server.
fn look_for_authority(url: &str) -> Result<(), Error> {
    let named = Url::parse(url).ok();
    let named = named.as_ref().and_then(|url| url.query_pairs().find(|(name, _)| name == "sslrootcert"));
    match named.filter(|(_, value)| !value.starts_with("-----BEGIN")) {
        Some((_, path)) => {
            std::fs::read(&*path).map_err(files::failed(Path::new(&*path)))?;
            Ok(())
        }
        None => Ok(()),
    }
}

/// The address, if whoever answers there has to prove that it is the server: on the machine itself nobody else can.
fn verified(options: PgConnectOptions, settings: &DatabaseSettings) -> Result<PgConnectOptions, Error> {
    let is_here = options.get_socket().is_some() || is_loopback(options.get_host());
    let is_proved = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    match is_here || is_proved || settings.accept_unverified_server {
        true => Ok(options),
        false => Err(Error::Unverified),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.starts_with('/') || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn pool(size: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size.max(1))
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .after_connect(|conn, _| Box::pin(refuse_unfit(conn)))
}

/// Only a primary of a known version will do: what a standby shows may be behind what was committed. One journey to the server,
/// as outside of a transaction a pooler may give the next one another connection.
async fn refuse_unfit(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let found = conn.fetch_one("SELECT pg_is_in_recovery(), current_setting('server_version_num')::integer").await?;
    let (standby, version): (bool, i32) = (found.try_get(0)?, found.try_get(1)?);
    if standby {
        return Err(sqlx::Error::Configuration(Unfit::Standby.into()));
    }
    if version < OLDEST_SERVER {
        return Err(sqlx::Error::Configuration(Unfit::Old.into()));
    }
    Ok(())
}

/// The version of the schema; 0 where there is none.
async fn version(options: &PgConnectOptions, content: &Content) -> Result<i64, Error> {
    let mut conn = options.clone().disable_statement_logging().connect().await?;
    refuse_unfit(&mut conn).await?;
    let known = format!("SELECT max(version) FROM {}._sqlx_migrations WHERE success", content.schema);
    let found = conn.fetch_one(AssertSqlSafe(known)).await;
    conn.close().await?;
    match found {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_SUCH_TABLE) => Ok(0),
        found => Ok(found?.try_get::<Option<i64>, _>(0)?.unwrap_or(0)),
    }
}

/// Brings the schema up to date and grants the roles their rights, whatever is there already.
pub async fn prepare(url: &str, content: &Content) -> Result<(), Error> {
    migrate(&options(url)?, content).await
}

/// How often what is brought up to date is begun anew, where processes that run hold what it needs, and it what they need.
const TRIES: u32 = 10;

/// What the server says to one of those who wait for each other.
const DEADLOCK: &str = "40P01";

/// Brings the schema up to date, one process at a time, also while others work.
async fn migrate(options: &PgConnectOptions, content: &Content) -> Result<(), Error> {
    for _ in 1..TRIES {
        match try_migrate(options, content).await {
            Err(error) if error.code().as_deref() == Some(DEADLOCK) => {
                tokio::time::sleep(Duration::from_millis(200)).await
            }
            done => return done,
        }
    }
    try_migrate(options, content).await
}

async fn try_migrate(options: &PgConnectOptions, content: &Content) -> Result<(), Error> {
    let mut conn = options.clone().disable_statement_logging().connect().await?;
    refuse_unfit(&mut conn).await?;
    // In a transaction, for a pooler may give each statement another connection.
    let mut tx = conn.begin().await?;
    for statement in [
        format!("SELECT pg_advisory_xact_lock({MIGRATION})"),
        // That something is there already is no news.
        "SET LOCAL client_min_messages = warning".to_owned(),
        format!("CREATE SCHEMA IF NOT EXISTS {}", content.schema),
        format!("SET LOCAL search_path = {}", content.schema),
    ] {
        sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(&mut *tx).await?;
    }
    let mut migrator = Migrator::with_migrations(content.migrations.iter().cloned().collect());
    migrator.set_locking(false).set_ignore_missing(true);
    migrator.run_direct(None, &mut *tx, false).await?;
    let roles: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname IN ('cpr_operator', 'cpr_ingest', 'cpr_deliver', 'cpr_lookup', 'cpr_retention')")
        .persistent(false)
        .fetch_one(&mut *tx)
        .await?;
    if roles == 5 {
        tx.execute(content.rights).await?;
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_has_to_prove_itself() {
        for (url, expected) in [
            ("postgres://a@127.0.0.1/cpr", true),
            ("postgres://a@localhost/cpr", true),
            ("postgres://a@[::1]/cpr", true),
            ("postgres://a@db.example.org/cpr", false),
            ("postgres://a@db.example.org/cpr?sslmode=require", false),
            ("postgres://a@10.1.2.3/cpr?sslmode=disable", false),
            ("postgres://a@db.example.org/cpr?sslmode=verify-ca", true),
            ("postgres://a@db.example.org/cpr?sslmode=verify-full", true),
        ] {
            let strict = DatabaseSettings::default();
            let taken =
                |settings: &DatabaseSettings| options(url).and_then(|options| verified(options, settings)).is_ok();
            assert_eq!(taken(&strict), expected, "{url}");
            assert!(taken(&DatabaseSettings { accept_unverified_server: true, ..strict }), "{url}");
        }
        let message = Error::Unverified.to_string();
        assert!(message.contains("sslmode=verify-full") && message.contains("database.accept_unverified_server"));
    }
}
