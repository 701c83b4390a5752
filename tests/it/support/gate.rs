//! A gate in front of a server, such as the API server: shut, nobody reaches it; what was under way is cut.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::path::PathBuf;

use kube::config::Kubeconfig;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The gate; it goes with its tests.
pub struct Gate {
    is_open: watch::Sender<bool>,
    address: SocketAddr,
    folder: TempDir,
}

impl Gate {
    /// A gate in front of a server (host and port), open.
    pub async fn before(target: String) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), target).await
    }

    /// The same at this address.
    pub async fn at(address: SocketAddr, target: String) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, state) = watch::channel(true);
        tokio::spawn(keep(listener, target, state));
        Self { is_open, address, folder: TempDir::new().unwrap() }
    }

    /// A gate in front of the API server of `KUBECONFIG`, shut.
    pub async fn shut_before_the_api_server() -> Self {
        let mut config = Kubeconfig::read().unwrap();
        let cluster = config.clusters.first_mut().and_then(|named| named.cluster.as_mut()).unwrap();
        let server: http::Uri = cluster.server.as_ref().unwrap().parse().unwrap();
        let target = format!("{}:{}", server.host().unwrap(), server.port_u16().unwrap_or(443));
        let gate = Self::before(target).await;
        gate.shut();
        cluster.server = Some(format!("https://{}", gate.address));
        cluster.tls_server_name = Some(server.host().unwrap().trim_matches(['[', ']']).to_owned());
        std::fs::write(gate.kubeconfig(), serde_json::to_string(&config).unwrap()).unwrap();
        gate
    }

    /// Where it is reached.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kubeconfig of those who go through the gate.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Lets everybody through.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Lets nobody through, and cuts who is on the way.
    pub fn shut(&self) {
        self.is_open.send_replace(false);
    }
}

async fn keep(listener: TcpListener, target: String, state: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        let (target, mut state) = (target.clone(), state.clone());
        if *state.borrow() {
            tokio::spawn(async move {
                tokio::select! {
                    () = pass(near, target) => {}
                    _ = state.wait_for(|is_open| !is_open) => {}
                }
            });
        }
    }
}

async fn pass(mut near: TcpStream, target: String) {
    if let Ok(mut far) = TcpStream::connect(target).await {
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    }
}
