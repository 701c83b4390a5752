//! A forward proxy that speaks CONNECT, knows names that nobody else knows, and can refuse, die and come back.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// The proxy; it goes with its test's runtime.
pub struct Forward {
    address: SocketAddr,
    inner: Arc<Inner>,
    /// Ends what listens, and every way that was opened.
    life: CancellationToken,
}

struct Inner {
    leads: HashMap<String, SocketAddr>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    refuses_with: Option<u16>,
    /// Ends every way that was opened.
    ways: CancellationToken,
}

impl Forward {
    /// A proxy that leads from each host and port to an address, and from no other anywhere.
    pub async fn leading(leads: &[(&str, SocketAddr)]) -> Self {
        let leads = leads.iter().map(|(host, address)| ((*host).to_owned(), *address)).collect();
        let inner = Arc::new(Inner { leads, state: Mutex::default() });
        let mut new = Self { address: "127.0.0.1:0".parse().unwrap(), inner, life: CancellationToken::new() };
        new.start().await;
        new
    }

    /// Listens, at the same port as before.
    pub async fn start(&mut self) {
        self.life = CancellationToken::new();
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        self.inner.state.lock().unwrap().ways = self.life.child_token();
        tokio::spawn(listen(listener, self.inner.clone(), self.life.clone()));
    }

    /// Hangs up on everybody and listens no more.
    pub fn die(&self) {
        self.life.cancel();
    }

    /// Answers with this status from now on, or opens ways again; cuts those that are open.
    pub fn refuse_with(&self, status: Option<u16>) {
        let mut state = self.inner.state.lock().unwrap();
        state.refuses_with = status;
        state.ways.cancel();
        state.ways = self.life.child_token();
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The hosts and ports that it was asked to open a way to.
    pub fn asked(&self) -> Vec<String> {
        self.inner.state.lock().unwrap().asked.clone()
    }
}

async fn listen(listener: TcpListener, inner: Arc<Inner>, life: CancellationToken) {
    loop {
        let near = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            () = life.cancelled() => return,
        };
        let (inner, life) = (inner.clone(), life.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let inner = inner.clone();
                async move { Ok::<_, Infallible>(answer(request, &inner).await) }
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(near), service).with_upgrades();
            tokio::select! { _ = serving => {}, () = life.cancelled() => {} }
        });
    }
}

async fn answer(request: Request<Incoming>, inner: &Inner) -> Response<Empty<Bytes>> {
    let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let (refuses_with, ways) = {
        let mut state = inner.state.lock().unwrap();
        state.asked.push(host.clone());
        (state.refuses_with, state.ways.clone())
    };
    let status = |status: u16| Response::builder().status(status).body(Empty::new()).unwrap();
    if let Some(refusal) = refuses_with {
        return status(refusal);
    }
    if request.method() != Method::CONNECT {
        return status(405);
    }
    let Some(lead) = inner.leads.get(&host) else { return status(502) };
    let Ok(mut far) = TcpStream::connect(lead).await else { return status(502) };
    tokio::spawn(async move {
        let mut near = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        let passing = tokio::io::copy_bidirectional(&mut near, &mut far);
        tokio::select! { _ = passing => {}, () = ways.cancelled() => {} }
    });
    status(200)
}
