//! Keeps what pods log, also of those that are gone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use kube::{Client, ResourceExt};
use serde::Deserialize;
use tokio::process::Command;
use tokio::task::{JoinHandle, JoinSet};

use crate::pods;
use crate::tools::{built, kubectl};
use crate::violence::Violence;

/// A line of a pod's log.
#[derive(Deserialize)]
struct Line {
    timestamp: Timestamp,
    level: String,
}

impl Line {
    fn parse(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(text)?)
    }
}

/// Follows the logs of all pods into files.
pub struct Logs {
    folder: PathBuf,
    task: JoinHandle<()>,
}

impl Logs {
    /// From now on.
    pub fn follow(client: Client) -> Result<Self> {
        let folder = built("e2e");
        let _ = std::fs::remove_dir_all(&folder); // of a run before
        std::fs::create_dir_all(&folder)?;
        let task = tokio::spawn(follow_all(client, folder.clone()));
        Ok(Self { folder, task })
    }

    /// Fails where a pod logged an error though nothing was killed, or anything that is no line of a log, or a name of a person.
    pub fn judge(&self, violence: &Violence) -> Result<String> {
        let (mut lines, mut warnings) = (0, 0);
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let pod = path.file_name().unwrap_or_default().display().to_string();
            // The last line may be being written.
            for line in std::fs::read_to_string(&path)?.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                let said = Line::parse(line).with_context(|| format!("{pod}: a line of a log, but found {line}"))?;
                let is_bad = said.level == "ERROR" && !violence.covers(said.timestamp);
                ensure!(!is_bad, "{pod}: no error while nothing was killed, but found {line}");
                ensure!(!line.contains("Borger"), "{pod}: nobody's name, but found {line}");
                (lines, warnings) = (lines + 1, warnings + usize::from(said.level == "WARN"));
            }
        }
        Ok(format!(
            "{lines} lines of which {warnings} are warnings; no name, and no error but where something was killed"
        ))
    }

    /// Stops; keeps the files, and beside them what the cluster says, or removes them.
    pub async fn end(self, keep: bool) -> PathBuf {
        if keep {
            for (name, arguments) in [
                ("pods", &["describe", "pods", "-n", "cpr-system"][..]),
                ("resources", &["get", "cpr", "-n", "town", "-o", "yaml"]),
                ("events", &["get", "events", "-A"]),
                ("objects", &["get", "deployments,replicasets,pods,pdb,sa,networkpolicies", "-A", "-o", "wide"]),
            ] {
                let said = kubectl(arguments).await.unwrap_or_else(|error| format!("{error:#}"));
                let _ = std::fs::write(self.folder.join(name), said); // the failure that led here matters more
            }
        }
        self.task.abort();
        if !keep {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
        self.folder
    }
}

async fn follow_all(client: Client, folder: PathBuf) {
    let (mut seen, mut followers) = (HashSet::new(), JoinSet::new());
    loop {
        for pod in pods::list(&client, "").await.unwrap_or_default() {
            let name = pod.name_any();
            let is_running = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() != Some("Pending"));
            if is_running && seen.insert(name.clone()) {
                followers.spawn(follow(name, folder.clone()));
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn follow(pod: String, folder: PathBuf) -> Result<()> {
    let file = |ending: &str| std::fs::File::create(folder.join(Path::new(&format!("{pod}.{ending}"))));
    let mut command = Command::new(built("kubectl"));
    command.args(["logs", "--follow", "-n", "cpr-system", &pod]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(file("log")?).stderr(Stdio::null());
    command.status().await?;
    Ok(())
}
