//! The consumer's verdicts, through HTTP and with signatures by the official library.

#![expect(clippy::unwrap_used, reason = "tests")]

use http::Request;
use http::Response;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use standardwebhooks::Webhook;

use super::Behaviour;
use super::Chosen;
use super::Consumer;
use super::Options;
use super::RetryAfter;
use crate::simulate::serving::testing;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER: &str = "whsec_bm90IHRoZSBzYW1lIHNlY3JldCBhdCBhbGw=";

async fn consumer() -> Consumer {
    let listen = "127.0.0.1:0".parse().unwrap();
    Consumer::start(Options { listen, secrets: vec![SECRET.to_owned()] }).await.unwrap()
}

fn event(id: &str, person: &str, sequence: u64) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/aalborg/datafordeler",
        "type": "dev.cpr-operator.address.changed", "subject": person, "time": "2026-11-22T03:11:08.123Z",
        "datacontenttype": "application/json",
        "dataschema": "https://cpr-operator.dev/schemas/v1/address.changed.json",
        "partitionkey": person, "sequence": format!("{sequence:020}"),
        "data": { "grounds": [{ "subscription": "s", "purpose": "p", "groups": ["Address"] }] },
    })
}

fn challenge() -> Value {
    json!({
        "specversion": "1.0", "id": "ev_challenge", "source": "/aalborg/consumersystems/acadre",
        "type": "dev.cpr-operator.endpoint.verify", "time": "2026-11-22T03:11:08Z",
        "datacontenttype": "application/json",
        "dataschema": "https://cpr-operator.dev/schemas/v1/endpoint.verify.json",
        "data": { "challenge": "say this" },
    })
}

fn signed(consumer: &Consumer, secret: &str, body: &Value) -> Request<String> {
    let (id, text, now) = (body["id"].as_str().unwrap(), body.to_string(), Timestamp::now().as_second());
    let signature = Webhook::new(secret).unwrap().sign(id, now, text.as_bytes()).unwrap();
    Request::post(consumer.url())
        .header("content-type", "application/cloudevents+json; charset=utf-8")
        .header("webhook-id", id)
        .header("webhook-timestamp", now)
        .header("webhook-signature", signature)
        .body(text)
        .unwrap()
}

async fn send(consumer: &Consumer, body: &Value) -> Result<Response<Vec<u8>>, String> {
    testing::send(signed(consumer, SECRET, body)).await
}

#[tokio::test]
async fn a_good_delivery_is_accepted_and_shown() {
    let consumer = consumer().await;
    let mut arrivals = consumer.subscribe();
    assert_eq!(send(&consumer, &event("ev_1", "p_a", 7)).await.unwrap().status(), 204);
    let arrival = arrivals.recv().await.unwrap();
    assert_eq!((arrival.kind.as_str(), arrival.sequence), ("address.changed", Some(7)));
    assert!(arrival.signature_valid && arrival.accepted && arrival.malformed.is_empty());
    assert_eq!((arrival.verified_by, arrival.signatures), (vec![0], 1));
    assert_eq!(arrival.body_sha256.len(), 64);
    assert_eq!(consumer.report().accepted, 1);
    consumer.stop().await;
}

#[tokio::test]
async fn a_forged_delivery_is_refused_and_not_shown() {
    let consumer = consumer().await;
    let mut arrivals = consumer.subscribe();
    let forged = signed(&consumer, OTHER, &event("ev_1", "p_a", 1));
    assert_eq!(testing::send(forged).await.unwrap().status(), 401);
    let mut altered = signed(&consumer, SECRET, &event("ev_2", "p_a", 2));
    *altered.body_mut() = event("ev_2", "p_b", 2).to_string();
    assert_eq!(testing::send(altered).await.unwrap().status(), 401);
    assert_eq!((consumer.report().forged, consumer.report().accepted), (2, 0));
    assert!(arrivals.try_recv().is_err());
}

#[tokio::test]
async fn a_rotated_secret_is_accepted_once_it_is_known() {
    let consumer = consumer().await;
    let with_new = || signed(&consumer, OTHER, &event("ev_1", "p_a", 1));
    assert_eq!(testing::send(with_new()).await.unwrap().status(), 401);
    consumer.set_secrets(&[SECRET.to_owned(), OTHER.to_owned()]).unwrap();
    assert_eq!(testing::send(with_new()).await.unwrap().status(), 204);
    assert_eq!(consumer.received()[1].verified_by, [1]);
    assert!(consumer.set_secrets(&["whsec_%".to_owned()]).is_err());
}

#[tokio::test]
async fn repeated_and_out_of_order_deliveries_are_told_apart() {
    let consumer = consumer().await;
    let mut replayed = event("ev_4", "p_a", 4);
    replayed["replayed"] = json!(true);
    for body in [
        event("ev_1", "p_a", 5),
        event("ev_1", "p_a", 5),
        event("ev_2", "p_b", 4),
        event("ev_3", "p_a", 4),
        replayed,
        event("ev_6", "p_a", 5),
        event("ev_5", "p_a", 6),
    ] {
        assert_eq!(send(&consumer, &body).await.unwrap().status(), 204);
    }
    let verdicts: Vec<_> = consumer.received().iter().map(|one| (one.duplicate, one.out_of_order)).collect();
    let (good, again, late) = ((false, false), (true, false), (false, true));
    assert_eq!(verdicts, [good, again, good, late, good, late, good], "a replay does not lower what was last");
    let report = consumer.report();
    assert_eq!((report.accepted, report.duplicates, report.out_of_order), (7, 1, 2));
}

