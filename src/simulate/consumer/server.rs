//! A request's way through the consumer: verified, read, answered, kept.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use futures::stream;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use standardwebhooks::HEADER_WEBHOOK_SIGNATURE;

use super::behaviour::Applies;
use super::behaviour::Behaviour;
use super::behaviour::RetryAfter;
use super::behaviour::Step;
use super::contract;
use super::handle::Shared;
use super::judge::Received;
use crate::simulate::serving::hang_up;

/// The pause between the bytes of an answer that never ends.
const DRIP: Duration = Duration::from_millis(200);
/// The longest body that is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// Deliveries, and below `/simulator` the switches for people at a terminal and tests in other processes.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/cpr/events", post(deliver))
        .route("/simulator/behave", post(behave))
        .route("/simulator/report", get(report))
        .route("/simulator/received", get(received))
        .layer(DefaultBodyLimit::max(LONGEST))
        .with_state(shared)
}

async fn deliver(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let arrival = read(&shared, &headers, &body);
    if !arrival.signature_valid {
        keep(&shared, arrival, false);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !arrival.malformed.is_empty() {
        let why = arrival.malformed.join("; ");
        keep(&shared, arrival, false);
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    let (behaviour, applies) = shared.behaviour();
    match behaviour.decide(applies, &arrival.kind, arrival.reference.as_deref()) {
        Step::Accept { after } => {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            let answer = accepted(&arrival);
            keep(&shared, arrival, true);
            answer
        }
        Step::AcceptAndCut => {
            keep(&shared, arrival, true);
            hang_up()
        }
        step => {
            keep(&shared, arrival, false);
            refuse(step, body).await
        }
    }
}

fn keep(shared: &Shared, mut arrival: Received, accepted: bool) {
    arrival.accepted = accepted;
    let remember = shared.remember.load(Ordering::Relaxed);
    let listened = arrival.signature_valid && shared.arrivals.receiver_count() > 0;
    let mut judge = shared.judge();
    judge.judge(&mut arrival);
    let told = listened.then(|| arrival.clone());
    if remember {
        judge.received.push(arrival);
    }
    // Told while the lock is held, so that listeners hear in the order of the verdicts.
    if let Some(told) = told {
        let _ = shared.arrivals.send(told);
    }
}

fn read(shared: &Shared, headers: &HeaderMap, bytes: &[u8]) -> Received {
    let parsed = serde_json::from_slice::<Value>(bytes);
    let broken = parsed.is_err();
    let body = parsed.unwrap_or_default();
    let mut arrival = Received::new(contract::read(headers, &body), body, Timestamp::now());
    if broken {
        arrival.malformed = vec!["the body is not JSON".to_owned()];
    }
    let secrets = shared.secrets();
    let fitting = secrets.iter().enumerate().filter(|(_, secret)| secret.verify(bytes, headers).is_ok());
    arrival.verified_by = fitting.map(|(at, _)| at).collect();
    arrival.signature_valid = !arrival.verified_by.is_empty();
    arrival.body_sha256 = hex::encode(digest::digest(&digest::SHA256, bytes));
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    arrival.signatures = header(HEADER_WEBHOOK_SIGNATURE).map_or(0, |all| all.split_whitespace().count());
    (arrival.traceparent, arrival.user_agent) = (header("traceparent"), header("user-agent"));
    arrival
}

fn accepted(arrival: &Received) -> Response {
    if arrival.kind == "endpoint.verify" {
        return Json(json!({ "challenge": arrival.body["data"]["challenge"] })).into_response();
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Refusals repeat what they were sent, as careless receivers do.
async fn refuse(step: Step, sent: Bytes) -> Response {
    match step {
        Step::Refuse { status, retry_after, location } => refusal(status, retry_after, location, sent),
        Step::AnswerWrongly => Json(json!({ "challenge": "something else" })).into_response(),
        Step::Hang => std::future::pending().await,
        Step::Drip => {
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(DRIP).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
            });
            Body::from_stream(drops).into_response()
        }
        Step::Cut | Step::Accept { .. } | Step::AcceptAndCut => hang_up(),
    }
}

fn refusal(status: u16, retry_after: Option<RetryAfter>, location: Option<String>, sent: Bytes) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, sent).into_response();
    let when = retry_after.map(|retry_after| match retry_after {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => {
            let at = Timestamp::now() + Duration::from_secs(seconds.into());
            at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        }
    });
    for (name, value) in [(header::RETRY_AFTER, when), (header::LOCATION, location)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A behaviour with what it is for: `{"answer": "status", "status": 503, "applies": "everything"}`.
#[derive(Deserialize)]
struct Switch {
    #[serde(flatten)]
    behaviour: Behaviour,
    #[serde(default)]
    applies: Applies,
}

async fn behave(State(shared): State<Arc<Shared>>, Json(said): Json<Value>) -> Response {
    match serde_json::from_value::<Switch>(said) {
        Ok(switch) => {
            shared.behave(switch.behaviour, switch.applies);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn report(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.judge().report).into_response()
}

async fn received(State(shared): State<Arc<Shared>>) -> Response {
    let all = shared.judge().received.clone();
    Json(all).into_response()
}
