//! The client against a small register of the tests' own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::schema::tests::{ENTITIES, person_service};
use super::*;
use crate::domain::compiled::{Calendar, MunicipalityCodes, Source};
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::resource::{Environment, ResourceKey};
use crate::net;

const NUMBER: &str = "6101800001";
const SECRET: &str = "hemmelig-6101800002";

/// What the register does with each kind of request: given the request's count, starting from 1, a status, headers and
/// a body.
type Behaviour = Box<dyn Fn(&Asked) -> (u16, HeaderMap, String) + Send + Sync>;

#[derive(Clone, Debug)]
struct Asked {
    count: usize,
    bearer: Option<String>,
    query: String,
    body: String,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Register {
    behaviours: Mutex<HashMap<&'static str, Behaviour>>,
    asked: Mutex<Vec<(&'static str, Asked)>>,
}

const TOKEN: &str = "token";
const EVENTS: &str = "events";
const EVENTS_SCHEMA: &str = "events schema";
const PERSONS: &str = "persons";
const PERSONS_SCHEMA: &str = "persons schema";

fn kind(path: &str) -> Option<&'static str> {
    Some(match path {
        "/realms/distribution/protocol/openid-connect/token" => TOKEN,
        "/CPR/v1" => EVENTS,
        "/CPR/v1/schema" => EVENTS_SCHEMA,
        "/CPR/custom/PublicSector/v2" => PERSONS,
        "/CPR/custom/PublicSector/v2/schema" => PERSONS_SCHEMA,
        _ => return None,
    })
}

async fn serve(State(register): State<Arc<Register>>, request: Request) -> Response {
    let Some(kind) = kind(request.uri().path()) else { return StatusCode::NOT_FOUND.into_response() };
    let header = request.headers().get("authorization");
    let bearer = header.map(|value| value.to_str().unwrap().to_owned());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let count = register.count(kind) + 1;
    let asked = Asked { count, bearer, query, body };
    register.asked.lock().unwrap().push((kind, asked.clone()));
    let (status, headers, body) = register.behaviours.lock().unwrap()[kind](&asked);
    (StatusCode::from_u16(status).unwrap(), headers, body).into_response()
}

impl Register {
    fn on(&self, kind: &'static str, does: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) {
        self.on_with(kind, move |asked| {
            let (status, body) = does(asked);
            (status, HeaderMap::new(), body)
        });
    }

    fn on_with(&self, kind: &'static str, does: impl Fn(&Asked) -> (u16, HeaderMap, String) + Send + Sync + 'static) {
        self.behaviours.lock().unwrap().insert(kind, Box::new(does));
    }

    fn count(&self, kind: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(of, _)| *of == kind).count()
    }

    fn last(&self, kind: &str) -> Asked {
        self.asked.lock().unwrap().iter().rfind(|(of, _)| *of == kind).unwrap().1.clone()
    }
}

