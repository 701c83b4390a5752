//! What the journey goes through: the cluster, the database beside it, the register and the receivers outside of it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kube::Client;
use tempfile::TempDir;

use crate::database::{Database, Way};
use crate::load::Load;
use crate::logs::Logs;
use crate::manifests::{self, fill};
use crate::pods;
use crate::receiver::{self, Receiver};
use crate::tools::{PRODUCT, apply, run, until};
use crate::violence::Violence;

/// The signing secret of the receivers at first.
pub const SECRET: &str = "whsec_dHJpYWwtc2VjcmV0LW9mLWEtZmljdGl0aW91cy1zeXM=";

/// The site.
pub struct Site {
    pub client: Client,
    pub database: Database,
    pub load: Load,
    pub receivers: [Receiver; 2],
    pub violence: Violence,
    /// How many deliveries were counted so far.
    counted: AtomicU64,
    pub folder: TempDir,
    address: String,
    node_program: PathBuf,
    pub logs: Logs,
}

impl Site {
    /// Sets up what is outside of the cluster.
    pub async fn begin() -> Result<Self> {
        let node_program = std::env::var("NODE_PROGRAM")
            .context("this needs the project's own cluster, on which it can put images: run it by `make e2e`, without CLUSTER=current")?;
        let address = std::env::var("NODE_ADDRESS").context("NODE_ADDRESS: run this by `make e2e`")?;
        let listen = SocketAddr::new(address.parse::<IpAddr>()?, 0);
        let folder = TempDir::new()?;
        let client = Client::try_default().await?;
        Ok(Self {
            database: Database::set_up(folder.path()).await?,
            load: Load::new(listen).await?,
            receivers: [
                Receiver::start("casework", &["0851"], listen, SECRET).await?,
                Receiver::start("schools", &["0851", "0751"], listen, SECRET).await?,
            ],
            violence: Violence::default(),
            counted: AtomicU64::default(),
            folder,
            address,
            node_program: node_program.into(),
            logs: Logs::follow(client.clone())?,
            client,
        })
    }

    /// Ends it, and gives where evidence is if it is to be kept.
    pub async fn end(self, keep_evidence: bool) -> PathBuf {
        self.logs.end(keep_evidence).await
    }

    /// Packs the program as two images, which differ in a label.
    pub async fn pack_images(&self) -> Result<()> {
        let stripped = self.folder.path().join("cpr-operator");
        let program = stripped.display().to_string();
        run(Path::new("strip"), &["-o", &program, PRODUCT], "").await?;
        let place = format!("{program}:/usr/local/bin/cpr-operator");
        for tag in ["0.1.0", "0.2.0"] {
            let (name, label) = (format!("cpr-operator:{tag}"), format!("version={tag}"));
            run(&self.node_program, &["image", "--tag", &name, "--label", &label, &place], "").await?;
        }
        Ok(())
    }

    /// The file of the root key.
    pub fn root_key(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Makes the platform's namespace with the database's addresses and a root key.
    pub async fn make_platform(&self) -> Result<()> {
        let bytes = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
        let root = BASE64_STANDARD.encode(bytes);
        std::fs::write(self.root_key(), &root)?;
        let [server, pooler] = self.database.ports()?.map(|port| port.to_string());
        let values =
            [("root", root.as_str()), ("server_port", &server), ("pooler_port", &pooler), ("address", &self.address)];
        apply(&fill(manifests::PLATFORM, &values)?).await?;
        self.database.hand_addresses(Way::Server).await
    }

    /// Gives what is outside names in the cluster.
    pub async fn name_outside(&self) -> Result<()> {
        apply("{apiVersion: v1, kind: Namespace, metadata: {name: town}}").await?;
        let mut ports = vec![("register", receiver::port(&self.load.url())?)];
        for receiver in &self.receivers {
            ports.push((receiver.name, receiver.port()?));
        }
        for (name, port) in ports {
            let values = [("name", name), ("port", &port.to_string()), ("address", &self.address)];
            apply(&fill(manifests::OUTSIDE, &values)?).await?;
        }
        Ok(())
    }

    /// Waits until all receivers have heard of what happened until now, and no container had to be started again. Gives how many
    /// deliveries came since this was last asked.
    pub async fn goes_on(&self) -> Result<String> {
        let found = self.arrives().await?;
        let restarts = pods::restarts(&self.client).await?;
        ensure!(restarts == 0, "containers that end only when told to, but {restarts} were started again");
        Ok(found)
    }

    /// The same, where containers were started again.
    pub async fn arrives(&self) -> Result<String> {
        let rounds = self.load.rounds();
        for receiver in &self.receivers {
            until("the journey goes on", async || receiver.has_heard(&rounds)).await?;
        }
        let accepted = self.accepted();
        let before = self.counted.swap(accepted, Ordering::Relaxed);
        Ok(format!("{} more deliveries", accepted - before))
    }

    fn accepted(&self) -> u64 {
        self.receivers.iter().map(|receiver| receiver.consumer.report().accepted).sum()
    }
}
