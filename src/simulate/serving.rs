//! An HTTP/1.1 server on a port of its own that can also hang up on its callers.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::Response;
use futures::StreamExt;
use futures::stream;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Put into a response's extensions: the connection is closed and no byte of the response is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HangUp;

/// A running server. Dropping it ends it, and every connection with it.
#[derive(Debug)]
pub(crate) struct Serving {
    address: SocketAddr,
    ended: CancellationToken,
    task: JoinHandle<()>,
}

impl Serving {
    /// Listens on `listen` (port 0 chooses a free one) and answers with `router`.
    pub(crate) async fn start(listen: SocketAddr, router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let ended = CancellationToken::new();
        let task = tokio::spawn(accept(listener, router, ended.clone()));
        Ok(Self { address, ended, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it and waits until the port is free.
    pub(crate) async fn stop(mut self) {
        self.ended.cancel();
        // A server that panicked is gone as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

async fn accept(listener: TcpListener, router: Router, ended: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, router.clone()));
                }
                // Out of file handles, most likely: let some connections end first.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
}

async fn converse(stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(Body::new)).await.map_err(|never: Infallible| match never {});
            if response.extensions().get::<HangUp>().is_some() {
                return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
            }
            Ok(response)
        }
    });
    // The caller going away is no news here.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A response after which the caller finds the connection closed, without a status line.
pub(crate) fn hang_up() -> Response {
    let mut response = ().into_response();
    response.extensions_mut().insert(HangUp);
    response
}

/// Replaces the body of `response` by the first half of `body`, after which the connection breaks.
pub(crate) fn cut_in_half(response: Response, body: &[u8]) -> Response {
    let half = bytes::Bytes::copy_from_slice(&body[..body.len() / 2]);
    let broken =
        stream::iter([Ok(half)]).chain(stream::once(async { Err(io::Error::from(io::ErrorKind::ConnectionReset)) }));
    response.map(|_| Body::from_stream(broken))
}

/// HTTP for the tests of both simulators.
#[cfg(test)]
pub(crate) mod testing {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;
    use http::Request;
    use http::Response;
    use http_body_util::BodyExt;
    use http_body_util::Full;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    /// Sends a request and reads the whole answer; the error's text where there is none.
    pub(crate) async fn send(request: Request<String>) -> Result<Response<Vec<u8>>, String> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let response = client.request(request).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes().to_vec();
        Ok(Response::from_parts(parts, body))
    }

    /// The answer's body as JSON.
    pub(crate) fn json(response: &Response<Vec<u8>>) -> serde_json::Value {
        serde_json::from_slice(response.body()).unwrap()
    }
}
