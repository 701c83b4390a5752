//! A consumer that remembers what it got and answers as a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::any;
use serde_json::Value;

use super::SCHEMAS;

/// What a receiver does with an event.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status.
    Status(u16),
    /// A status with one header.
    With(u16, &'static str, String),
    /// A challenge as it came.
    Echo,
    /// Nothing, for ever.
    Hang,
}

/// Something received.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub json: Value,
}

impl Received {
    pub fn type_(&self) -> &str {
        self.json["type"].as_str().unwrap().trim_start_matches("dev.cpr-operator.")
    }

    pub fn subject(&self) -> String {
        self.json["subject"].as_str().unwrap_or_default().to_owned()
    }

    pub fn sequence(&self) -> i64 {
        self.json["sequence"].as_str().map_or(0, |text| text.parse().unwrap())
    }

    /// Whether the official library accepts its signature by this secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        standardwebhooks::Webhook::new(secret).unwrap().verify(&self.bytes, &self.headers).is_ok()
    }
}

type Script = Box<dyn FnMut(&Received) -> Answer + Send>;

/// A receiver. Ends with the test's runtime.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    received: Vec<Received>,
    /// What in them is not as published.
    faults: Vec<String>,
    script: Script,
}

impl Receiver {
    /// A receiver on a free port that accepts everything and echoes challenges.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Mutex::new(Inner {
            received: Vec::new(),
            faults: Vec::new(),
            script: Box::new(|_| Answer::Status(204)),
        }));
        let app = Router::new().fallback(any(receive)).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner }
    }

    pub fn url(&self) -> url::Url {
        format!("http://{}/cpr/events", self.address).parse().unwrap()
    }

    /// From now on events are answered so. Challenges are echoed unless [`Receiver::answer_all`] says otherwise.
    pub fn answer(&self, mut script: impl FnMut(&Received) -> Answer + Send + 'static) {
        self.answer_all(move |got| if got.type_() == "endpoint.verify" { Answer::Echo } else { script(got) });
    }

    /// From now on everything is answered so, challenges too.
    pub fn answer_all(&self, script: impl FnMut(&Received) -> Answer + Send + 'static) {
        self.inner.lock().unwrap().script = Box::new(script);
    }

    pub fn all(&self) -> Vec<Received> {
        self.inner.lock().unwrap().received.clone()
    }

    /// What came beside challenges.
    pub fn events(&self) -> Vec<Received> {
        self.all().into_iter().filter(|got| got.type_() != "endpoint.verify").collect()
    }

    pub fn sequences(&self) -> Vec<i64> {
        self.events().iter().map(Received::sequence).collect()
    }

    pub fn forget(&self) {
        self.inner.lock().unwrap().received.clear();
    }
}

impl Drop for Receiver {
    /// A delivery that is not as published fails the test, whatever the test looks at.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let faults = std::mem::take(&mut self.inner.lock().unwrap().faults);
            assert!(faults.is_empty(), "not as published: {}", faults.join("; "));
        }
    }
}

async fn receive(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, bytes: Bytes) -> Response<Body> {
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    let got = Received { headers, bytes, json };
    let answer = {
        let mut inner = inner.lock().unwrap();
        inner.faults.extend(SCHEMAS.faults(&got.json));
        inner.received.push(got.clone());
        (inner.script)(&got)
    };
    let builder = Response::builder();
    match answer {
        Answer::Status(status) => builder.status(status).body(Body::empty()),
        Answer::With(status, name, value) => builder.status(status).header(name, value).body(Body::empty()),
        Answer::Echo => {
            let challenge = serde_json::json!({ "challenge": got.json["data"]["challenge"] });
            builder.status(StatusCode::OK).body(Body::from(challenge.to_string()))
        }
        Answer::Hang => std::future::pending().await,
    }
    .unwrap()
}
