//! A control plane of a test's own, for what would disturb others.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::Stdio;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The control plane; it ends with the test.
pub struct Plane {
    /// How it is reached.
    pub config: Config,
    /// The same as a file, for other programs.
    pub kubeconfig: PathBuf,
    /// A client of it.
    pub client: Client,
    process: Child,
    _folder: TempDir,
}

impl Plane {
    /// Starts one, without our definitions.
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/build/cluster");
        let mut command = Command::new(program);
        command.arg("up").arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("build/cluster is there: `make test` builds it");
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let kubeconfig = PathBuf::from(said.next_line().await.unwrap().expect("it says where its kubeconfig is"));
        let read = Kubeconfig::read_from(&kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config.clone()).unwrap();
        Self { config, kubeconfig, client, process, _folder: folder }
    }

    /// Ends it in order, so that none of its programs stays.
    pub async fn stop(mut self) {
        let pid = self.process.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        self.process.wait().await.unwrap();
    }
}
