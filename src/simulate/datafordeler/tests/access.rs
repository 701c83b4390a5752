//! Tokens, keys, paths and what is wrong on demand.

use std::time::Duration;

use http::Request;
use serde_json::json;

use super::Asker;
use super::code;
use crate::simulate::datafordeler::Fault;
use crate::simulate::datafordeler::RetryAfter;
use crate::simulate::datafordeler::Service;
use crate::simulate::serving::testing;

const STATUS: &str = "{ DAF_RegisterImportStatus { lastSequenceNumber } }";

#[tokio::test]
async fn a_token_needs_the_right_secret_and_grant() {
    let asker = Asker::new().await;
    let wrong = asker.ask_token("grant_type=client_credentials&client_id=simulated-client&client_secret=no").await;
    assert_eq!((wrong.status().as_u16(), &testing::json(&wrong)["error"]), (401, &json!("invalid_client")));
    let other = asker.ask_token("grant_type=password").await;
    assert_eq!((other.status().as_u16(), &testing::json(&other)["error"]), (400, &json!("unsupported_grant_type")));
}

#[tokio::test]
async fn no_bearer_or_an_expired_one_is_unauthorised() {
    let mut asker = Asker::new().await;
    let request = Request::post(format!("{}/CPR/v1", asker.register.url())).header("content-type", "application/json");
    let answer = testing::send(request.body(json!({ "query": STATUS }).to_string()).unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["www-authenticate"]), (401, &"Bearer".parse().unwrap()));
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(testing::json(&answer)["errorCode"], "DAF-AUTH-0005");
    asker.clock.advance(Duration::from_secs(300));
    let answer = asker.post("/CPR/v1", json!({ "query": STATUS })).await.unwrap();
    assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    asker.token = asker.fetch_token().await;
    assert_eq!(asker.post("/CPR/v1", json!({ "query": STATUS })).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_key_opens_schemas_and_nothing_else() {
    let asker = Asker::new().await;
    for path in ["/CPR/v1/schema", "/CPR/custom/PublicSector/v2/schema"] {
        assert_eq!(asker.get(path, false).await.status(), 401);
        assert_eq!(asker.get(&format!("{path}?apikey=wrong"), false).await.status(), 401);
        assert_eq!(asker.get(&format!("{path}?APIKEY=simulated-key"), false).await.status(), 200);
        assert_eq!(asker.get(path, true).await.status(), 200);
        let both = asker.get(&format!("{path}?apiKey=simulated-key"), true).await;
        assert_eq!(testing::json(&both)["errorCode"], "DAF-AUTH-0002");
    }
    let request = Request::post(format!("{}/CPR/v1?apiKey=simulated-key", asker.register.url()))
        .header("content-type", "application/json");
    let answer = testing::send(request.body(json!({ "query": STATUS }).to_string()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn an_unknown_service_is_not_found() {
    let asker = Asker::new().await;
    for path in ["/CPR/1", "/CPR/v2", "/CPR/custom/PublicSector/v1", "/CPR/custom/PrivateSector/v2"] {
        assert_eq!(asker.post(path, json!({ "query": STATUS })).await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn faults_look_as_documented_and_end() {
    let asker = Asker::new().await;
    let faults = asker.register.faults();
    let ask = || asker.post("/CPR/v1", json!({ "query": STATUS }));
    for (fault, status) in [
        (Fault::Unauthorized, 401),
        (Fault::NotWhiteListed, 401),
        (Fault::Forbidden, 403),
        (Fault::TooMany { retry_after: RetryAfter::Silent }, 429),
        (Fault::ServerError { status: 503 }, 503),
    ] {
        faults.set_times(fault, 1);
        assert_eq!(ask().await.unwrap().status(), status);
        assert_eq!(ask().await.unwrap().status(), 200);
    }
    faults.set(Fault::ForbiddenInBody);
    assert_eq!(code(&testing::json(&ask().await.unwrap())), "DAF-AUTH-0001");
    faults.clear();
    for (fault, header) in [(RetryAfter::Seconds(30), "30"), (RetryAfter::Date(60), "Sun, 22 Nov 2026 10:01:00 GMT")] {
        faults.set_times(Fault::TooMany { retry_after: fault }, 1);
        assert_eq!(ask().await.unwrap().headers()["retry-after"], header);
    }
    for fault in [Fault::Cut, Fault::HangUp] {
        faults.set_times(fault, 1);
        assert!(ask().await.is_err());
    }
    faults.set_times(Fault::BrokenJson, 1);
    assert!(serde_json::from_slice::<serde_json::Value>(ask().await.unwrap().body()).is_err());
    faults.set_times(Fault::WrongCredentials, 1);
    let form = "grant_type=client_credentials&client_id=simulated-client&client_secret=simulated-secret";
    assert_eq!(asker.ask_token(form).await.status(), 401);
    assert_eq!(asker.ask_token(form).await.status(), 200);
}

#[tokio::test]
async fn a_register_that_is_down_comes_back_as_it_was() {
    let asker = Asker::new().await;
    let id = asker.settled();
    asker.register.go_down().await;
    assert!(asker.post("/CPR/v1", json!({ "query": STATUS })).await.is_err());
    asker.register.come_back().await.unwrap();
    assert_eq!(asker.person(&id, "status").await["status"], "bopael_i_danmark");
}

#[tokio::test]
async fn what_was_asked_is_remembered() {
    let asker = Asker::new().await;
    let id = asker.settled();
    asker.person(&id, "status").await;
    asker.register.faults().set_times(Fault::HangUp, 1);
    let _ = asker.post("/CPR/v1", json!({ "query": STATUS })).await;
    let seen: Vec<_> = asker
        .register
        .requests()
        .iter()
        .map(|request| (request.service, request.by, request.ids, request.status))
        .collect();
    assert_eq!(seen[0], (Service::Token, None, 0, Some(200)));
    assert_eq!(seen[1], (Service::Lookup, Some("person"), 1, Some(200)));
    assert_eq!((seen[2].0, seen[2].3), (Service::ImportStatus, None));
    assert_eq!(asker.register.answered()[0].person, id);
}

#[tokio::test]
async fn switches_are_reached_over_http() {
    let asker = Asker::new().await;
    let told = asker.post("/simulator/people", json!({ "municipality": "0851", "since": "2020-01-01" })).await.unwrap();
    let person = testing::json(&told)["person"].as_str().unwrap().to_owned();
    let number = asker.register.citizen(&person).unwrap().number;
    for who in [&person, &number] {
        let life = json!({ "person": who, "happens": "moveTo", "municipality": "0101", "from": "2026-11-01" });
        assert_eq!(asker.post("/simulator/life", life).await.unwrap().status(), 200);
    }
    assert_eq!(asker.register.citizen(&person).unwrap().municipality.as_deref(), Some("0101"));
    let nonsense = json!({ "person": person, "happens": "moveTo", "from": "2026-11-01" });
    assert_eq!(asker.post("/simulator/life", nonsense).await.unwrap().status(), 400);
    let impossible = json!({ "person": person, "happens": "annulDeath" });
    assert_eq!(asker.post("/simulator/life", impossible).await.unwrap().status(), 409);
    let loaded = asker.post("/simulator/load", json!({})).await.unwrap();
    assert_eq!(testing::json(&loaded)["lastSequenceNumber"], 301);
    let fault = json!({ "fault": "serverError", "status": 500, "services": ["lookup"], "requests": 1 });
    assert_eq!(asker.post("/simulator/faults", fault).await.unwrap().status(), 204);
    assert_eq!(asker.post("/CPR/v1", json!({ "query": STATUS })).await.unwrap().status(), 200);
    assert_eq!(asker.post("/CPR/custom/PublicSector/v2", json!({ "query": "{ x }" })).await.unwrap().status(), 500);
    assert_eq!(testing::json(&asker.get("/simulator/people", false).await).as_array().unwrap().len(), 1);
}
