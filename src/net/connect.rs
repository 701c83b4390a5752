//! The connector: resolves a name, lets the guard judge each address, connects to one that it leaves, goes on from there where it
//! is a proxy's, then TLS.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tower::Service;
use url::Url;

use super::Settings;
use super::error::{Error, Stage, TlsClass};
use super::guard::{Guard, Verdict};
use super::proxy::{self, Fault};
use super::stream::Stream;
use super::tls;

/// How the name and port of a host become addresses. It is asked for each new connection.
pub type Resolver = Arc<dyn Fn(String, u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The resolver of the system.
pub fn system_resolver() -> Resolver {
    Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }))
}

/// A guarded connector with TLS where the scheme asks for it.
#[derive(Clone)]
pub struct Connector {
    inner: HttpsConnector<Tcp>,
    limit: Duration,
}

impl Connector {
    /// A connector whose every connection is judged by `guard` and ready, handshake included, within the time for connecting.
    pub fn new(guard: Guard, resolver: Resolver, config: Arc<ClientConfig>, settings: &Settings) -> Self {
        let (limit, proxy) = (settings.connect_timeout, settings.proxy.as_ref().map(Place::from));
        let tcp = Tcp { guard: Arc::new(guard), resolver, limit, proxy };
        Self { inner: HttpsConnector::from((tcp, config)), limit }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Stream>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let limit = self.limit;
        Box::pin(async move {
            let connected = timeout(limit, connecting).await;
            connected.map_err(|_| timed_out())?.map_err(|error| why(&*error))
        })
    }
}

/// Errors of ours come through as they are; what else fails in this place is the handshake.
fn why(error: &(dyn StdError + Send + Sync + 'static)) -> Error {
    match error.downcast_ref::<Error>() {
        Some(ours) => *ours,
        None => Error::Tls { class: tls::class_of(error).unwrap_or(TlsClass::Other), sent: false },
    }
}

fn timed_out() -> Error {
    Error::Timeout { stage: Stage::Connect, sent: false }
}

/// A host's name or address, and a port.
#[derive(Clone)]
struct Place {
    host: String,
    port: u16,
}

impl Place {
    fn address(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// As a proxy is told of it.
    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl From<&Uri> for Place {
    fn from(uri: &Uri) -> Self {
        let default_port = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        Self { host: uri.host().unwrap_or_default().to_owned(), port: uri.port_u16().unwrap_or(default_port) }
    }
}

impl From<&Url> for Place {
    fn from(url: &Url) -> Self {
        let port = url.port_or_known_default().unwrap_or_default();
        Self { host: url.host_str().unwrap_or_default().to_owned(), port }
    }
}

#[derive(Clone)]
struct Tcp {
    guard: Arc<Guard>,
    resolver: Resolver,
    limit: Duration,
    proxy: Option<Place>,
}

impl Service<Uri> for Tcp {
    type Response = Stream;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (tcp, place) = (self.clone(), Place::from(&uri));
        Box::pin(async move {
            let stream = match &tcp.proxy {
                None => tcp.open(&place, Instant::now() + tcp.limit).await?,
                Some(proxy) => tcp.open_by(proxy, &place).await?,
            };
            let _ = stream.set_nodelay(true);
            Ok(Stream::from(stream))
        })
    }
}

impl Tcp {
    async fn open(&self, place: &Place, deadline: Instant) -> Result<TcpStream, Error> {
        let found = timeout_at(deadline, resolve(&self.resolver, place)).await.map_err(|_| timed_out())??;
        connect(&judged(&self.guard, found)?, deadline).await
    }

    /// The proxy resolves the place's name, so nothing but an address is judged of it here.
    async fn open_by(&self, proxy: &Place, place: &Place) -> Result<TcpStream, Error> {
        if let Some(ip) = place.address() {
            judged(&self.guard, vec![SocketAddr::new(ip, place.port)])?;
        }
        // A little before all of the time is over, so that the proxy is named for it.
        let deadline = Instant::now() + self.limit.mul_f64(0.9);
        let opening = async {
            let stream = self.open(proxy, deadline).await?;
            let opened = timeout_at(deadline, proxy::tunnel(stream, &place.authority())).await;
            opened.unwrap_or(Err(Fault::Silent))
        };
        opening.await.map_err(|fault| Error::Proxy { fault })
    }
}

async fn resolve(resolver: &Resolver, place: &Place) -> Result<Vec<SocketAddr>, Error> {
    if let Some(ip) = place.address() {
        return Ok(vec![SocketAddr::new(ip, place.port)]);
    }
    let found = resolver(place.host.clone(), place.port).await.map_err(|_| Error::Resolve)?;
    if found.is_empty() { Err(Error::Resolve) } else { Ok(found) }
}

/// The addresses that the guard lets through; an error when there is none.
fn judged(guard: &Guard, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Error> {
    let mut refused = None;
    let mut open = Vec::new();
    for address in addresses {
        match guard.judge(address.ip()) {
            Verdict::Open => open.push(address),
            Verdict::Refused(range) => refused = refused.or(Some(range)),
        }
    }
    match refused {
        Some(range) if open.is_empty() => Err(Error::Refused { range }),
        _ => Ok(open),
    }
}

/// Tries the addresses in turn, each with an equal share of the time that is left.
async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Error> {
    let mut last = Error::Connect;
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(_)) => last = Error::Connect,
            Err(_) => last = timed_out(),
        }
    }
    Err(last)
}
