//! `doctor`, `report` and `consumer test` say what is well, and name what is not.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::simulate::consumer::Behaviour;
use serde_json::{Value, json};

use crate::support::world::{SECRET, World};

async fn working(prefix: &str) -> World {
    let mut world = World::new(prefix).await;
    world.register.settle("0851", jiff::civil::date(2012, 4, 1)).unwrap();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    world
}

/// The verdict and message on a subject.
fn on<'a>(checks: &'a Value, area: &str, subject: &str) -> (&'a str, &'a str) {
    let found = checks.as_array().unwrap().iter().find(|check| check["area"] == area && check["subject"] == subject);
    let found = found.unwrap_or_else(|| panic!("no check {area} {subject} in {checks:#}"));
    (found["verdict"].as_str().unwrap(), found["message"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_all_well_and_then_names_what_is_not() {
    let mut world = working("doctor").await;
    let namespace = world.namespace.name().to_owned();
    let said = world.tool(&["doctor", "-o", "json"], "").await;
    let checks = said.json();
    for (area, subject) in [
        ("Database", "main.db".to_owned()),
        ("Cluster", "API server".to_owned()),
        ("Clock", "this machine".to_owned()),
        ("Register", format!("{namespace}/register")),
        ("Register", format!("{namespace}/register graphql")),
        ("Endpoint", format!("{namespace}/casework")),
    ] {
        assert_eq!(on(&checks, area, &subject).0, "Ok", "{area} {subject}: {checks:#}");
    }
    let (verdict, message) = on(&checks, "RootKey", "root key");
    assert!(verdict == "Warning" && message.contains("Production"), "{message}");

    let mut moved = world.consumer_system("moved");
    moved["spec"]["delivery"]["url"] = json!("https://receiver.invalid/cpr");
    world.apply(moved).await;
    let mut private = world.consumer_system("private");
    private["spec"]["delivery"]["url"] = json!("https://10.1.2.3/cpr");
    world.apply(private).await;
    let mut plain = world.consumer_system("plain");
    plain["spec"]["delivery"]["url"] = json!(world.consumer.url().replace("http://", "https://"));
    world.apply(plain).await;
    let failed = async || {
        let said = world.tool(&["doctor", "--output", "json"], "").await;
        (said.out.contains("/plain") && said.out.contains("/private") && said.out.contains("/moved")).then_some(said)
    };
    let said = world.until("the three", failed).await.unwrap();
    assert_eq!(said.code, Some(1), "a problem is an exit status: {said:?}");
    let checks: Value = serde_json::from_str(&said.out).unwrap();
    for (name, step) in [("moved", "DNS"), ("private", "address guard"), ("plain", "TLS")] {
        let (verdict, message) = on(&checks, "Endpoint", &format!("{namespace}/{name}"));
        assert!(verdict == "Problem" && message.starts_with(step), "{name}: {message}");
    }
    let table = world.tool(&["doctor"], "").await;
    assert!(table.out.starts_with("VERDICT") && table.out.contains("address guard: "), "{table:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_test_explains_each_answer() {
    let mut world = working("tested").await;
    let consumer = format!("{}/casework", world.namespace.name());
    let test = async |world: &World| world.tool(&["consumer", "test", "--consumer", &consumer, "-o", "json"], "").await;
    let tested = test(&world).await.json();
    assert_eq!(
        (&tested["verdict"], &tested["status"], &tested["verified"]),
        (&json!("Proved"), &json!(200), &json!(true))
    );
    for (behaviour, verdict) in [
        (Behaviour::Status { status: 401 }, "Refused"),
        (Behaviour::Status { status: 410 }, "Gone"),
        (Behaviour::Status { status: 302 }, "Refused"),
    ] {
        world.consumer.behave_in_everything(behaviour);
        let said = test(&world).await;
        let tested: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!((said.code, tested["verdict"].as_str()), (Some(1), Some(verdict)), "{tested:#}");
    }
    world.consumer.behave_in_everything(Behaviour::Accept);
    // A test changes nothing: what had proved itself still has.
    assert_eq!(test(&world).await.json()["verified"], json!(true));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_tells_how_things_are_and_holds_no_secret() {
    let mut world = working("report").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let said = world.tool(&["report", "--out", file.to_str().unwrap()], "").await;
    assert!(said.code == Some(0) && said.out.contains("no person and no secret"), "{said:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert!(report["version"].as_str().unwrap().starts_with(env!("CARGO_PKG_VERSION")));
    assert_eq!(report["consumers"][0]["key"], format!("{}/casework", world.namespace.name()));
    assert_eq!(report["sources"][0]["state"]["contact"]["reason"], "Succeeded");
    assert!(report["rows"]["audit_entry"].as_u64().unwrap() > 0);
    assert!(report["metrics"].as_array().unwrap().len() > 20);
    for hidden in [SECRET, "simulated-secret", "/cpr/events"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    world.stop().await;
}
