//! A proxy in front of the API server that answers in its stead where a test wants it to, and cuts watches.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, Uri};
use futures::StreamExt;
use kube::{Client, Config};
use tokio::sync::watch;

/// What is answered instead of asking the API server; nothing: that is asked.
type Rule = Box<dyn Fn(&Uri) -> Option<Response<Body>> + Send>;

/// The proxy; it goes with its test's runtime. It speaks plain HTTP and asks as the test's own client.
#[derive(Clone)]
pub struct Proxy {
    config: Config,
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    rule: Mutex<Rule>,
    answered: Mutex<usize>,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// A proxy that lets everything through.
    pub async fn start(client: Client) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            client,
            rule: Mutex::new(Box::new(|_| None)),
            answered: Mutex::new(0),
            cuts: watch::Sender::new(0),
        });
        let app = Router::new().fallback(pass).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { config: Config::new(url.parse().unwrap()), inner }
    }

    /// How it is reached.
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// From now on this is answered, and every watch under way is cut.
    pub fn answer(&self, rule: impl Fn(&Uri) -> Option<Response<Body>> + Send + 'static) {
        *self.inner.rule.lock().unwrap() = Box::new(rule);
        *self.inner.answered.lock().unwrap() = 0;
        self.inner.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How many requests the present rule has answered.
    pub fn answered(&self) -> usize {
        *self.inner.answered.lock().unwrap()
    }
}

/// Whether a request is for our kinds, and whether it watches.
pub fn is_ours(uri: &Uri) -> bool {
    uri.path().contains("/cpr-operator.dev/")
}

/// Whether a request watches.
pub fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

/// An answer with this status and body.
pub fn answer(status: u16, body: &'static str) -> Response<Body> {
    let answer = Response::builder().status(StatusCode::from_u16(status).unwrap());
    answer.header("content-type", "application/json").body(Body::from(body)).unwrap()
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let ruled = (inner.rule.lock().unwrap())(request.uri());
    if let Some(answer) = ruled {
        *inner.answered.lock().unwrap() += 1;
        return answer;
    }
    let (mut parts, body) = request.into_parts();
    for name in ["host", "connection", "accept-encoding", "content-length"] {
        parts.headers.remove(name);
    }
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let is_watch = is_watch(&parts.uri);
    let forwarded = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let Ok(answer) = inner.client.send(forwarded).await else {
        return answer(502, "the API server was not reached");
    };
    let (mut parts, body) = answer.into_parts();
    for name in ["transfer-encoding", "content-length", "connection"] {
        parts.headers.remove(name);
    }
    let mut cuts = inner.cuts.subscribe();
    let data = Body::new(body).into_data_stream();
    if !is_watch {
        return Response::from_parts(parts, Body::from_stream(data));
    }
    let cut = async move { drop(cuts.changed().await) };
    Response::from_parts(parts, Body::from_stream(data.take_until(Box::pin(cut))))
}
