//! The register's replies, whole or as a fault leaves them.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt;
use futures::stream;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::faults::Fault;
use super::faults::RetryAfter;
use crate::simulate::serving::cut_in_half;
use crate::simulate::serving::hang_up;

/// A reply before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

/// An error page that says more than it should.
const LEAKY_PAGE: &str = "<html><body>Something went wrong with Kanariella Gulfuglesen, 610180-0001.</body></html>";

impl Reply {
    fn new(status: StatusCode, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
        Self { status, headers, body: body.into() }
    }

    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(super) fn graphql(body: Value) -> Self {
        Self::new(StatusCode::OK, "application/json; charset=utf-8", body.to_string())
            .with(HeaderName::from_static("server-timing"), "reqlatency;dur=1")
            .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
    }

    pub(super) fn text(body: String) -> Self {
        Self::new(StatusCode::OK, "application/graphql; charset=utf-8", body)
    }

    pub(super) fn problem(status: StatusCode, code: Option<&str>, detail: &str) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        let mut body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        if let Some(code) = code {
            body["errorCode"] = code.into();
        }
        Self::new(status, "application/problem+json", body.to_string())
    }

    /// The reply with a header more.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The reply that a fault gives instead of the right one.
    pub(super) fn of_fault(faults: &[Fault], now: Timestamp) -> Option<Self> {
        faults.iter().find_map(|fault| match fault {
            Fault::Unauthorized => Some(Self::unauthorized("No valid method of authentication was found.")),
            Fault::NotWhiteListed => Some(Self::unauthorized("The IP address of the caller is not verified.")),
            Fault::Forbidden => {
                Some(Self::problem(StatusCode::FORBIDDEN, Some("DAF-AUTH-0001"), "The right to this is missing."))
            }
            Fault::TooMany { retry_after } => Some(Self::too_many(*retry_after, now)),
            Fault::ServerError { status } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Some(Self::new(status, "text/html", LEAKY_PAGE))
            }
            _ => None,
        })
    }

    fn unauthorized(detail: &str) -> Self {
        Self::problem(StatusCode::UNAUTHORIZED, Some("DAF-AUTH-0005"), detail).with(header::WWW_AUTHENTICATE, "Bearer")
    }

    fn too_many(retry_after: RetryAfter, now: Timestamp) -> Self {
        let reply = Self::problem(StatusCode::TOO_MANY_REQUESTS, None, "Too many requests.");
        match retry_after {
            RetryAfter::Silent => reply,
            RetryAfter::Seconds(seconds) => reply.with(header::RETRY_AFTER, &seconds.to_string()),
            RetryAfter::Date(seconds) => {
                let at = now + Duration::from_secs(seconds.into());
                reply.with(header::RETRY_AFTER, &at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
            }
        }
    }

    /// The reply as it is.
    pub(super) fn into_response(self) -> Response {
        self.send(&[])
    }

    /// The reply as it arrives when these faults strike it.
    pub(super) fn send(self, faults: &[Fault]) -> Response {
        if faults.contains(&Fault::HangUp) {
            return hang_up();
        }
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        if faults.contains(&Fault::Cut) {
            return cut_in_half(response.map(|()| Body::empty()), &self.body);
        }
        let mut body = self.body;
        if faults.contains(&Fault::BrokenJson) {
            body.truncate(body.len() / 2);
        }
        for fault in faults {
            match fault {
                Fault::Huge { bytes } => body.splice(0..0, std::iter::repeat_n(b' ', *bytes as usize)).for_each(drop),
                Fault::Packed => {
                    let packed = HeaderValue::from_static("gzip");
                    response.headers_mut().insert(header::CONTENT_ENCODING, packed);
                    body = [&[0x1f, 0x8b, 8, 0], body.as_slice()].concat();
                }
                Fault::Drip { millis } => {
                    let wait = Duration::from_millis(*millis);
                    let drops = stream::iter(body).then(move |byte| async move {
                        tokio::time::sleep(wait).await;
                        Ok::<_, std::convert::Infallible>(vec![byte])
                    });
                    return response.map(|()| Body::from_stream(drops));
                }
                _ => {}
            }
        }
        // In one chunk, as the register sends without a length.
        response.map(|()| Body::from_stream(stream::iter([Ok::<_, std::convert::Infallible>(body)])))
    }
}
