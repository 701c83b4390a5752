//! A PostgreSQL server of a test's own, which it may kill, stop, and turn into a standby.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

/// The server; it ends with its test.
pub struct Server {
    folder: TempDir,
}

impl Server {
    /// Starts one.
    pub fn start() -> Self {
        let server = Self::laid_out();
        server.begin();
        server
    }

    /// Starts one that demands passwords of those who deliver.
    pub fn demanding_passwords() -> Self {
        let server = Self::laid_out();
        let rules = std::fs::read_to_string(server.data("pg_hba.conf")).unwrap();
        server.write("pg_hba.conf", &format!("host all +cpr_deliver 127.0.0.1/32 scram-sha-256\n{rules}"));
        server.begin();
        server
    }

    /// Starts one that has this certificate and its key, both in PEM, and takes no connection without TLS.
    pub fn with_certificate(certificate: &str, key: &str) -> Self {
        let server = Self::laid_out();
        server.write("server.crt", certificate);
        server.write("server.key", key);
        server.write("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n");
        server.write("postgresql.auto.conf", "ssl = on\n");
        server.begin();
        server
    }

    fn laid_out() -> Self {
        let server = Self { folder: TempDir::new().unwrap() };
        server.control(&["make"]);
        server
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// Writes a file that the server reads, and nobody else may.
    fn write(&self, name: &str, text: &str) {
        let path = self.data(name);
        std::fs::write(&path, text).unwrap();
        let owner = std::fs::metadata(self.data("PG_VERSION")).unwrap();
        std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// Its address, as its owner.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port())
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        std::fs::read_to_string(self.folder.path().join("port")).unwrap().trim().parse().unwrap()
    }

    /// All that it has written to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data("log")).unwrap()
    }

    /// Lets stores in this folder lie on it, and not on the server that all tests share.
    pub fn hold(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("database.url"), self.url()).unwrap();
    }

    /// Starts it again.
    pub fn begin(&self) {
        self.control(&["start", "-c", "max_connections=200", "-c", "max_locks_per_transaction=256"]);
    }

    /// Kills it without warning, with all its connections.
    pub fn crash(&self) {
        self.control(&["crash"]);
    }

    /// Lets every writing of its log take a tenth of a second more, as on a slow disk, or no more.
    pub async fn slow_down(&self, is_slow: bool) {
        let mut conn = PgConnection::connect(&self.url()).await.unwrap();
        for (setting, value) in [("fsync", "on"), ("commit_delay", "100000"), ("commit_siblings", "0")] {
            let change = if is_slow { format!("SET {setting} = {value}") } else { format!("RESET {setting}") };
            conn.execute(AssertSqlSafe(format!("ALTER SYSTEM {change}"))).await.unwrap();
        }
        conn.execute("SELECT pg_reload_conf()").await.unwrap();
        conn.close().await.unwrap();
    }

    /// Stops it in order and starts it again as a standby.
    pub fn demote(&self) {
        self.control(&["stop", "fast"]);
        std::fs::write(self.folder.path().join("data/standby.signal"), "").unwrap();
        self.begin();
    }

    /// The standby becomes the primary.
    pub fn promote(&self) {
        self.control(&["promote"]);
    }

    fn control(&self, words: &[&str]) {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres/server");
        let mut command = Command::new(program);
        command.arg(words[0]).arg(self.folder.path()).args(&words[1..]).stdin(Stdio::null());
        assert!(command.status().unwrap().success(), "{words:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.control(&["stop"]);
    }
}