#[tokio::test]
async fn a_refused_delivery_may_come_again_without_being_a_duplicate() {
    let consumer = consumer().await;
    consumer.behave(Behaviour::Status { status: 503 });
    assert_eq!(send(&consumer, &event("ev_1", "p_a", 1)).await.unwrap().status(), 503);
    consumer.behave(Behaviour::Accept);
    assert_eq!(send(&consumer, &event("ev_1", "p_a", 1)).await.unwrap().status(), 204);
    let report = consumer.report();
    assert_eq!((report.refused, report.accepted, report.duplicates), (1, 1, 0));
}

#[tokio::test]
async fn each_break_of_the_contract_is_named() {
    let consumer = consumer().await;
    let changes: [(&str, Value); 11] = [
        ("specversion", json!("0.3")),
        ("source", json!("aalborg")),
        ("type", json!("address.changed")),
        ("time", json!("yesterday")),
        ("dataschema", json!("https://example.org/")),
        ("partitionkey", json!("p_b")),
        ("sequence", json!("42")),
        ("data", json!({})),
        ("subject", json!("6101800001")),
        ("replayed", json!(false)),
        ("replayof", json!("ev_2")),
    ];
    for (member, value) in changes {
        let mut body = event("ev_1", "p_a", 1);
        body[member] = value;
        assert_eq!(send(&consumer, &body).await.unwrap().status(), 400, "{member}");
    }
    let mut other_type = signed(&consumer, SECRET, &event("ev_1", "p_a", 1));
    other_type.headers_mut().insert("content-type", "application/json".parse().unwrap());
    assert_eq!(testing::send(other_type).await.unwrap().status(), 400);
    let mut of_itself = event("ev_1", "p_a", 1);
    (of_itself["replayed"], of_itself["replayof"]) = (json!(true), json!("ev_1"));
    assert_eq!(send(&consumer, &of_itself).await.unwrap().status(), 400);
    assert_eq!((consumer.report().malformed, consumer.report().accepted), (13, 0));
}

#[tokio::test]
async fn a_challenge_is_echoed_unless_told_otherwise() {
    let consumer = consumer().await;
    consumer.behave(Behaviour::Gone);
    let answer = send(&consumer, &challenge()).await.unwrap();
    assert_eq!(testing::json(&answer), json!({ "challenge": "say this" }));
    consumer.behave(Behaviour::WrongChallenge);
    let answer = send(&consumer, &challenge()).await.unwrap();
    assert_ne!(testing::json(&answer)["challenge"], "say this");
    consumer.behave_in_everything(Behaviour::Gone);
    assert_eq!(send(&consumer, &challenge()).await.unwrap().status(), 410);
    let report = consumer.report();
    assert_eq!((report.challenges, report.accepted, report.malformed), (3, 0, 0));
}

#[tokio::test]
async fn failures_look_as_asked_for() {
    let consumer = consumer().await;
    let body = event("ev_1", "p_a", 1);
    consumer.behave(Behaviour::StatusWithRetryAfter { status: 429, retry_after: RetryAfter::Seconds(7) });
    let answer = send(&consumer, &body).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    consumer.behave(Behaviour::StatusWithRetryAfter { status: 503, retry_after: RetryAfter::Date(60) });
    let answer = send(&consumer, &body).await.unwrap();
    assert!(answer.headers()["retry-after"].to_str().unwrap().ends_with(" GMT"));
    consumer.behave(Behaviour::Redirect { url: "http://127.0.0.1:1/".to_owned() });
    let answer = send(&consumer, &body).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (307, &"http://127.0.0.1:1/".parse().unwrap())
    );
    consumer.behave(Behaviour::FailFor { chosen: Chosen::References(["p_a".to_owned()].into()) });
    assert_eq!(send(&consumer, &body).await.unwrap().status(), 500);
    assert_eq!(send(&consumer, &event("ev_2", "p_b", 1)).await.unwrap().status(), 204);
    consumer.behave(Behaviour::CutConnection);
    assert!(send(&consumer, &body).await.is_err());
    assert_eq!(consumer.report().accepted, 1);
    consumer.behave(Behaviour::CutAfterAccepting);
    assert!(send(&consumer, &body).await.is_err());
    assert_eq!(consumer.report().accepted, 2);
}

#[tokio::test]
async fn a_hanging_consumer_can_be_stopped() {
    let consumer = consumer().await;
    consumer.behave(Behaviour::Hang);
    let mut arrivals = consumer.subscribe();
    let sending = tokio::spawn(testing::send(signed(&consumer, SECRET, &event("ev_1", "p_a", 1))));
    arrivals.recv().await.unwrap();
    consumer.stop().await;
    assert!(sending.await.unwrap().is_err());
}

#[tokio::test]
async fn switches_and_report_are_reached_over_http() {
    let consumer = consumer().await;
    let url = |path: &str| consumer.url().replace("/cpr/events", path);
    let switch = |said: &str| {
        let request = Request::post(url("/simulator/behave")).header("content-type", "application/json");
        testing::send(request.body(said.to_owned()).unwrap())
    };
    let said =
        r#"{"answer": "statusWithRetryAfter", "status": 503, "retryAfter": {"seconds": 3}, "applies": "everything"}"#;
    assert_eq!(switch(said).await.unwrap().status(), 204);
    assert_eq!(send(&consumer, &challenge()).await.unwrap().status(), 503);
    assert_eq!(switch(r#"{"answer": "sulk"}"#).await.unwrap().status(), 400);
    let report = testing::send(Request::get(url("/simulator/report")).body(String::new()).unwrap()).await.unwrap();
    assert_eq!(testing::json(&report)["challenges"], 1);
}
