//! The operator as a process of its own, and the tools that speak to it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::PATIENCE;

/// The running operator.
pub struct Operator {
    process: Child,
    socket: String,
}

impl Operator {
    /// Starts it for these namespaces, its log beside its databases; its Lease is in the first.
    pub fn start(folder: &Path, namespaces: &[&str]) -> anyhow::Result<Self> {
        let log = std::fs::File::create(folder.join("log"))?;
        let lease = namespaces.first().context("a namespace")?;
        let data = folder.join("data");
        let settings = [
            format!("store.path={}", data.display()),
            format!("operator.namespaces={}", serde_json::to_string(namespaces)?),
            format!("operator.lease_namespace={lease}"),
            "network.allowed_networks=[\"127.0.0.0/8\"]".to_owned(),
            "delivery.circuit_wait=1s".to_owned(),
            "http.listen=127.0.0.1:0".to_owned(),
        ];
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("all").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        command.process_group(0);
        settings.iter().for_each(|pair| {
            command.args(["--set", pair]);
        });
        let process = command.spawn().context("starting the operator")?;
        Ok(Self { process, socket: data.join("admin.sock").display().to_string() })
    }

    /// An error if it has ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            Some(status) => bail!("the operator ended with {status}"),
            None => Ok(()),
        }
    }

    /// The socket on which it takes commands.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Runs a command that speaks to it, with what it reads on standard input. Gives what it printed.
    pub async fn tool(&self, words: &[&str], input: &str) -> anyhow::Result<String> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words).args(["--socket", &self.socket]).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().context("starting a command")?;
        if let Some(mut stdin) = process.stdin.take() {
            // One that reads nothing closes it.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let said = tokio::time::timeout(PATIENCE, process.wait_with_output()).await.context("a command hangs")??;
        Ok(format!("{}{}", String::from_utf8(said.stdout)?, String::from_utf8(said.stderr)?))
    }

    /// Ends it as a cluster would: SIGTERM, and time to finish.
    pub async fn end(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.process.id() {
            Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        }
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let status = ended.context("the operator did not end")??;
        if !status.success() {
            bail!("the operator ended with {status}");
        }
        Ok(())
    }
}
