//! The samples: complete, accepted as they are, fictitious.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cpr_operator::api::names::USE_LABEL;
use serde_json::Value;

use super::server::{Mode, Server};

/// Every document of a folder of samples, without those of the folders in it.
fn documents(folder: &str) -> Vec<Value> {
    let files = entries(folder).into_iter().filter(|path| path.is_file());
    files.flat_map(|path| documents_of(&path)).collect()
}

fn documents_of(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The first is what `kubectl apply -f` takes; the others come on top of it.
const FOLDERS: [&str; 4] =
    ["config/samples", "config/samples/selections", "config/samples/teams/authority", "config/samples/teams/school"];

fn all() -> Vec<Value> {
    FOLDERS.into_iter().flat_map(documents).collect()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|d| d["kind"] == kind).collect()
}

#[tokio::test]
async fn every_sample_is_accepted_as_it_is() {
    let server = Server::open("samples").await;
    for document in all() {
        assert!(document["metadata"]["namespace"].is_null(), "a sample goes where it is applied");
        let outcome = server.put(&document, Mode::DryRun).await;
        outcome.unwrap_or_else(|message| panic!("{}: {message}", document["metadata"]["name"]));
    }
}

#[test]
fn samples_refer_to_each_other() {
    let documents = documents(FOLDERS[0]);
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
    for document in all().iter().filter(|d| !d["spec"]["environment"].is_null()) {
        assert_eq!(document["spec"]["environment"], "Test");
    }
}

#[test]
fn every_folder_of_samples_is_tried() {
    for folder in FOLDERS.into_iter().chain(["config/samples/teams"]) {
        for path in entries(folder).into_iter().filter(|path| path.is_dir()) {
            let is_known = |known: &str| path.ends_with(known);
            assert!(FOLDERS.into_iter().any(is_known) || is_known("config/samples/teams"), "{}", path.display());
        }
    }
}

#[test]
fn selections_are_for_the_source_and_the_consumer_of_the_samples() {
    let documents = documents(FOLDERS[1]);
    for subscription in of_kind(&documents, "CprSubscription") {
        let spec = &subscription["spec"];
        assert_eq!(spec["sourceRef"]["name"], "datafordeler");
        assert_eq!(spec["consumerRef"]["name"], "casework");
        assert_eq!(spec["purpose"], "case-work");
        if let Some(secret) = spec["select"]["personsSecretRef"]["name"].as_str() {
            let found = of_kind(&documents, "Secret").into_iter().find(|s| s["metadata"]["name"] == secret).unwrap();
            assert_eq!(found["metadata"]["labels"][USE_LABEL], "persons");
        }
    }
}

#[test]
fn the_other_team_asks_for_no_more_than_it_is_granted() {
    let (authority, team) = (documents(FOLDERS[2]), documents(FOLDERS[3]));
    let [source] = of_kind(&authority, "CprSource")[..] else { panic!("one source") };
    let [consumer] = of_kind(&team, "ConsumerSystem")[..] else { panic!("one consumer") };
    let [subscription] = of_kind(&team, "CprSubscription")[..] else { panic!("one subscription") };
    let [grant] = &source["spec"]["grants"].as_array().unwrap()[..] else { panic!("one grant") };
    assert_eq!(grant["namespace"], "school");
    assert_eq!(subscription["spec"]["sourceRef"]["name"], source["metadata"]["name"]);
    assert!(subscription["spec"]["sourceRef"]["namespace"].is_string());
    let set = |list: &Value| list.as_array().unwrap().iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert!(set(&subscription["spec"]["payload"]["fields"]).is_subset(&set(&grant["fields"])));
    assert!(set(&subscription["spec"]["select"]["municipalities"]).is_subset(&set(&grant["municipalities"])));
    let url = consumer["spec"]["delivery"]["url"].as_str().unwrap();
    assert!(set(&grant["hosts"]).iter().any(|host| url.contains(host.trim_matches('"'))), "{url}");
    assert_eq!(
        (&consumer["spec"]["sector"], &consumer["spec"]["protectedPersons"]),
        (&grant["sector"], &grant["protectedPersons"])
    );
}