fn token(asked: &Asked) -> (u16, String) {
    let form: HashMap<_, _> = url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    if form["client_secret"] != SECRET || form["grant_type"] != "client_credentials" {
        return (401, r#"{"error":"invalid_client"}"#.into());
    }
    (200, json!({"access_token": format!("token{}", asked.count), "expires_in": 300}).to_string())
}

fn id(number: usize) -> String {
    format!("7f3b2c1e-5a64-4c0d-9e21-{number:012}")
}

fn person(id: &str, number: &str) -> Value {
    json!({"id": id, "status": "bopael_i_danmark", "personnumre": [{"personnummer": number, "status": "aktuel"}],
        "adresseoplysninger": [], "beskyttelser": []})
}

fn given(root: &str, value: Value) -> (u16, String) {
    (200, json!({"data": {root: value}}).to_string())
}

const PERSON_ROOT: &str = "CPRCustom_PublicSectorPerson";

fn everyone_asked_for(asked: &Asked) -> (u16, String) {
    let variables = asked.json()["variables"]["v"].clone();
    let values = variables.as_array().cloned().unwrap_or_else(|| vec![variables.clone()]);
    let nodes: Vec<Value> = values.iter().map(|id| person(id.as_str().unwrap(), NUMBER)).collect();
    given(PERSON_ROOT, json!({"nodes": nodes}))
}

fn settings() -> Settings {
    Settings { requests_per_second: 100_000, timeout: Duration::from_secs(20), ..Settings::default() }
}

async fn start(settings: Settings) -> (Arc<Register>, Client) {
    let register = Arc::new(Register::default());
    register.on(TOKEN, token);
    register.on(EVENTS_SCHEMA, |_| (200, ENTITIES.to_owned()));
    register.on(PERSONS_SCHEMA, |_| (200, person_service(&[])));
    register.on(PERSONS, everyone_asked_for);
    let status = json!({"lastSequenceNumber": 310, "lastEventId": 1200});
    register.on(EVENTS, move |_| given("DAF_RegisterImportStatus", status.clone()));
    let app = Router::new().fallback(serve).with_state(register.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: url::Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(&source(base), credentials(), &settings, http()).unwrap();
    (register, client)
}

fn source(base: url::Url) -> Source {
    Source {
        key: ResourceKey::new("aalborg", "datafordeler"),
        environment: Environment::Test,
        graphql: base.clone(),
        auth: base,
        ca_bundle: None,
        proxy: None,
        allowed_networks: Vec::new(),
        municipality_codes: MunicipalityCodes::Both,
        poll_interval: Duration::from_secs(60),
        calendar: Calendar::Weekdays,
        suspended: false,
        asked_at: None,
        grants: Vec::new(),
    }
}

fn credentials() -> Credentials {
    Credentials {
        client_id: "client".to_owned().into(),
        client_secret: SECRET.to_owned().into(),
        schema_api_key: Some("key".to_owned().into()),
    }
}

fn http() -> net::client::Client {
    let guard = net::guard::Guard::new(vec!["127.0.0.0/8".parse().unwrap()], vec![]);
    net::client::Client::new(guard, None, &net::Settings::default()).unwrap()
}

fn ids(count: usize) -> Vec<PersonId> {
    (0..count).map(|number| PersonId::parse(&id(number)).unwrap()).collect()
}

#[tokio::test]
async fn status_and_persons_are_read_with_one_token() {
    let (register, client) = start(settings()).await;
    let understanding = client.learn().await.unwrap();
    assert!(understanding.from_schema && understanding.offered.contains(FieldGroup::MunicipalNotes));
    assert_eq!(client.import_status().await.unwrap().last_sequence_number, 310);
    let persons = client.persons_by_id(&ids(3), GroupSet::EMPTY).await.unwrap();
    assert_eq!((persons.found.len(), persons.not_understood), (3, 0));
    assert_eq!(persons.found[0].held, GroupSet::ALWAYS_HELD);
    let numbers = [CprNumber::parse(NUMBER).unwrap()];
    register.on(PERSONS, |_| given(PERSON_ROOT, json!({"nodes": [person(&id(1), NUMBER)]})));
    assert_eq!(client.persons_by_number(&numbers, GroupSet::EMPTY).await.unwrap().found.len(), 1);
    assert_eq!((register.count(TOKEN), register.count(PERSONS_SCHEMA)), (1, 1));
    assert_eq!(register.last(PERSONS).bearer.as_deref(), Some("Bearer token1"));
    assert_eq!(client.counts().answered, 6);
    assert_eq!(client.counts().persons, 4);
}

#[tokio::test]
async fn many_persons_are_asked_for_in_batches_and_each_once() {
    let (register, client) = start(settings()).await;
    let mut asked = ids(250);
    asked.extend(ids(20));
    let persons = client.persons_by_id(&asked, GroupSet::EMPTY).await.unwrap();
    assert_eq!((persons.found.len(), register.count(PERSONS)), (250, 3));
    let sizes = register.asked.lock().unwrap().clone();
    let sizes = sizes
        .iter()
        .filter(|(kind, _)| *kind == PERSONS)
        .map(|(_, asked)| asked.json()["variables"]["v"].as_array().unwrap().len());
    assert!(sizes.max().unwrap() <= 100);
}

#[tokio::test]
async fn a_service_that_takes_one_id_is_asked_one_by_one() {
    let (register, client) = start(settings()).await;
    register.on(PERSONS_SCHEMA, |_| (200, person_service(&[("in: [String!]", "")])));
    let persons = client.persons_by_id(&ids(3), GroupSet::EMPTY).await.unwrap();
    assert_eq!((persons.found.len(), register.count(PERSONS)), (3, 3));
}

#[tokio::test]
async fn a_service_without_lookup_by_id_is_not_asked() {
    let (register, client) = start(settings()).await;
    register.on(PERSONS_SCHEMA, |_| (200, person_service(&[("id: StringOp status", "status")])));
    assert_eq!(client.persons_by_id(&ids(1), GroupSet::EMPTY).await.unwrap_err(), Error::NoLookupById);
    assert_eq!(client.understanding().unwrap().lookup_by_id, None);
    assert_eq!(register.count(PERSONS), 0);
}

#[tokio::test]
async fn persons_who_were_not_asked_for_are_left_out() {
    let (register, client) = start(settings()).await;
    register.on(PERSONS, |_| given(PERSON_ROOT, json!({"nodes": [person(&id(0), NUMBER), person(&id(9), NUMBER)]})));
    let persons = client.persons_by_id(&ids(1), GroupSet::EMPTY).await.unwrap();
    assert_eq!((persons.found.len(), persons.not_understood), (1, 1));
}

#[tokio::test]
async fn pages_of_persons_are_followed() {
    let (register, client) = start(settings()).await;
    register.on(PERSONS_SCHEMA, |_| {
        let paged = [
            ("nodes: [Person!]", "nodes: [Person!] pageInfo: PageInfo"),
            ("(input: PersonInput)", "(first: Int, after: String, input: PersonInput)"),
            ("scalar LocalDate", "scalar LocalDate type PageInfo { hasNextPage: Boolean endCursor: String }"),
        ];
        (200, person_service(&paged))
    });
    register.on(PERSONS, |asked| {
        let first = asked.json()["variables"]["after"].is_null();
        let at = usize::from(!first);
        let page = json!({"hasNextPage": first, "endCursor": "next"});
        given(PERSON_ROOT, json!({"nodes": [person(&id(at), NUMBER)], "pageInfo": page}))
    });
    assert_eq!(client.persons_by_id(&ids(2), GroupSet::EMPTY).await.unwrap().found.len(), 2);
}

fn events(rows: &'static [(i64, u32)]) -> impl Fn(&Asked) -> (u16, String) {
    move |asked| {
        let variables = &asked.json()["variables"];
        let (after, first) = (variables["v"].as_i64().unwrap(), variables["first"].as_u64().unwrap() as usize);
        let later: Vec<_> = rows.iter().filter(|(id, _)| *id > after).collect();
        let nodes: Vec<Value> = later
            .iter()
            .take(first)
            .map(|(id, import)| {
                json!({"eventid": id, "entityname": "Cprhaendelse", "object_id": super::tests::id(1),
                    "datafordelerRegisterImportSequenceNumber": import})
            })
            .collect();
        given("CPR_Events", json!({"nodes": nodes, "pageInfo": {"hasNextPage": later.len() > first}}))
    }
}

#[tokio::test]
async fn notices_come_page_by_page() {
    let (register, client) = start(Settings { page_size: 2, ..settings() }).await;
    register.on(EVENTS, events(&[(5, 1), (9, 1), (12, 2)]));
    let first = client.notices(0).await.unwrap();
    assert_eq!((first.notices.len(), first.more, first.last_event_id), (2, true, Some(9)));
    let second = client.notices(9).await.unwrap();
    assert_eq!((second.notices.len(), second.more, second.last_event_id), (1, false, Some(12)));
    assert_eq!(client.notices(12).await.unwrap(), NoticePage::default());
}

#[tokio::test]
async fn a_page_that_does_not_move_on_is_not_understood() {
    let (register, client) = start(settings()).await;
    register.on(EVENTS, |_| {
        events(&[(5, 1)])(&Asked {
            count: 1,
            bearer: None,
            query: String::new(),
            body: r#"{"variables":{"v":0,"first":9}}"#.into(),
        })
    });
    assert!(matches!(client.notices(5).await, Err(Error::NotUnderstood { .. })));
}

#[tokio::test]
async fn the_start_of_an_import_is_found() {
    let (register, client) = start(settings()).await;
    register.on(EVENTS, events(&[(5, 1), (9, 1), (5_000, 2), (5_001, 2), (70_000, 4)]));
    for (import, before) in [(1, 0), (2, 9), (3, 5_001), (4, 5_001), (5, 70_000)] {
        assert_eq!(client.find_event_before_import(import).await.unwrap(), before, "{import}");
        let page = client.notices(before).await.unwrap();
        assert!(page.notices.iter().all(|notice| notice.import >= import));
    }
    register.on(EVENTS, events(&[]));
    assert_eq!(client.find_event_before_import(1).await.unwrap(), 0);
}

#[tokio::test]
async fn the_start_of_an_import_is_asked_for_where_that_is_possible() {
    let (register, client) = start(settings()).await;
    register.on(EVENTS_SCHEMA, |_| {
        let by_import = "entityname: DafStringOperationFilterInput datafordelerRegisterImportSequenceNumber: DafLongOperationFilterInput";
        (200, ENTITIES.replace("entityname: DafStringOperationFilterInput", by_import))
    });
    register.on(EVENTS, |asked| {
        assert_eq!(asked.json()["variables"], json!({"v": 2, "first": 1}));
        events(&[(5_000, 2)])(asked)
    });
    assert_eq!(client.find_event_before_import(2).await.unwrap(), 4_999);
    assert_eq!(register.count(EVENTS), 1);
}

const UNAUTHORISED: &str = r#"{"errorCode":"DAF-AUTH-0005","detail":"no valid method for 6101800001"}"#;

#[tokio::test]
async fn a_token_that_is_not_accepted_is_renewed_once_and_the_query_sent_once_more() {
    let (register, client) = start(settings()).await;
    client.learn().await.unwrap();
    register.on(PERSONS, |asked| if asked.count == 1 { (401, UNAUTHORISED.into()) } else { everyone_asked_for(asked) });
    assert_eq!(client.persons_by_id(&ids(1), GroupSet::EMPTY).await.unwrap().found.len(), 1);
    assert_eq!((register.count(TOKEN), register.count(PERSONS)), (2, 2));
    assert_eq!(register.last(PERSONS).bearer.as_deref(), Some("Bearer token2"));
    register.on(PERSONS, |_| (401, UNAUTHORISED.into()));
    let refused = client.persons_by_id(&ids(1), GroupSet::EMPTY).await.unwrap_err();
    assert!(matches!(refused, Error::CredentialsWrong { perhaps_address: true, .. }));
    assert_eq!((register.count(TOKEN), register.count(PERSONS)), (3, 4));
}

#[tokio::test]
async fn many_questions_at_once_fetch_one_token_and_one_schema() {
    let (register, client) = start(settings()).await;
    let all = futures::future::join_all((0..20).map(|_| client.import_status())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((register.count(TOKEN), register.count(EVENTS_SCHEMA), register.count(EVENTS)), (1, 1, 20));
}

#[tokio::test]
async fn wrong_credentials_are_told_and_show_nothing() {
    let (register, client) = start(settings()).await;
    register.on(TOKEN, |_| (401, format!(r#"{{"error":"invalid_client","error_description":"{SECRET}"}}"#)));
    let error = client.import_status().await.unwrap_err();
    assert_eq!(error.retry(), Retry::EveryFiveMinutes);
    assert!(error.to_string().contains("invalid_client"));
    assert_eq!(register.count(EVENTS), 0);
}

#[tokio::test]
async fn a_schema_for_api_keys_only_is_fetched_with_the_key_alone() {
    let (register, client) = start(settings()).await;
    for (kind, text) in [(EVENTS_SCHEMA, ENTITIES.to_owned()), (PERSONS_SCHEMA, person_service(&[]))] {
        register.on(kind, move |asked| match (asked.query.as_str(), &asked.bearer) {
            ("apiKey=key", None) => (200, text.clone()),
            _ => (403, r#"{"errorCode":"DAF-AUTH-0001"}"#.into()),
        });
    }
    assert!(client.learn().await.unwrap().from_schema);
}

#[tokio::test]
async fn without_any_schema_the_documented_form_is_asked() {
    let (register, client) = start(settings()).await;
    register.on(EVENTS_SCHEMA, |_| (403, String::new()));
    register.on(PERSONS_SCHEMA, |_| (404, String::new()));
    let understanding = client.learn().await.unwrap();
    assert!(!understanding.from_schema && understanding.hash.is_none());
    assert_eq!(client.import_status().await.unwrap().last_sequence_number, 310);
    register.on(PERSONS, |asked| {
        let query = asked.json()["query"].as_str().unwrap().to_owned();
        let nodes: Vec<Value> = (0..2).map(id).filter(|id| query.contains(id)).map(|id| person(&id, NUMBER)).collect();
        given(PERSON_ROOT, json!({"nodes": nodes}))
    });
    assert_eq!(client.persons_by_id(&ids(2), GroupSet::EMPTY).await.unwrap().found.len(), 2);
}

fn refused(message: &str, code: Option<&str>) -> (u16, String) {
    let extensions = json!({"code": code, "traceId": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    (200, json!({"errors": [{"message": message, "extensions": extensions}], "data": {PERSON_ROOT: null}}).to_string())
}

#[tokio::test]
async fn a_schema_that_changed_is_read_again_when_a_query_is_refused() {
    let (register, client) = start(Settings { schema_min_age: Duration::ZERO, ..settings() }).await;
    client.learn().await.unwrap();
    register.on(PERSONS_SCHEMA, |_| (200, person_service(&[("fornavne", "fornavn")])));
    register.on(PERSONS, |asked| {
        let text = asked.json()["query"].as_str().unwrap().to_owned();
        if text.contains("fornavne") { refused("no such field", None) } else { everyone_asked_for(asked) }
    });
    let groups = GroupSet::of(&[FieldGroup::Name]);
    assert_eq!(client.persons_by_id(&ids(1), groups).await.unwrap().found.len(), 1);
    assert_eq!(register.count(PERSONS_SCHEMA), 2);
    register.on(PERSONS, |_| refused("no", Some("DAF-GQL-0009")));
    let error = client.persons_by_id(&ids(1), groups).await.unwrap_err();
    assert!(error.to_string().contains("DAF-GQL-0009") && error.to_string().contains("0af76519"));
    assert_eq!((error.retry(), register.count(PERSONS)), (Retry::Hourly, 3));
}

#[tokio::test]
async fn members_that_the_service_demands_are_selected_from_then_on() {
    let (register, client) = start(settings()).await;
    register.on(PERSONS, |asked| {
        let text = asked.json()["query"].as_str().unwrap().to_owned();
        let demand = "Required fields are missing in query selection: koen, navne";
        if text.contains("koen") && text.contains("navne") { everyone_asked_for(asked) } else { refused(demand, None) }
    });
    let persons = client.persons_by_id(&ids(1), GroupSet::EMPTY).await.unwrap();
    assert_eq!(persons.found[0].held, GroupSet::ALWAYS_HELD);
    client.persons_by_id(&ids(1), GroupSet::EMPTY).await.unwrap();
    assert_eq!(register.count(PERSONS), 3);
}

#[tokio::test]
async fn a_register_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    for after in ["3000", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        let (register, client) = start(settings()).await;
        client.learn().await.unwrap();
        register.on_with(EVENTS, move |_| {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, after.parse().unwrap())]);
            (429, headers, String::new())
        });
        let Err(Error::Busy { retry_after: Some(wait) }) = client.import_status().await else { panic!("busy") };
        assert!(wait >= Duration::from_secs(3000));
        let Err(Error::Paused { remaining }) = client.import_status().await else { panic!("paused") };
        assert!(remaining > Duration::from_secs(2900));
        assert_eq!((register.count(EVENTS), client.circuit()), (1, limits::CircuitState::Open));
        assert_eq!(client.counts().busy, 1);
    }
}

#[tokio::test]
async fn failures_in_a_row_open_the_circuit() {
    let (register, client) =
        start(Settings { circuit_failures: 2, circuit_initial: Duration::from_secs(600), ..settings() }).await;
    client.learn().await.unwrap();
    register.on(EVENTS, |_| (500, "6101800001".into()));
    for _ in 0..2 {
        assert!(matches!(client.import_status().await, Err(Error::Down { .. })));
    }
    assert!(matches!(client.import_status().await, Err(Error::Paused { .. })));
    assert_eq!((register.count(EVENTS), client.counts().down), (2, 2));
}

#[tokio::test]
async fn a_schema_that_cannot_be_had_again_leaves_what_was_known() {
    let (register, client) = start(Settings { schema_max_age: Duration::ZERO, ..settings() }).await;
    client.learn().await.unwrap();
    register.on(PERSONS_SCHEMA, |_| (502, String::new()));
    assert!(client.learn().await.is_err());
    let tried = register.count(PERSONS_SCHEMA);
    assert_eq!(client.import_status().await.unwrap().last_sequence_number, 310);
    assert_eq!(register.count(PERSONS_SCHEMA), tried);
}

#[tokio::test]
async fn an_address_that_is_not_opened_is_told_each_time() {
    let closed = net::client::Client::new(net::guard::Guard::default(), None, &net::Settings::default()).unwrap();
    let base: url::Url = "http://127.0.0.1:9/".parse().unwrap();
    let client = Client::new(&source(base), credentials(), &settings(), closed).unwrap();
    for _ in 0..5 {
        let error = client.import_status().await.unwrap_err();
        assert_eq!(error, Error::Guarded { range: net::guard::Range::Loopback });
    }
}

#[tokio::test]
async fn numbers_names_and_secrets_show_in_no_error() {
    let canaries = [NUMBER, "Åse Testesen", SECRET, "6101800002", "token1", &id(0)];
    let bodies = [
        (200, format!("{{ {NUMBER}")),
        (200, json!({"data": {PERSON_ROOT: NUMBER}}).to_string()),
        (200, json!({"data": NUMBER}).to_string()),
        (200, json!({"errors": [NUMBER, {"message": NUMBER}]}).to_string()),
        (
            200,
            json!({"errors": [{"message": canaries, "extensions": {"code": NUMBER, "traceId": canaries[5]}}]})
                .to_string(),
        ),
        (
            200,
            json!({"errors": [{"message": format!("Required fields are missing in query selection: {NUMBER}")}]})
                .to_string(),
        ),
        (400, format!("Åse Testesen {NUMBER} {SECRET}")),
        (401, json!({"errorCode": format!("DAF-{NUMBER}"), "detail": format!("IP {NUMBER}")}).to_string()),
        (403, json!({"errorCode": NUMBER, "detail": SECRET}).to_string()),
        (418, "Åse Testesen".to_owned()),
        (500, NUMBER.to_owned()),
    ];
    for (status, body) in bodies {
        let (register, client) = start(settings()).await;
        register.on(PERSONS, move |_| (status, body.clone()));
        let error = client.persons_by_id(&ids(1), GroupSet::EMPTY).await.unwrap_err();
        let shown = format!("{error} {error:?} {client:?} {:?} {:?}", credentials(), client.understanding());
        for canary in canaries {
            assert!(!shown.contains(canary), "{shown}");
        }
    }
}
