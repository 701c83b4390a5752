//! Probes and metrics over HTTP: `/livez`, `/readyz`, `/metrics`. None of them depends on anybody else's health.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the probes tell: whether start-up is done, and when each loop last went round.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    ready: AtomicBool,
    loops: Mutex<Vec<Loop>>,
}

struct Loop {
    name: &'static str,
    seen: Instant,
    at_most: Duration,
}

/// The pulse of one loop: beaten at each round.
#[derive(Clone)]
pub struct Pulse {
    health: Health,
    name: &'static str,
}

impl Health {
    /// Start-up is done: databases open, schema up to date, tasks running.
    pub fn set_ready(&self) {
        self.0.ready.store(true, Ordering::Release);
    }

    /// Watches a loop that goes round at least this often.
    pub fn watch(&self, name: &'static str, at_most: Duration) -> Pulse {
        self.loops().push(Loop { name, seen: Instant::now(), at_most });
        Pulse { health: self.clone(), name }
    }

    /// The loops that have not gone round in time.
    fn stuck(&self) -> Vec<&'static str> {
        self.loops().iter().filter(|l| l.seen.elapsed() > l.at_most).map(|l| l.name).collect()
    }

    fn loops(&self) -> std::sync::MutexGuard<'_, Vec<Loop>> {
        self.0.loops.lock().expect("no holder of the list panics")
    }
}

impl Pulse {
    /// The loop went round.
    pub fn beat(&self) {
        if let Some(known) = self.health.loops().iter_mut().find(|l| l.name == self.name) {
            known.seen = Instant::now();
        }
    }
}

/// Listens at `address` and gives the address in use; the service runs until `stop`.
pub async fn serve(
    address: SocketAddr,
    health: Health,
    registry: Arc<Registry>,
    stop: CancellationToken,
) -> std::io::Result<(SocketAddr, impl Future<Output = std::io::Result<()>>)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(metrics)).with_state(registry));
    let serving = axum::serve(listener, routes).with_graceful_shutdown(async move { stop.cancelled().await });
    Ok((bound, async move { serving.await }))
}

async fn livez(State(health): State<Health>) -> impl IntoResponse {
    let stuck = health.stuck();
    match stuck.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("stuck: {}\n", stuck.join(", "))),
    }
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    match health.0.ready.load(Ordering::Acquire) {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
    }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> impl IntoResponse {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
            text,
        ),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], String::new()),
    }
}
