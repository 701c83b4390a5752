//! The register's doors: tokens, two GraphQL services and their schemas.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Request as Query;
use async_graphql::Variables;
use async_graphql::dynamic::Schema;
use async_graphql::dynamic::SchemaError;
use async_graphql::parser::parse_query;
use axum::Form;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use http::HeaderMap;
use http::StatusCode;
use http::Uri;
use http::header;
use serde_json::Value;
use serde_json::json;

use super::access::Access;
use super::access::allowed;
use super::distort::distort;
use super::events;
use super::faults::Fault;
use super::faults::Service;
use super::lookup;
use super::replies::Reply;
use super::rules;
use super::rules::Asked;
use super::rules::Refusal;
use super::world::Request;
use super::world::World;

/// The doors with what is behind them.
#[derive(Clone)]
pub(super) struct Doors {
    pub world: Arc<World>,
    events: Schema,
    persons: Schema,
}

impl Doors {
    pub(super) fn new(world: Arc<World>) -> Result<Self, SchemaError> {
        let (events, persons) = (events::schema(&world)?, lookup::schema(&world)?);
        Ok(Self { world, events, persons })
    }

    /// The routes of the register.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/realms/distribution/protocol/openid-connect/token", post(token))
            .route("/CPR/v1", post(ask_events))
            .route("/CPR/v1/schema", get(events_schema))
            .route("/CPR/custom/PublicSector/v2", post(ask_persons))
            .route("/CPR/custom/PublicSector/v2/schema", get(persons_schema))
            .fallback(|| async {
                Reply::problem(StatusCode::NOT_FOUND, None, "No such service or version.").into_response()
            })
            .with_state(self)
    }

    /// Sends a reply as the faults let it, and notes that it was asked for.
    fn reply(&self, faults: &[Fault], reply: Reply, service: Service, asked: Option<&Asked>) -> Response {
        let status = (!faults.contains(&Fault::HangUp)).then(|| reply.status());
        let (ids, by) = asked.map_or((0, None), |asked| (asked.ids, asked.by));
        self.world.record_request(Request { service, by, ids, status, at: self.world.clock.now() });
        reply.send(faults)
    }

    /// The faults of a request, after the delay that is one of them.
    async fn strike(&self, service: Service) -> Vec<Fault> {
        let faults = self.world.faults.strike(service);
        for fault in &faults {
            if let Fault::Slow { millis } = fault {
                tokio::time::sleep(Duration::from_millis(*millis)).await;
            }
        }
        faults
    }
}

async fn token(State(doors): State<Doors>, Form(form): Form<HashMap<String, String>>) -> Response {
    let faults = doors.strike(Service::Token).await;
    let reply =
        Reply::of_fault(&faults, doors.world.clock.now()).unwrap_or_else(|| grant(&doors.world, &form, &faults));
    doors.reply(&faults, reply, Service::Token, None)
}

fn grant(world: &World, form: &HashMap<String, String>, faults: &[Fault]) -> Reply {
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "client_credentials" {
        let error = json!({ "error": "unsupported_grant_type", "error_description": "Unsupported grant_type" });
        return Reply::json(StatusCode::BAD_REQUEST, error);
    }
    let granted = world.tokens.grant(field("client_id"), field("client_secret"), world.clock.now());
    match granted.filter(|_| !faults.contains(&Fault::WrongCredentials)) {
        Some(token) => Reply::json(StatusCode::OK, token),
        None => Reply::json(
            StatusCode::UNAUTHORIZED,
            json!({ "error": "invalid_client", "error_description": "Invalid client or Invalid client credentials" }),
        ),
    }
}

async fn events_schema(State(doors): State<Doors>, uri: Uri, headers: HeaderMap) -> Response {
    let sdl = doors.events.sdl();
    schema(&doors, &uri, &headers, sdl).await
}

async fn persons_schema(State(doors): State<Doors>, uri: Uri, headers: HeaderMap) -> Response {
    let sdl = doors.persons.sdl();
    schema(&doors, &uri, &headers, sdl).await
}

async fn schema(doors: &Doors, uri: &Uri, headers: &HeaderMap, sdl: String) -> Response {
    let faults = doors.strike(Service::Schema).await;
    let reply = Reply::of_fault(&faults, doors.world.clock.now())
        .or_else(|| allowed(&doors.world, uri, headers, Access::TokenOrKey).err())
        .unwrap_or_else(|| Reply::text(sdl));
    doors.reply(&faults, reply, Service::Schema, None)
}

async fn ask_events(State(doors): State<Doors>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    ask(&doors, &doors.events, &[events::EVENTS, events::STATUS], &uri, &headers, &body).await
}

