//! Another webhook server on the same machine, measured with the same receiver: how many events it delivers a second, and how
//! soon. A server is an adapter of its public HTTP API; the server itself is started by whoever measures.

mod svix;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use url::Url;

use super::latency::part;
use super::recorder::Recorder;
use super::runtime;
use super::table::Row;
use super::world::AT_ONCE;

/// Which server: `svix`. Without it nothing is measured.
const OTHER: &str = "OTHER";
/// Where it listens, and what it knows us by.
const OTHER_URL: &str = "OTHER_URL";
const OTHER_TOKEN: &str = "OTHER_TOKEN";
/// Events that are posted.
const EVENTS: u64 = 20_000;
/// How long they are waited for.
const PATIENCE: Duration = Duration::from_secs(240);

/// What is asked of a server. Another one is another implementation.
trait Server: Send + Sync + 'static {
    /// Makes a consumer whose events go to `url`. What it is known by from then on.
    fn create_consumer(&self, url: &Url) -> impl Future<Output = anyhow::Result<String>> + Send;
    /// Has an event delivered to a consumer. It is kept when this returns.
    fn post_event(&self, consumer: &str, event: Value) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Events a second from the first post to the last receipt, and from posted to received.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let Ok(kind) = std::env::var(OTHER) else { return Ok(Vec::new()) };
    let set = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set: {OTHER}={kind} needs it"));
    let api = Api::new(&set(OTHER_URL)?, set(OTHER_TOKEN)?)?;
    match kind.as_str() {
        "svix" => runtime()?.block_on(delivered(svix::Svix(api))),
        other => anyhow::bail!("{OTHER}={other}: there is an adapter for svix"),
    }
}

async fn delivered(server: impl Server) -> anyhow::Result<Vec<Row>> {
    let recorder = Recorder::start()?;
    let (server, next) = (Arc::new(server), Arc::new(AtomicU64::new(0)));
    let consumer = server.create_consumer(&recorder.url("instant")?).await?;
    let (began, mut posters) = (Instant::now(), tokio::task::JoinSet::new());
    for _ in 0..AT_ONCE {
        let (server, next, consumer) = (server.clone(), next.clone(), consumer.clone());
        posters.spawn(async move {
            let mut posted = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= EVENTS {
                    return anyhow::Ok(posted);
                }
                server.post_event(&consumer, event(number)).await?;
                posted.push((number as i64, Instant::now()));
            }
        });
    }
    let mut posted = Vec::new();
    while let Some(ended) = posters.join_next().await {
        posted.extend(ended??);
    }
    tokio::time::timeout(PATIENCE, recorder.wait_for(EVENTS)).await.context("not all events came")?;
    let rate = EVENTS as f64 / began.elapsed().as_secs_f64();
    let came = recorder.take();
    let waited = |(number, at): &(i64, Instant)| came.get(number).map(|came| came.saturating_duration_since(*at));
    let mut times: Vec<Duration> = posted.iter().filter_map(waited).collect();
    times.sort();
    Ok(vec![
        Row::known("other: posted and delivered to one receiver", rate, "/s"),
        Row::known("other: posted to received, p50", part(&times, 0.5), "ms"),
        Row::known("other: the same, p99", part(&times, 0.99), "ms"),
    ])
}

/// An event of 0.9 kB, with its number where the receiver looks for it.
fn event(number: u64) -> Value {
    json!({ "sequence": format!("{number:020}"), "data": "x".repeat(860) })
}

/// A JSON API behind a bearer token.
struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    address: String,
    token: String,
}

impl Api {
    fn new(address: &str, token: String) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(AT_ONCE as usize).build(connector);
        Ok(Self { client, address: address.trim_end_matches('/').to_owned(), token })
    }

    /// What it answers to a POST that it takes.
    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.address))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(serde_json::to_vec(body)?.into()))?;
        let answer = self.client.request(request).await.with_context(|| format!("POST {path}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status.is_success(), "POST {path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}
