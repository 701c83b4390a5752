//! The samples: complete, accepted as they are, fictitious.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use cpr_operator::api::names::USE_LABEL;
use serde_json::Value;

use super::server::{Mode, Server};

/// Every document of every sample.
fn documents() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/samples");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        found.extend(serde_saphyr::from_multiple::<Value>(&text).unwrap());
    }
    found
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|d| d["kind"] == kind).collect()
}

#[tokio::test]
async fn every_sample_is_accepted_as_it_is() {
    let server = Server::open("samples").await;
    for document in documents() {
        assert!(document["metadata"]["namespace"].is_null(), "a sample goes where it is applied");
        let outcome = server.put(&document, Mode::DryRun).await;
        outcome.unwrap_or_else(|message| panic!("{}: {message}", document["metadata"]["name"]));
    }
}

#[test]
fn samples_refer_to_each_other() {
    let documents = documents();
    let name = |d: &Value| d["metadata"]["name"].clone();
    let [source] = of_kind(&documents, "CprSource")[..] else { panic!("one source") };
    let [consumer] = of_kind(&documents, "ConsumerSystem")[..] else { panic!("one consumer") };
    let [subscription] = of_kind(&documents, "CprSubscription")[..] else { panic!("one subscription") };
    assert_eq!(subscription["spec"]["sourceRef"]["name"], name(source));
    assert_eq!(subscription["spec"]["consumerRef"]["name"], name(consumer));
    let purposes: BTreeSet<_> =
        consumer["spec"]["purposes"].as_array().unwrap().iter().map(|p| p["id"].as_str()).collect();
    assert!(purposes.contains(&subscription["spec"]["purpose"].as_str()));

    let secret = |wanted: &Value, use_: &str| {
        let found = of_kind(&documents, "Secret").into_iter().find(|s| name(s) == *wanted).unwrap();
        assert_eq!(found["metadata"]["labels"][USE_LABEL], use_);
        found["stringData"].as_object().unwrap().clone()
    };
    let credentials = secret(&source["spec"]["datafordeler"]["credentialsRef"]["name"], "source");
    assert!(credentials.contains_key("clientId") && credentials.contains_key("clientSecret"));
    let signing = secret(&consumer["spec"]["delivery"]["signingSecretRef"]["name"], "signing");
    for value in signing.values() {
        standardwebhooks::Webhook::new(value.as_str().unwrap()).unwrap();
    }
}

#[test]
fn samples_are_for_trial_only() {
    for document in documents().iter().filter(|d| !d["spec"]["environment"].is_null()) {
        assert_eq!(document["spec"]["environment"], "Test");
    }
}
