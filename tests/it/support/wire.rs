//! A wire between two parties that a test cuts, silences or slows down: TCP on loopback, passed on as it comes.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
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
    /// Everything passes, each piece late, on connections that are made from now on.
    Slow,
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

/// How late on a slow wire.
const LATE: Duration = Duration::from_millis(40);

/// Passes bytes on while the wire is whole or slow. What a silent wire swallowed would be missing, so its connections are cut when it
/// is whole again; so are those of a slow one.
async fn pass(mut near: TcpStream, target: String, mut state: watch::Receiver<State>) {
    let began = *state.borrow_and_update();
    if matches!(began, State::Whole | State::Slow) {
        let Ok(mut far) = TcpStream::connect(target).await else { return };
        tokio::select! {
            () = carry(&mut near, &mut far, began) => return,
            _ = state.wait_for(|state| *state != began) => {}
        }
    }
    // Until then both ends are held and nothing is read.
    let _ = state.wait_for(|state| *state != State::Silent).await;
}

async fn carry(near: &mut TcpStream, far: &mut TcpStream, state: State) {
    if state == State::Whole {
        let _ = copy_bidirectional(near, far).await;
        return;
    }
    let ((read_near, write_near), (read_far, write_far)) = (near.split(), far.split());
    tokio::select! { () = late(read_near, write_far) => {}, () = late(read_far, write_near) => {} }
}

async fn late(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        tokio::time::sleep(LATE).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
