//! The client of the API server: its timeouts, its name, and the count of its requests.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{Layer, Service};

use super::metrics::Metrics;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a kubeconfig nor a service account was found.
    #[error("no cluster is configured: set KUBECONFIG, or run in a pod with a service account: {0}")]
    Infer(#[source] kube::config::InferConfigError),
    /// The configuration cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Build(#[source] kube::Error),
}

/// Where the cluster's configuration comes from.
#[derive(Clone, Debug)]
pub enum ClusterConfig {
    /// `KUBECONFIG`, the user's own file, or the pod's service account, read again at each attempt.
    Inferred,
    /// This one.
    Given(Box<Config>),
}

/// A client as the operator needs it. Does not yet speak to the API server.
pub async fn connect(from: &ClusterConfig, metrics: &Metrics) -> Result<Client, Error> {
    let mut config = match from {
        ClusterConfig::Inferred => Config::infer().await.map_err(Error::Infer)?,
        ClusterConfig::Given(config) => Config::clone(config),
    };
    // Longer than a watch lasts, so that only a connection that is dead is given up.
    config.read_timeout = Some(Duration::from_secs(295));
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("cpr-operator/", env!("CARGO_PKG_VERSION")))));
    let host = config.cluster_url.authority().map(|a| a.to_string()).unwrap_or_default();
    let layer = CountRequests { metrics: metrics.clone(), host };
    Ok(ClientBuilder::try_from(config).map_err(Error::Build)?.with_layer(&layer).build())
}

#[derive(Clone)]
struct CountRequests {
    metrics: Metrics,
    host: String,
}

#[derive(Clone)]
struct Counted<S> {
    inner: S,
    counting: CountRequests,
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, counting: self.clone() }
    }
}

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.method().to_string();
        let CountRequests { metrics, host } = self.counting.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or("<error>".to_owned(), |a| a.status().as_u16().to_string());
            metrics.count_request(&code, &method, &host);
            answer
        })
    }
}
