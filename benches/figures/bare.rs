//! What a bare pooled HTTP client reaches: the same bytes to the same receiver, with as many requests at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Sends `request` so many times, `at_once` at a time. How long it took.
pub async fn post(request: Request<Bytes>, count: u64, at_once: usize) -> anyhow::Result<Duration> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(at_once).build(connector);
    let (request, left) = (request.map(Full::new), Arc::new(AtomicU64::new(count)));
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let (client, request, left) = (client.clone(), request.clone(), left.clone());
        senders.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let response = client.request(request.clone()).await?;
                anyhow::ensure!(response.status().is_success(), "the receiver refused");
                response.into_body().collect().await?;
            }
            Ok(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(began.elapsed())
}
