//! The PostgreSQL server, set up as docs/postgresql.md says: two databases of one owner, and a login for each role.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cpr_operator::settings::database::DatabaseSettings;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use url::Url;

use crate::manifests::{DATABASE, fill};
use crate::tools::{PRODUCT, apply, run};

/// How pods reach the server, or the pooler before it.
#[derive(Clone, Copy)]
pub enum Way {
    Server,
    Pooler,
}

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

    /// The ports of server and pooler here.
    pub fn ports(&self) -> Result<[u16; 2]> {
        let pooler: Url =
            std::env::var("CPR_TEST_POOLER").context("CPR_TEST_POOLER: run this by `make e2e`")?.parse()?;
        let port = |url: &Url| url.port().context("an address with a port");
        Ok([port(&self.admin)?, port(&pooler)?])
    }

    /// Gives each role the addresses of the databases in a Secret of its own.
    pub async fn hand_addresses(&self, way: Way) -> Result<()> {
        for (role, name) in [("operator", "database"), ("ingest", "database-ingest"), ("deliver", "database-deliver")] {
            let (url, keys_url) = (url(role, way, "cpr"), url(role, way, "cpr_keys"));
            let listen_url = self::url(role, Way::Server, "cpr");
            let values = [("name", name), ("url", &url), ("keys_url", &keys_url), ("listen_url", &listen_url)];
            apply(&fill(DATABASE, &values)?).await?;
        }
        Ok(())
    }

    /// Ends the server as a crash does, and starts it again.
    pub async fn crash(&self) -> Result<()> {
        let command = std::env::var("CPR_TEST_POSTGRES_CRASH").context("run this by `make e2e`")?;
        run(Path::new("/bin/sh"), &["-c", &command], "").await.map(drop)
    }
}

/// The address of a database for pods of a role.
fn url(role: &str, way: Way, database: &str) -> String {
    let port = match way {
        Way::Server => 5432,
        Way::Pooler => 6432,
    };
    format!("postgres://town_{role}:{role}@database.cpr-system.svc.cluster.local:{port}/{database}")
}