async fn ask_persons(State(doors): State<Doors>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    ask(&doors, &doors.persons, &[lookup::ROOT], &uri, &headers, &body).await
}

async fn ask(doors: &Doors, schema: &Schema, roots: &[&str], uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let prepared = prepare(headers, body);
    let asked = prepared.as_ref().ok().and_then(|(_, asked)| asked.as_ref().ok());
    let service = service_of(asked.map_or(roots[0], |asked| asked.root.as_str()));
    let faults = doors.strike(service).await;
    let refused = Reply::of_fault(&faults, doors.world.clock.now())
        .or_else(|| allowed(&doors.world, uri, headers, Access::Token).err());
    let asked = asked.cloned();
    let reply = match (refused, prepared) {
        (Some(reply), _) | (None, Err(reply)) => reply,
        (None, Ok((_, Err(refusal)))) => Reply::graphql(refused_answer(&doors.world, &refusal)),
        (None, Ok((_, Ok(asked)))) if faults.contains(&Fault::ForbiddenInBody) => {
            let message = "The current user is not authorized to access this resource.";
            let refusal = Refusal { root: Some(asked.root), ..Refusal::new("DAF-AUTH-0001", message) };
            Reply::graphql(refused_answer(&doors.world, &refusal))
        }
        (None, Ok((_, Ok(asked)))) if refusal(&faults).is_some() => {
            let (code, message) = refusal(&faults).unwrap_or_default();
            let mut answer =
                refused_answer(&doors.world, &Refusal { root: Some(asked.root), ..Refusal::new(None, message) });
            answer["errors"][0]["extensions"]["code"] = code.into();
            Reply::graphql(answer)
        }
        (None, Ok((query, Ok(asked)))) => {
            let mut answer = execute(&doors.world, schema, query, &asked).await;
            if faults.contains(&Fault::RepeatPage) {
                answer = doors.world.faults.repeated(answer);
            }
            distort(&mut answer, &faults);
            Reply::graphql(answer)
        }
    };
    doors.reply(&faults, reply, service, asked.as_ref())
}

fn refusal(faults: &[Fault]) -> Option<(String, String)> {
    faults.iter().find_map(|fault| match fault {
        Fault::Refuse { code, message } => Some((code.clone(), message.clone())),
        _ => None,
    })
}

fn service_of(root: &str) -> Service {
    match root {
        events::EVENTS => Service::Events,
        events::STATUS => Service::ImportStatus,
        _ => Service::Lookup,
    }
}

/// A query ready to run, and whether the register's rules let it.
type Prepared = (Query, Result<Asked, Refusal>);

fn prepare(headers: &HeaderMap, body: &[u8]) -> Result<Prepared, Reply> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Reply::problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, "A query is sent as application/json."));
    }
    let request: Value = serde_json::from_slice(body)
        .map_err(|_| Reply::problem(StatusCode::BAD_REQUEST, None, "The request is not JSON."))?;
    let Some(text) = request["query"].as_str() else {
        return Err(Reply::problem(StatusCode::BAD_REQUEST, None, "The request holds no query."));
    };
    let variables = request["variables"].clone();
    let query = Query::new(text).variables(Variables::from_json(variables.clone()));
    let asked = parse_query(text)
        .map_err(|error| Refusal::new("HC0011", format!("Syntax error: {error}")))
        .and_then(|document| rules::check(&document, &variables));
    Ok((query, asked))
}

fn refused_answer(world: &World, refusal: &Refusal) -> Value {
    let mut extensions = json!({ "traceId": world.trace_id() });
    if let Some(code) = refusal.code {
        extensions["code"] = code.into();
    }
    if let Some(field) = &refusal.field {
        extensions["field"] = field.as_str().into();
    }
    let mut error = json!({ "message": refusal.message, "extensions": extensions });
    if let Some(at) = refusal.at {
        error["locations"] = json!([{ "line": at.line, "column": at.column }]);
    }
    let mut answer = json!({ "errors": [error] });
    if let Some(root) = &refusal.root {
        answer["errors"][0]["path"] = json!([root]);
        answer["data"] = json!({ root: null });
    }
    answer
}

async fn execute(world: &World, schema: &Schema, query: Query, asked: &Asked) -> Value {
    let response = schema.execute(query).await;
    if response.errors.is_empty() {
        return json!({ "data": response.data.into_json().unwrap_or_default() });
    }
    let mut errors = serde_json::to_value(&response.errors).unwrap_or_default();
    for error in errors.as_array_mut().into_iter().flatten() {
        error["extensions"]["traceId"] = world.trace_id().into();
    }
    json!({ "errors": errors, "data": { asked.root.as_str(): null } })
}
