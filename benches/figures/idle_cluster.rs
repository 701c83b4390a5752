//! What `all` costs on a cluster while nothing happens: without resources, and with three that are Ready.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::program::Program;
use super::subscriptions::{Ground, Kind, settings, subscription};
use super::table::{Goal, Row};

/// How long each state is looked at.
const LOOK: Duration = Duration::from_secs(30);

/// Measures on the cluster of the kubeconfig; nothing where there is none.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    super::runtime()?.block_on(figures())
}

async fn figures() -> anyhow::Result<Vec<Row>> {
    if std::env::var_os("KUBECONFIG").is_none() {
        return Ok(vec![]);
    }
    let (ground, folder) = (Ground::new().await?, TempDir::new()?);
    let mut rows = Vec::new();
    let program = Program::start(folder.path(), &settings(&ground)).await?;
    let ready = program.ready_after.as_secs_f64();
    rows.push(Row::new("alone on a cluster: from exec to ready", ready, "s", Goal::AtMost(1.0)));
    tokio::time::sleep(Duration::from_secs(5)).await;
    rows.extend(look(&program, folder.path(), "no resources").await?);
    ground.base(1).await?;
    ground.apply(Kind::Subscription, "subscription-0", subscription(0, 1)).await?;
    ground.until_ready(&program, 1).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    rows.extend(look(&program, folder.path(), "three Ready resources").await?);
    program.stop().await?;
    ground.end().await?;
    Ok(rows)
}

/// Processor time, memory, and what was written in a while in which nothing happens.
async fn look(program: &Program, folder: &Path, with: &str) -> anyhow::Result<Vec<Row>> {
    let name = "cpr_operator_status_writes_total";
    let (files, statuses) = (files(folder)?, program.metric(name, &[]).await?);
    let cpu = program.cpu_percent(LOOK).await?;
    let statuses = program.metric(name, &[]).await? - statuses;
    let is_written = files != self::files(folder)?;
    Ok(vec![
        Row::new(format!("{with}: resident memory"), program.memory()?.resident, "MB", Goal::AtMost(60.0)),
        Row::new(format!("{with}: processor time"), cpu, "%", Goal::AtMost(2.0)),
        Row::new(format!("{with}: statuses written in {} s", LOOK.as_secs()), statuses, "", Goal::AtMost(0.0)),
        Row::new(format!("{with}: databases written"), f64::from(is_written), "", Goal::AtMost(0.0)),
    ])
}

/// Size and time of the databases' files and logs.
fn files(folder: &Path) -> anyhow::Result<Vec<(PathBuf, u64, SystemTime)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join("data"))? {
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
