//! A receiver in a thread of this process that notes when each delivery came.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// What stands before a delivery's number in a body.
const SEQUENCE: &[u8] = b"\"sequence\":\"";

/// A receiver that runs until this is dropped.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Seen>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Seen {
    count: AtomicU64,
    at: Mutex<HashMap<i64, Instant>>,
}

impl Recorder {
    /// Starts one.
    pub fn start() -> anyhow::Result<Self> {
        let (said, address) = mpsc::channel();
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let (theirs, ends) = (seen.clone(), stop.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(ends.run_until_cancelled(serve(theirs, said))))
        });
        let address = address.recv().context("a receiver")?;
        Ok(Self { address, seen, _stop: stop.drop_guard() })
    }

    /// Where it receives. What comes to `/slow` is answered after five seconds and not noted.
    pub fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(format!("http://{}/{path}", self.address).parse()?)
    }

    /// Deliveries that came.
    pub fn count(&self) -> u64 {
        self.seen.count.load(Ordering::Relaxed)
    }

    /// When each came first, by its number; forgotten here by that.
    pub fn take(&self) -> HashMap<i64, Instant> {
        std::mem::take(&mut *self.seen.at.lock().expect("no holder panics"))
    }

    /// Waits until so many have come.
    pub async fn wait_for(&self, count: u64) {
        while self.count() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn serve(seen: Arc<Seen>, said: mpsc::Sender<SocketAddr>) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    said.send(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let seen = seen.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, seen.clone()));
            // A connection that is cut is the sender's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    if head.uri.path() == "/slow" {
        tokio::time::sleep(Duration::from_secs(5)).await;
        return Ok(Response::new(Full::default()));
    }
    let Ok(body) = body.collect().await else { return Ok(Response::new(Full::default())) };
    let now = Instant::now();
    if let Some(number) = number(&body.to_bytes()) {
        seen.at.lock().expect("no holder panics").entry(number).or_insert(now);
    }
    seen.count.fetch_add(1, Ordering::Relaxed);
    Ok(Response::new(Full::default()))
}

fn number(body: &[u8]) -> Option<i64> {
    let at = body.windows(SEQUENCE.len()).position(|window| window == SEQUENCE)? + SEQUENCE.len();
    std::str::from_utf8(body.get(at..at + 20)?).ok()?.parse().ok()
}
