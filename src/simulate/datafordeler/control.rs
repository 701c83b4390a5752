//! The register's switches over HTTP, for people at a terminal and tests in other processes.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::faults::Fault;
use super::faults::Service;
use super::happening::Error;
use super::happening::Happening;
use super::register::Register;

/// The routes below `/simulator`.
pub(super) fn routes(register: Register) -> Router {
    Router::new()
        .route("/people", get(people).post(settle))
        .route("/life", post(life))
        .route("/live", post(live))
        .route("/load", post(load))
        .route("/faults", post(set_fault).delete(clear_faults))
        .route("/requests", get(requests))
        .route("/answered", get(answered))
        .with_state(register)
}

async fn people(State(register): State<Register>) -> Response {
    Json(register.people()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    municipality: String,
    since: Date,
}

async fn settle(State(register): State<Register>, Json(settle): Json<Settle>) -> Response {
    answer(register.settle(&settle.municipality, settle.since).map(|person| json!({ "person": person })))
}

/// `{"person": "<PersonID or number>", "happens": "moveTo", …}`.
async fn life(State(register): State<Register>, Json(mut said): Json<Value>) -> Response {
    let person = said.as_object_mut().and_then(|members| members.remove("person"));
    let Some(person) = person.as_ref().and_then(Value::as_str) else {
        return refused("the member person is missing");
    };
    let what: Happening = match serde_json::from_value(said) {
        Ok(what) => what,
        Err(error) => return refused(&error.to_string()),
    };
    let id = by_number(&register, person).unwrap_or_else(|| person.to_owned());
    answer(register.happen(&id, what).map(|child| json!({ "person": id, "child": child })))
}

fn by_number(register: &Register, number: &str) -> Option<String> {
    register.world.ledger().book.with_number(number).last().map(|person| person.id.clone())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Live {
    count: usize,
}

async fn live(State(register): State<Register>, Json(live): Json<Live>) -> Response {
    Json(json!({ "happened": register.live(live.count).len() })).into_response()
}

/// What becomes of the queued notices.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Manner {
    #[default]
    Whole,
    Unfinished,
    Failed,
    Lost,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    #[serde(default)]
    manner: Manner,
}

async fn load(State(register): State<Register>, load: Option<Json<Load>>) -> Response {
    let queued = register.queued();
    match load.unwrap_or_default().manner {
        Manner::Whole => drop(register.load()),
        Manner::Unfinished => drop(register.load_events_only()),
        Manner::Failed => drop(register.fail_import()),
        Manner::Lost => drop(register.lose_import()),
    }
    Json(json!({ "notices": queued, "lastSequenceNumber": register.last_sequence() })).into_response()
}

/// A fault with where and how often it strikes: `{"fault": "tooMany", "retryAfter": {"seconds": 5}, "requests": 3}`.
#[derive(Deserialize)]
struct Switch {
    #[serde(flatten)]
    fault: Fault,
    services: Option<Vec<Service>>,
    requests: Option<u32>,
}

async fn set_fault(State(register): State<Register>, Json(said): Json<Value>) -> Response {
    match serde_json::from_value::<Switch>(said) {
        Ok(switch) => {
            register.faults().set_for(switch.fault, switch.services.as_deref(), switch.requests);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refused(&error.to_string()),
    }
}

async fn clear_faults(State(register): State<Register>) -> Response {
    register.faults().clear();
    StatusCode::NO_CONTENT.into_response()
}

async fn requests(State(register): State<Register>) -> Response {
    Json(register.requests()).into_response()
}

async fn answered(State(register): State<Register>) -> Response {
    Json(register.answered()).into_response()
}

fn answer(done: Result<Value, Error>) -> Response {
    match done {
        Ok(value) => Json(value).into_response(),
        Err(error @ Error::NoSuchPerson) => (StatusCode::NOT_FOUND, error.to_string()).into_response(),
        Err(error @ Error::Impossible(_)) => (StatusCode::CONFLICT, error.to_string()).into_response(),
    }
}

fn refused(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, why.to_owned()).into_response()
}
