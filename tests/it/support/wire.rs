//! A wire between two parties that a test cuts or silences: TCP on loopback, passed on as it comes.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything passes.
    Whole,
    /// Connections end, and new ones end at once.
    Cut,
    /// Connections stay, and nothing passes.
    Silent,
}

/// The wire; it goes with its test's runtime.
pub struct Wire {
    address: SocketAddr,
    state: watch::Sender<State>,
}

impl Wire {
    /// A whole wire to an address.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(State::Whole);
        let seen = state.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, target.clone(), seen.clone()));
            }
        });
        Self { address, state }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it is like this.
    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

/// Passes bytes on while the wire is whole. What a silent wire swallowed would be missing, so its connections are cut when it is
/// whole again.
async fn pass(mut near: TcpStream, target: String, mut state: watch::Receiver<State>) {
    if *state.borrow_and_update() == State::Whole {
        let Ok(mut far) = TcpStream::connect(target).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = state.wait_for(|state| *state != State::Whole) => {}
        }
    }
    // Until then both ends are held and nothing is read.
    let _ = state.wait_for(|state| *state != State::Silent).await;
}
