//! On what was measured: processor, memory, load, and versions.

use std::path::Path;

use sqlx::{Connection, PgConnection, SqliteConnection};

/// The machine and the versions, in two lines.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok());
    let memory = memory.map_or_else(|| "unknown".into(), |kb| format!("{:.0} GB", kb / (1024.0 * 1024.0)));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{cores} cores of {model}, {memory} memory, load {load} at the end\ncpr-operator {}, {}, {}",
        env!("CARGO_PKG_VERSION"),
        rustc(),
        database()
    )
}

fn field(path: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn rustc() -> String {
    let said = std::process::Command::new("rustc").arg("--version").output();
    said.map_or_else(|_| "rustc unknown".into(), |out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// What was measured on, and what of its settings decides how fast it is.
fn database() -> String {
    let asked = super::runtime().and_then(|runtime| {
        runtime.block_on(async {
            let Some(server) = super::site::server()? else {
                let mut conn = SqliteConnection::connect("sqlite::memory:").await?;
                let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut conn).await?;
                return Ok(format!("SQLite {version}"));
            };
            let settings = "SELECT 'PostgreSQL ' || current_setting('server_version') || ', ' ||
                string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings WHERE name IN
                ('fsync', 'full_page_writes', 'synchronous_commit', 'shared_buffers', 'max_wal_size')";
            let mut conn = PgConnection::connect(&server).await?;
            Ok(sqlx::query_scalar(settings).fetch_one(&mut conn).await?)
        })
    });
    asked.unwrap_or_else(|_| "database unknown".into())
}
