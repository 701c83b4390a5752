//! Where a world lies: a folder, and with PostgreSQL a database of its own beside it. Removed when this is dropped.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use cpr_operator::settings::Settings;
use figment::providers::{Format, Toml};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::cpu;

/// Which database is measured: `postgres` unless it says `sqlite`.
const DATABASE: &str = "DATABASE";
/// The address of a server on which databases may be made and removed (`tests/postgres/run` starts one).
const SERVER: &str = "CPR_TEST_POSTGRES";

/// A place for a store.
pub struct Site {
    folder: TempDir,
    database: Option<Database>,
}

/// A database on the server.
struct Database {
    server: String,
    name: String,
}

/// The server that is measured; none: SQLite.
pub fn server() -> anyhow::Result<Option<String>> {
    match std::env::var(DATABASE).as_deref().unwrap_or("postgres") {
        "sqlite" => Ok(None),
        "postgres" => {
            let server = std::env::var(SERVER).with_context(|| {
                format!("{SERVER} is not set: run `make bench`, or this within tests/postgres/run, or with {DATABASE}=sqlite")
            });
            Ok(Some(server?))
        }
        other => anyhow::bail!("{DATABASE}={other}: it is postgres or sqlite"),
    }
}

impl Site {
    /// An empty one.
    pub async fn new() -> anyhow::Result<Self> {
        Self::make("template1").await
    }

    /// One with what lies in this one, whose store is closed.
    pub async fn copy(&self) -> anyhow::Result<Self> {
        let copy = Self::make(self.database.as_ref().map_or("", |database| &database.name)).await?;
        std::fs::create_dir_all(copy.store())?;
        for entry in std::fs::read_dir(self.store())? {
            let entry = entry?;
            std::fs::copy(entry.path(), copy.store().join(entry.file_name()))?;
        }
        Ok(copy)
    }

    async fn make(template: &str) -> anyhow::Result<Self> {
        let (folder, server) = (TempDir::new()?, server()?);
        let Some(server) = server else { return Ok(Self { folder, database: None }) };
        let database = Database { name: format!("figures_{}", uuid::Uuid::new_v4().simple()), server };
        let mut conn = PgConnection::connect(&database.server).await?;
        let made = format!("CREATE DATABASE {} TEMPLATE {template} STRATEGY file_copy", database.name);
        sqlx::query(AssertSqlSafe(made)).execute(&mut conn).await?;
        // What was made before is not to be written out while something else is measured.
        sqlx::query("CHECKPOINT").execute(&mut conn).await?;
        conn.close().await?;
        let site = Self { folder, database: Some(database) };
        if let (Some(url), Some(file)) = (site.url(), site.url_file()) {
            std::fs::write(file, url)?;
        }
        Ok(site)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The store's own folder in it.
    pub fn store(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The file with the database's address; none with SQLite.
    pub fn url_file(&self) -> Option<PathBuf> {
        self.database.as_ref().map(|_| self.path().join("url"))
    }

    /// The database's address; none with SQLite.
    pub fn url(&self) -> Option<String> {
        let database = self.database.as_ref()?;
        let (server, _) = database.server.rsplit_once('/')?;
        Some(format!("{server}/{}", database.name))
    }

    /// Settings as they are by default, but for what a machine without a network needs.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let defaults = include_str!("../../config/default.toml");
        let mut settings: Settings = figment::Figment::from(Toml::string(defaults)).extract()?;
        settings.store.path = self.store();
        settings.database.url_file = self.url_file();
        settings.network.allowed_networks = vec!["127.0.0.0/8".parse()?];
        Ok(settings)
    }

    /// Brings the planner's statistics up to date, as the server does by itself where rows come more slowly.
    pub async fn analyse(&self) -> anyhow::Result<()> {
        let Some(url) = self.url() else { return Ok(()) };
        let mut conn = PgConnection::connect(&url).await?;
        sqlx::query("VACUUM ANALYZE").execute(&mut conn).await?;
        Ok(conn.close().await?)
    }

    /// Bytes of the write-ahead log until now; none with SQLite, whose log is written over again and again.
    pub async fn wal(&self) -> anyhow::Result<Option<i64>> {
        match self.database {
            Some(_) => Ok(Some(self.count("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").await?)),
            None => Ok(None),
        }
    }

    /// Bytes of all tables with their indexes.
    pub async fn size(&self) -> anyhow::Result<i64> {
        match self.database {
            Some(_) => {
                let tables = "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
                    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('cpr', 'cpr_keys') AND c.relkind = 'r'";
                self.count(tables).await
            }
            None => self.count("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()").await,
        }
    }

    /// What a query finds that gives one number, past the store.
    pub async fn count(&self, query: &'static str) -> anyhow::Result<i64> {
        match self.url() {
            Some(url) => {
                let mut conn = PgConnection::connect(&format!("{url}?options=-csearch_path%3Dcpr")).await?;
                let found = sqlx::query_scalar(query).fetch_one(&mut conn).await?;
                conn.close().await?;
                Ok(found)
            }
            None => {
                let file = format!("sqlite://{}?mode=ro", self.store().join("main.db").display());
                let mut conn = SqliteConnection::connect(&file).await?;
                let found = sqlx::query_scalar(query).fetch_one(&mut conn).await?;
                conn.close().await?;
                Ok(found)
            }
        }
    }

    /// What is another when something was written since: the count of written rows, or the files with size and time.
    pub async fn state(&self) -> anyhow::Result<Vec<(PathBuf, u64, SystemTime)>> {
        if self.database.is_some() {
            let rows = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables";
            return Ok(vec![(PathBuf::new(), self.count(rows).await?.unsigned_abs(), SystemTime::UNIX_EPOCH)]);
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.store())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".db") || name.ends_with("-wal") {
                let meta = entry.metadata()?;
                found.push((entry.path(), meta.len(), meta.modified()?));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Processor time of the server until now, all its processes together; nothing with SQLite, which is a part of ours.
    pub async fn cpu(&self) -> anyhow::Result<Duration> {
        let Some(url) = self.url() else { return Ok(Duration::ZERO) };
        let mut conn = PgConnection::connect(&url).await?;
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut conn).await?;
        let spent = cpu::of_family(cpu::parent(&backend.to_string())?)?;
        conn.close().await?;
        Ok(spent)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        // In a thread, for this may be dropped within a runtime. A database that stays goes with its server.
        let _ = std::thread::spawn(move || {
            super::runtime()?.block_on(async {
                let mut conn = PgConnection::connect(&server).await?;
                sqlx::query(AssertSqlSafe(statement)).execute(&mut conn).await?;
                anyhow::Ok(conn.close().await?)
            })
        })
        .join();
    }
}
