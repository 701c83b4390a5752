//! What was sent can be looked at, and had sent again: `deliveries`, `deadletters`, `replay`, `resync`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use cpr_operator::simulate::consumer::{Behaviour, Received};
use serde_json::{Value, json};

use crate::support::world::{Said, World};

/// A world in which two citizens have had one event each.
async fn working(prefix: &str) -> (World, Vec<String>, String) {
    let mut world = World::new(prefix).await;
    let citizens: Vec<String> =
        (0..2).map(|_| world.register.settle("0851", jiff::civil::date(2012, 4, 1)).unwrap()).collect();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    for (at, citizen) in citizens.iter().enumerate() {
        rename(&world, citizen, ["Alma", "Bodil"][at]);
    }
    world.register.load();
    for name in ["Alma", "Bodil"] {
        until_named(&world, name).await;
    }
    let consumer = format!("{}/casework", world.namespace.name());
    (world, citizens, consumer)
}

/// Waits until everything that arrived is recorded as delivered; what the log says then.
async fn until_recorded(world: &World, consumer: &str) -> Vec<Value> {
    let recorded = async || {
        let all = items(&tool(world, &["deliveries", "--consumer", consumer, "-o", "json"]).await);
        all.iter().all(|one| one["standing"] == "Delivered").then_some(all)
    };
    world.until("all recorded", recorded).await.expect("everything is recorded")
}

fn rename(world: &World, citizen: &str, name: &str) {
    world.register.rename(citizen, Some(name), None, jiff::Zoned::now().date()).unwrap();
}

async fn until_named(world: &World, name: &str) -> Received {
    world.until_received(name, |one| one.body["data"]["fields"]["Name"]["first"] == name).await
}

async fn tool(world: &World, arguments: &[&str]) -> Said {
    world.tool(arguments, "").await
}

