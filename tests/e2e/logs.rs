//! Keeps what pods log, also of those that are gone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Result;
use kube::{Client, ResourceExt};
use tokio::process::Command;
use tokio::task::{JoinHandle, JoinSet};

use crate::pods;
use crate::tools::{built, kubectl};

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
