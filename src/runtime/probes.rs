//! Probes and metrics over HTTP: `/livez`, `/readyz`, `/metrics`. None of them depends on anybody else's health.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the probes tell: whether start-up is done, and when each loop last went round.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    standing: Mutex<Standing>,
    loops: Mutex<Vec<Loop>>,
}

#[derive(Default)]
enum Standing {
    #[default]
    Starting,
    Waiting(String),
    Ready,
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
        *self.standing() = Standing::Ready;
    }

    /// Start-up waits for something, said in words that hold no secret.
    pub fn set_waiting(&self, what_for: impl ToString) {
        *self.standing() = Standing::Waiting(what_for.to_string());
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What is measured; roles add theirs while it is served already. Clones share it.
#[derive(Clone, Default)]
pub struct Measured(Arc<RwLock<Registry>>);

impl Measured {
    /// Adds metrics.
    pub fn add(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics in the OpenMetrics form.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

/// Serves them until `stop`.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    measured: Measured,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, routes(health, measured)).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn routes(health: Health, measured: Measured) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(metrics)).with_state(measured))
}

async fn livez(State(health): State<Health>) -> impl IntoResponse {
    let stuck = health.stuck();
    match stuck.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("stuck: {}\n", stuck.join(", "))),
    }
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    match &*health.standing() {
        Standing::Ready => (StatusCode::OK, "ok\n".to_owned()),
        Standing::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned()),
        Standing::Waiting(what_for) => (StatusCode::SERVICE_UNAVAILABLE, format!("waiting: {what_for}\n")),
    }
}

async fn metrics(State(measured): State<Measured>) -> impl IntoResponse {
    match measured.text() {
        Ok(text) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
            text,
        ),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], String::new()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tower::ServiceExt;

    use super::*;

    async fn ask(health: &Health, path: &str) -> (StatusCode, String) {
        let measured = Measured::default();
        measured.add(|registry| registry.register("asked", "Questions", Counter::<u64>::default()));
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = routes(health.clone(), measured).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_is_ready_once_start_up_is_done() {
        let health = Health::default();
        assert_eq!(ask(&health, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&health, "/livez").await.0, StatusCode::OK);
        health.set_waiting("the database");
        assert_eq!(
            ask(&health, "/readyz").await,
            (StatusCode::SERVICE_UNAVAILABLE, "waiting: the database\n".to_owned())
        );
        assert_eq!(ask(&health, "/livez").await.0, StatusCode::OK);
        health.set_ready();
        assert_eq!(ask(&health, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_named_until_it_moves() {
        let health = Health::default();
        let (slow, other) =
            (health.watch("slow", Duration::from_secs(60)), health.watch("other", Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(61)).await;
        other.beat();
        assert_eq!(ask(&health, "/livez").await, (StatusCode::SERVICE_UNAVAILABLE, "stuck: slow\n".to_owned()));
        slow.beat();
        assert_eq!(ask(&health, "/livez").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_in_the_open_metrics_form() {
        let (status, body) = ask(&Health::default(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("asked_total 0") && body.ends_with("# EOF\n"), "{body}");
    }
}
