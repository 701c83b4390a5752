//! Bad input: a condition or an exit message says what to do, and when the cause is gone everything arrives.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::simulate::consumer::{Behaviour, RetryAfter as Hint};
use cpr_operator::simulate::datafordeler::Fault;
use serde_json::{Value, json};

use crate::support::files;
use crate::support::world::{SECRET, World, secret};

/// A world in which all works and one citizen of Aalborg is known to the register.
async fn working(prefix: &str) -> (World, String) {
    working_in(World::new(prefix).await).await
}

async fn working_in(mut world: World) -> (World, String) {
    let citizen = world.register.settle("0851", jiff::civil::date(2013, 1, 1)).unwrap();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    (world, citizen)
}

fn rename(world: &World, citizen: &str, name: &str) {
    world.register.rename(citizen, Some(name), None, jiff::Zoned::now().date()).unwrap();
    world.register.load();
}

async fn until_named(world: &World, name: &str) {
    world.until_received(name, |one| one.body["data"]["fields"]["Name"]["first"] == name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_secret_is_named_and_mended() {
    let mut world = World::new("secrets").await;
    let citizen = world.register.settle("0851", jiff::civil::date(2013, 1, 1)).unwrap();
    world.register.load();
    world.apply(world.source()).await;
    world.apply(world.consumer_system("casework")).await;
    world.apply(world.subscription("citizens", "casework")).await;
    world.start();
    let resolved = async |world: &World, reason: &str| {
        world.until_condition("ConsumerSystem", "casework", "SecretsResolved", "False", Some(reason)).await.message
    };
    assert!(resolved(&world, "SecretNotFound").await.contains("signing"));
    let mut unlabelled = secret("signing", "signing", json!({ "first": SECRET }));
    unlabelled["metadata"]["labels"] = json!({});
    world.apply(unlabelled).await;
    world.apply(annotated(world.consumer_system("casework"), "1")).await;
    assert!(resolved(&world, "SecretNotLabelled").await.contains("cpr-operator.dev/use"));
    world.apply(secret("signing", "signing", json!({ "first": "" }))).await;
    assert!(resolved(&world, "KeyEmpty").await.contains("first"));
    world.apply(secret("signing", "signing", json!({ "first": "whsec_!" }))).await;
    let message = resolved(&world, "KeyMalformed").await;
    assert!(message.contains("first") && !message.contains("whsec_!"), "{message}");
    world.until_condition("CprSource", "register", "SecretsResolved", "False", Some("SecretNotFound")).await;
    world.apply_secrets().await;
    world.until_ready().await;
    rename(&world, &citizen, "Endelig");
    until_named(&world, "Endelig").await;
    world.stop().await;
}

fn annotated(mut manifest: Value, value: &str) -> Value {
    manifest["metadata"]["annotations"] = json!({ "cpr-operator.dev/reconcile-at": value });
    manifest
}

#[tokio::test(flavor = "multi_thread")]
async fn private_and_metadata_addresses_are_refused_by_name_and_by_literal() {
    let mut world = World::new("guard").await;
    world.settings = vec![];
    world.apply_secrets().await;
    world.apply(world.source()).await;
    let port = world.consumer.url().rsplit(':').next().unwrap().to_owned();
    let urls = [
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
        "http://169.254.169.254/latest".into(),
        "http://[::ffff:10.0.0.1]/x".into(),
    ];
    for (number, url) in urls.iter().enumerate() {
        let mut consumer = world.consumer_system(&format!("casework-{number}"));
        consumer["spec"]["delivery"]["url"] = json!(url);
        world.apply(consumer).await;
    }
    world.start();
    for number in 0..urls.len() {
        let name = format!("casework-{number}");
        let said =
            world.until_condition("ConsumerSystem", &name, "EndpointVerified", "False", Some("AddressRefused")).await;
        assert!(
            said.message.contains("allowed_networks") || said.message.contains("allowedNetworks"),
            "{}",
            said.message
        );
    }
    let said = world.until_condition("CprSource", "register", "Reachable", "False", Some("AddressRefused")).await;
    assert!(!said.message.is_empty());
    assert_eq!(world.consumer.report().requests, 0);
    assert!(world.register.requests().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_in_any_way_gets_everything_in_the_end() {
    let (mut world, citizen) = working("receiver").await;
    let redirect = Behaviour::Redirect { url: format!("{}elsewhere", world.register.url()) };
    let behaviours = [
        Behaviour::Hang,
        redirect,
        Behaviour::Unauthorized,
        Behaviour::StatusWithRetryAfter { status: 429, retry_after: Hint::Seconds(2) },
        Behaviour::StatusWithRetryAfter { status: 503, retry_after: Hint::Date(2) },
    ];
    for (number, behaviour) in behaviours.into_iter().enumerate() {
        world.consumer.behave(behaviour.clone());
        let before = world.consumer.report().requests;
        rename(&world, &citizen, &format!("Navn{number}"));
        let tried = world.until("an attempt", async || (world.consumer.report().requests > before).then_some(())).await;
        assert!(tried.is_some(), "{behaviour:?}\n{}", world.log());
    }
    world.consumer.behave(Behaviour::Accept);
    until_named(&world, "Navn4").await;
    let report = world.consumer.report();
    assert_eq!((report.forged, report.out_of_order), (0, 0), "{report:?}");
    let names: Vec<Value> = world
        .consumer
        .received()
        .into_iter()
        .filter(|one| one.accepted && one.kind.starts_with("name."))
        .map(|one| one.body["data"]["fields"]["Name"]["first"].clone())
        .collect();
    assert_eq!(names, ["Navn0", "Navn1", "Navn2", "Navn3", "Navn4"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gone_endpoint_pauses_until_the_spec_changes() {
    let (mut world, citizen) = working("gone").await;
    world.consumer.behave(Behaviour::Gone);
    rename(&world, &citizen, "Borte");
    world.until_condition("ConsumerSystem", "casework", "Delivering", "False", Some("EndpointGone")).await;
    world.consumer.behave(Behaviour::Accept);
    let mut changed = world.consumer_system("casework");
    changed["spec"]["delivery"]["timeout"] = json!("3s");
    world.apply(changed).await;
    until_named(&world, "Borte").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_fails_in_any_way_is_told_apart_and_read_in_the_end() {
    let (mut world, citizen) = working("register").await;
    let cases = [
        (Fault::WrongCredentials, "CredentialsValid", "CredentialsWrong"),
        (Fault::BrokenJson, "Reachable", "NotUnderstood"),
        (Fault::ServerError { status: 500 }, "Reachable", "Down"),
    ];
    for (number, (fault, type_, reason)) in cases.into_iter().enumerate() {
        world.register.revoke_tokens();
        world.register.faults().set(fault);
        rename(&world, &citizen, &format!("Navn{number}"));
        let said = world.until_condition("CprSource", "register", type_, "False", Some(reason)).await;
        assert!(!said.message.is_empty(), "{said:?}");
        world.register.faults().clear();
        world.apply(annotated(world.source(), &number.to_string())).await;
        until_named(&world, &format!("Navn{number}")).await;
    }
    world.register.go_down().await;
    world.until_condition("CprSource", "register", "Reachable", "False", Some("Down")).await;
    world.register.come_back().await.unwrap();
    world.apply(annotated(world.source(), "back")).await;
    rename(&world, &citizen, "Tilbage");
    until_named(&world, "Tilbage").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_mandatory_field_is_taken_as_protection_or_waits() {
    let (mut world, citizen) = working("mandatory").await;
    world.register.faults().set(Fault::DropMandatory { member: "id".into() });
    rename(&world, &citizen, "Senere");
    let asked = world.register.requests().len();
    world
        .until("two more lookups", async || (world.register.requests().len() > asked + 6).then_some(()))
        .await
        .unwrap();
    assert!(!world.kinds().contains(&"name.changed".to_owned()));
    world.register.faults().clear();
    until_named(&world, "Senere").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_and_a_newer_database_are_refused_with_what_to_do() {
    let (mut world, citizen) = working_in(World::new("files").await.on_sqlite()).await;
    let (code, said) = world.start_second().await;
    assert_ne!(code, Some(0));
    assert!(said.contains("another process") && said.contains("store.path"), "{said}");
    rename(&world, &citizen, "Uanfaegtet");
    until_named(&world, "Uanfaegtet").await;
    world.stop().await;

    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'future', 1, x'00', 0)";
    let path = world.data().join("main.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    sqlx::query(newer).execute(&mut conn).await.unwrap();
    sqlx::Connection::close(conn).await.unwrap();
    let (code, said) = world.start_second().await;
    assert_ne!(code, Some(0));
    assert!(said.contains("9999") && said.contains("newer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_root_key_is_refused_at_start() {
    let (mut world, _) = working_in(World::new("rootkey").await.on_sqlite()).await;
    world.stop().await;
    let key = world.data().join("keys.root");
    let other = std::fs::read_to_string(&key)
        .unwrap()
        .chars()
        .rev()
        .collect::<String>()
        .trim_start_matches('=')
        .trim()
        .to_owned();
    let flipped: String = other.chars().map(|c| if c == '\n' { 'A' } else { c }).collect();
    std::fs::write(&key, format!("{}=", &flipped[..43])).unwrap();
    let (code, said) = world.start_second().await;
    assert_ne!(code, Some(0));
    assert!(said.contains("root key"), "{said}");
    std::fs::remove_file(&key).unwrap();
    let (code, said) = world.start_second().await;
    assert_ne!(code, Some(0));
    assert!(said.contains("root key"), "a missing key is not made anew beside a database: {said}");
    assert!(!key.exists());
    assert!(!files::bytes(&world.data()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_resource_stops_no_other() {
    let (mut world, citizen) = working("bad").await;
    let mut bad = world.subscription("wrong", "casework");
    bad["spec"]["purpose"] = json!("no-such-purpose");
    world.apply(bad).await;
    let said = world.until_condition("CprSubscription", "wrong", "ReferencesResolved", "False", None).await;
    assert!(said.message.contains("no-such-purpose"), "{}", said.message);
    rename(&world, &citizen, "Uroert");
    until_named(&world, "Uroert").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_loses_and_unsigns_nothing() {
    const NEXT: &str = "whsec_bmV4dC1zZWNyZXQtb2YtYS1maWN0aXRpb3VzLXN5c3Q=";
    let (mut world, citizen) = working("rotation").await;
    rename(&world, &citizen, "Foer");
    until_named(&world, "Foer").await;
    world.apply(secret("signing", "signing", json!({ "first": NEXT }))).await;
    for name in ["Under", "Imens"] {
        rename(&world, &citizen, name);
        until_named(&world, name).await;
    }
    world.consumer.set_secrets(&[NEXT.to_owned()]).unwrap();
    rename(&world, &citizen, "Efter");
    until_named(&world, "Efter").await;
    let unsigned =
        world.consumer.received().into_iter().filter(|one| !one.signature_valid && one.kind != "endpoint.verify");
    assert_eq!(unsigned.count(), 0, "{}", world.log());
    world.stop().await;
}