fn items(said: &Said) -> Vec<Value> {
    said.json().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_listed_by_consumer_and_person_and_never_with_a_body() {
    let (mut world, _, consumer) = working("log").await;
    let alma = until_named(&world, "Alma").await;
    let reference = alma.reference.clone().unwrap();
    let all = until_recorded(&world, &consumer).await;
    let said = tool(&world, &["deliveries", "--consumer", &consumer, "-o", "json"]).await;
    let arrived: HashSet<String> =
        world.consumer.received().into_iter().filter(|one| one.accepted).map(|one| one.id).collect();
    let listed: HashSet<String> = all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert!(listed.is_subset(&arrived) && listed.len() >= 4, "{listed:?} {arrived:?}");
    let of_one =
        items(&tool(&world, &["deliveries", "--consumer", &consumer, "--person", &reference, "-o", "json"]).await);
    assert!(!of_one.is_empty() && of_one.len() < all.len());
    assert!(
        of_one.iter().all(|one| one["person"] == reference.as_str() && one["attempts"] == 1 && one["status"] == 204)
    );
    let later =
        tool(&world, &["deliveries", "--consumer", &consumer, "--since", "2100-01-01T00:00:00Z", "-o", "json"]).await;
    assert!(items(&later).is_empty());
    for hidden in ["Alma", "Bodil", "fields"] {
        assert!(!said.out.contains(hidden), "{hidden}");
    }
    let stranger =
        tool(&world, &["deliveries", "--consumer", &consumer, "--person", "p_00000000000000000000000000"]).await;
    assert!(stranger.code == Some(1) && stranger.err.contains("knows nobody"), "{stranger:?}");
    let table = tool(&world, &["deliveries", "--consumer", &consumer]).await;
    assert!(table.out.starts_with("TIME ") && table.out.contains("name.changed"), "{table:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_retried_once_and_gone() {
    let (mut world, citizens, consumer) = working("letters").await;
    let mut hasty = world.consumer_system("casework");
    hasty["spec"]["delivery"]["retry"] = json!({ "initial": "1s", "max": "1s", "giveUpAfter": "2s" });
    world.apply(hasty).await;
    world.consumer.behave(Behaviour::Status { status: 422 });
    rename(&world, &citizens[0], "Dorte");
    world.register.load();
    let listed = async || {
        let said = tool(&world, &["deadletters", "list", "--consumer", &consumer, "-o", "json"]).await;
        Some(said).filter(|said| said.code == Some(0)).map(|said| items(&said)).filter(|letters| !letters.is_empty())
    };
    let letters = world.until("a dead letter", listed).await.expect("it was given up");
    assert_eq!((&letters[0]["type"], &letters[0]["class"]), (&json!("name.corrected"), &json!("Http422")));
    world.until_condition("ConsumerSystem", "casework", "DeadLettersPresent", "True", None).await;

    world.consumer.behave(Behaviour::Accept);
    let counted =
        tool(&world, &["deadletters", "retry", "--consumer", &consumer, "--all", "--dry-run", "-o", "json"]).await;
    assert_eq!((&counted.json()["deliveries"], &counted.json()["job"]), (&json!(letters.len()), &Value::Null));
    let neither = tool(&world, &["deadletters", "drop", "--consumer", &consumer]).await;
    assert!(neither.code == Some(1) && neither.err.contains("--all"), "{neither:?}");
    let unknown = tool(&world, &["deadletters", "drop", "--consumer", &consumer, "999999"]).await;
    assert!(unknown.code == Some(1) && unknown.err.contains("999999"), "{unknown:?}");

    let number = letters[0]["letter"].to_string();
    let done = tool(&world, &["deadletters", "retry", "--consumer", &consumer, &number, "-o", "json"]).await;
    assert_eq!((done.json()["state"].as_str(), done.json()["done"].as_u64()), (Some("Done"), Some(1)));
    let again = world.until_received("the letter", |one| one.body["replayed"] == json!(true)).await;
    assert_eq!(again.body["data"]["fields"]["Name"]["first"], "Dorte");
    assert_eq!(again.body["replayof"], letters[0]["id"]);
    world.until_condition("ConsumerSystem", "casework", "DeadLettersPresent", "False", None).await;
    let empty = tool(&world, &["deadletters", "list", "--consumer", &consumer]).await;
    assert_eq!(empty.out, "There are no dead letters.\n");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_and_a_resync_arrive_as_counted_and_say_what_they_are() {
    let (mut world, _, consumer) = working("again").await;
    until_recorded(&world, &consumer).await;
    let before = world.consumer.received().len();
    let replay = ["replay", "--consumer", &consumer, "--from", "2020-01-01T00:00:00Z", "-o", "json"];
    let counted = tool(&world, &[&replay[..], &["--dry-run"]].concat()).await.json();
    let deliveries = counted["deliveries"].as_u64().unwrap();
    assert!(deliveries >= 4 && counted["persons"] == 2 && counted["earliest"].is_string(), "{counted}");
    assert_eq!(world.consumer.received().len(), before, "a dry run sends nothing");

    let done = tool(&world, &replay).await.json();
    assert_eq!((done["state"].as_str(), done["done"].as_u64()), (Some("Done"), Some(deliveries)), "{done}");
    let replayed = |world: &World| -> Vec<Received> {
        let received = world.consumer.received().into_iter();
        received.filter(|one| one.accepted && one.body["replayed"] == json!(true)).collect()
    };
    let came = async || (replayed(&world).len() as u64 == deliveries).then_some(());
    assert!(world.until("the replay", came).await.is_some(), "{} of {deliveries}", replayed(&world).len());
    let first: HashSet<String> = world.consumer.received().iter().take(before).map(|one| one.id.clone()).collect();
    assert!(replayed(&world).iter().all(|one| first.contains(one.body["replayof"].as_str().unwrap())));

    let resync = tool(&world, &["resync", "--consumer", &consumer, "-o", "json"]).await.json();
    assert_eq!(resync["state"], "Done", "{resync}");
    let snapshots = async || {
        let of: HashSet<String> =
            replayed(&world).into_iter().filter(|one| one.kind == "snapshot").filter_map(|one| one.reference).collect();
        (of.len() == 2).then_some(())
    };
    assert!(world.until("the snapshots", snapshots).await.is_some(), "{:?}", world.kinds());
    let report = world.consumer.report();
    assert_eq!((report.forged, report.malformed, report.out_of_order), (0, 0, 0), "{report:?}");

    let odd = tool(&world, &["replay", "--consumer", &consumer, "--from", "2100-01-01T00:00:00Z"]).await;
    assert!(odd.code == Some(1) && odd.err.contains("begins in the future"), "{odd:?}");
    world.stop().await;
}
