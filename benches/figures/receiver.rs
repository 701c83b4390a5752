//! An instant receiver in a process of its own: reads a body, says 200, counts. `/slow` says so after five seconds.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use url::Url;

use super::cpu;

/// Under which this program is a receiver.
pub const ARGUMENT: &str = "--receiver";

/// A receiver that runs until this is dropped.
pub struct Receiver {
    child: Child,
    port: u16,
}

impl Receiver {
    /// Starts one.
    pub fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("a receiver")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(Self { child, port: line.trim().parse().context("its port")? })
    }

    /// Where it receives.
    pub fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(format!("http://127.0.0.1:{}/{path}", self.port).parse()?)
    }

    /// Its processor time until now.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        cpu::of(&self.child.id().to_string())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The receiver's own process: says its port and receives until its input ends.
pub fn main() -> ExitCode {
    // Whoever started this may end without ending it.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    });
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(serve()));
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "whoever started this reads the port")]
async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let count = Arc::new(AtomicU64::new(0));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let count = count.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, count.clone()));
            // A connection that is cut is the sender's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(request: Request<Incoming>, count: Arc<AtomicU64>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    if head.uri.path() == "/slow" {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    while let Some(Ok(_)) = body.frame().await {}
    count.fetch_add(1, Ordering::Relaxed);
    Ok(Response::new(Full::default()))
}
