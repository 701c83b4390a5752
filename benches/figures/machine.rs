//! On what was measured: processor, memory, load, and versions.

use std::path::Path;

/// The machine and the versions, in two lines.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok());
    let memory = memory.map_or_else(|| "unknown".into(), |kb| format!("{:.0} GB", kb / (1024.0 * 1024.0)));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{cores} cores of {model}, {memory} memory, load {load} at the end\ncpr-operator {}, {}, SQLite {}",
        env!("CARGO_PKG_VERSION"),
        rustc(),
        sqlite()
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

fn sqlite() -> String {
    let asked = super::runtime().and_then(|runtime| {
        runtime.block_on(async {
            let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
            Ok(sqlx::query_scalar::<_, String>("SELECT sqlite_version()").fetch_one(&pool).await?)
        })
    });
    asked.unwrap_or_else(|_| "unknown".into())
}
