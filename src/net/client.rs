//! The HTTP client: one request, one deadline, an answer of bounded size.

use std::error::Error as StdError;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use super::Settings;
use super::connect::{self, Connector, Resolver};
use super::error::{Error, Stage};
use super::guard::Guard;
use super::identity::Identity;
use super::stream::Past;
use super::tls;

/// How many kept connections that turn out to be closed one request may meet.
const STALE: u32 = 2;
/// How soon a kept connection has to begin with a request. Rarely one that its host closes at that moment never does.
const BEGUN: Duration = Duration::from_secs(1);

/// A client with its own pool of kept connections. Speaks HTTP/1.1, follows no redirect, takes no proxy from the
/// environment.
/// Clones share the pool.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Tracked>,
}

/// What came back.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as far as it was read.
    pub body: Bytes,
    /// Whether the body was longer than what was read.
    pub truncated: bool,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status.as_u16(), self.body.len())
    }
}

impl Client {
    /// A client that reaches what `guard` opens and trusts the system's authorities and those in `ca_pem`.
    pub fn new(guard: Guard, ca_pem: Option<&str>, settings: &Settings) -> Result<Self, Error> {
        Self::presenting(None, guard, ca_pem, settings)
    }

    /// The same, which shows `identity` to hosts that ask for a certificate.
    pub fn presenting(
        identity: Option<&Identity>,
        guard: Guard,
        ca_pem: Option<&str>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let config = tls::config(ca_pem, identity)?;
        Ok(Self::over(Connector::new(guard, connect::system_resolver(), config, settings), settings))
    }

    /// The same, with names resolved by `resolver`.
    pub fn resolving(
        resolver: Resolver,
        guard: Guard,
        ca_pem: Option<&str>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let connector = Connector::new(guard, resolver, tls::config(ca_pem, None)?, settings);
        Ok(Self::over(connector, settings))
    }

    fn over(connector: Connector, settings: &Settings) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(settings.idle_per_host)
            .build(connector);
        Self { http }
    }

    /// Sends a request with an absolute URL. `timeout` spans connection, head and body. At most `max_body` bytes of the
    /// answer's body are read; where there are more, the connection is dropped.
    ///
    /// A request that is cut off on a kept connection, which its host may just have closed, is sent once more on another:
    /// so a host may hear it twice. So is one that a kept connection does not begin to write. The error says whether the body
    /// may have left on any of them.
    pub async fn send(&self, request: Request<Bytes>, timeout: Duration, max_body: usize) -> Result<Answer, Error> {
        let (deadline, left) = (Instant::now() + timeout, Arc::default());
        let mut ended = self.send_once(request.clone(), &left, deadline, max_body).await;
        for _ in 0..STALE {
            if !matches!(ended, Err((Error::Cut { .. } | Error::Timeout { .. }, true))) {
                break;
            }
            ended = self.send_once(request.clone(), &left, deadline, max_body).await;
        }
        ended.map_err(|(error, _)| match error.sent() || !left.load(Ordering::Relaxed) {
            true => error,
            false => Error::Cut { sent: true },
        })
    }

    /// The error says whether it met a connection that had answered before.
    async fn send_once(
        &self,
        request: Request<Bytes>,
        left: &Arc<AtomicBool>,
        deadline: Instant,
        max_body: usize,
    ) -> Result<Answer, (Error, bool)> {
        let (request, progress) = track(request, left);
        let mut answer = pin!(self.http.request(request));
        let late = |was_stuck| (Error::Timeout { stage: progress.stage(), sent: progress.sent() }, was_stuck);
        let response = match timeout_at(deadline.min(Instant::now() + BEGUN), &mut answer).await {
            Ok(answered) => answered,
            Err(_) if progress.is_stuck() && Instant::now() < deadline => return Err(late(true)),
            Err(_) => timeout_at(deadline, answer).await.map_err(|_| late(false))?,
        }
        .map_err(|error| (why(&error, progress.sent()), progress.was_kept()))?;
        progress.answered();
        timeout_at(deadline, read(response, max_body))
            .await
            .map_err(|_| (Error::Timeout { stage: Stage::Body, sent: true }, false))?
            .map_err(|error| (why(&error, true), false))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(…)")
    }
}

async fn read(response: Response<Incoming>, max_body: usize) -> Result<Answer, hyper::Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut truncated = false;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = max_body - body.len();
        truncated = data.len() > room;
        body.extend_from_slice(&data[..data.len().min(room)]);
        if truncated {
            break;
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, body: body.freeze(), truncated })
}

fn why(error: &(dyn StdError + 'static), sent: bool) -> Error {
    if let Some(class) = tls::class_of(error) {
        return Error::Tls { class, sent };
    }
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return *ours;
        }
        if let Some(http) = error.downcast_ref::<hyper::Error>() {
            let badly_spoken = http.is_parse() || http.is_user();
            return if badly_spoken { Error::Protocol { sent } } else { Error::Cut { sent } };
        }
        cause = error.source();
    }
    Error::Protocol { sent }
}

/// How far a request has come.
struct Progress {
    has_body: bool,
    sent: Arc<AtomicBool>,
    connection: CaptureConnection,
}

impl Progress {
    fn sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    fn past(&self) -> Option<Past> {
        self.connection.connection_metadata().as_ref().and_then(Past::of)
    }

    /// Whether the connection had answered another request before.
    fn was_kept(&self) -> bool {
        self.past().is_some_and(|past| past.has_answered())
    }

    /// Whether a kept connection has the request and has not begun with its body, which tells on it.
    fn is_stuck(&self) -> bool {
        self.has_body && self.was_kept() && !self.sent()
    }

    fn answered(&self) {
        if let Some(past) = self.past() {
            past.answered();
        }
    }

    fn stage(&self) -> Stage {
        let connected = self.connection.connection_metadata().is_some();
        if connected { Stage::Answer } else { Stage::Connect }
    }
}

fn track(request: Request<Bytes>, left: &Arc<AtomicBool>) -> (Request<Tracked>, Progress) {
    let (has_body, sent) = (!request.body().is_empty(), Arc::new(AtomicBool::new(false)));
    let mut request = request.map(|body| Tracked { body, sent: sent.clone(), left: left.clone() });
    let connection = capture_connection(&mut request);
    (request, Progress { has_body, sent, connection })
}

/// A request body that notes when it is taken for writing: from then on bytes of it may have left.
struct Tracked {
    body: Bytes,
    sent: Arc<AtomicBool>,
    /// The same for all times that the request is sent.
    left: Arc<AtomicBool>,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        if self.body.is_empty() {
            return Poll::Ready(None);
        }
        self.sent.store(true, Ordering::Relaxed);
        self.left.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.body)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.len() as u64)
    }
}
