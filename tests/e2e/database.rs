//! The PostgreSQL server, set up as docs/postgresql.md says: two databases of one owner, and a login for each role.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cpr_operator::settings::database::DatabaseSettings;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use url::Url;

use crate::tools::{PRODUCT, run};

/// The name of both databases' server in the cluster.
const SERVER: &str = "database.cpr-system.svc.cluster.local:5432";

/// The server.
pub struct Database {
    /// As its superuser, from here.
    admin: Url,
    folder: PathBuf,
}

impl Database {
    /// Makes databases, roles and logins, and brings the schemas up to date.
    pub async fn set_up(folder: &Path) -> Result<Self> {
        let admin = std::env::var("CPR_TEST_POSTGRES").context("CPR_TEST_POSTGRES: run this by `make e2e`")?;
        let database = Self { admin: admin.parse()?, folder: folder.to_owned() };
        let mut server = PgConnection::connect(database.admin.as_str()).await?;
        let roles = run(Path::new(PRODUCT), &["migrate", "roles"], "").await?;
        server.execute(AssertSqlSafe(roles)).await.context("migrate roles")?;
        let mut statements = vec!["CREATE ROLE town_owner LOGIN PASSWORD 'owner'".to_owned()];
        statements.extend(["cpr", "cpr_keys"].map(|name| format!("CREATE DATABASE {name} OWNER town_owner")));
        statements.extend(
            ["operator", "ingest", "deliver"]
                .map(|role| format!("CREATE ROLE town_{role} LOGIN PASSWORD '{role}' IN ROLE cpr_{role}")),
        );
        for statement in statements {
            server.execute(AssertSqlSafe(statement.clone())).await.context(statement)?;
        }
        server.close().await?;
        database.migrate().await?;
        Ok(database)
    }

    /// As the owner runs it before each installation.
    async fn migrate(&self) -> Result<()> {
        let settings = self.settings("town_owner")?;
        let file = |path: Option<PathBuf>| path.unwrap_or_default().display().to_string();
        let url = format!("database.url_file={}", file(settings.url_file));
        let keys_url = format!("database.keys_url_file={}", file(settings.keys_url_file));
        run(Path::new(PRODUCT), &["migrate", "up", "--set", &url, "--set", &keys_url], "").await.map(drop)
    }

    /// Both databases as somebody sees them from here.
    pub fn settings(&self, login: &str) -> Result<DatabaseSettings> {
        let file = |database: &str| -> Result<Option<PathBuf>> {
            let mut url = self.admin.clone();
            url.set_path(database);
            let _ = url.set_username(login); // only an address without a host has no place for it
            let path = self.folder.join(format!("{login}-{database}"));
            std::fs::write(&path, url.as_str())?;
            Ok(Some(path))
        };
        Ok(DatabaseSettings { url_file: file("cpr")?, keys_url_file: file("cpr_keys")?, ..DatabaseSettings::default() })
    }

    /// Both databases as the superuser sees them, past all borders between consumers.
    pub fn all(&self) -> Result<DatabaseSettings> {
        self.settings(self.admin.username())
    }

    /// The main database, as the superuser.
    pub async fn connect(&self) -> Result<PgConnection> {
        let mut url = self.admin.clone();
        url.set_path("cpr");
        Ok(PgConnection::connect(url.as_str()).await?)
    }

    /// The server's port here.
    pub fn port(&self) -> Result<u16> {
        self.admin.port().context("an address with a port")
    }

    /// The address of a database for pods of a role.
    pub fn url(role: &str, database: &str) -> String {
        format!("postgres://town_{role}:{role}@{SERVER}/{database}")
    }

    /// Ends the server as a crash does, and starts it again.
    pub async fn crash(&self) -> Result<()> {
        let command = std::env::var("CPR_TEST_POSTGRES_CRASH").context("run this by `make e2e`")?;
        run(Path::new("/bin/sh"), &["-c", &command], "").await.map(drop)
    }
}
