//! Canaries: numbers, names, addresses and secrets of a whole run appear nowhere but where they are meant to go.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::simulate::consumer::Behaviour;
use cpr_operator::simulate::datafordeler::Fault;
use serde_json::json;

use crate::support::files;
use crate::support::world::{SECRET, World, secret};

/// What must not be found, each with what it is.
fn canaries(world: &World) -> Vec<(&'static str, String)> {
    let mut found = vec![
        ("client secret", "simulated-secret".to_owned()),
        ("signing secret", SECRET.trim_start_matches("whsec_").to_owned()),
        ("name", "Kanariella".to_owned()),
        ("name", "Gulfuglesen".to_owned()),
        ("number of an error page", "610180-0001".to_owned()),
        ("number that nobody has", "6101800001".to_owned()),
    ];
    for citizen in world.register.people() {
        found.push(("number with a hyphen", format!("{}-{}", &citizen.number[..6], &citizen.number[6..])));
        found.push(("number", citizen.number));
        found.push(("PersonID", citizen.id.clone()));
        found.push(("PersonID without hyphens", citizen.id.replace('-', "")));
    }
    found
}

fn assert_silent(place: &str, bytes: &[u8], canaries: &[(&'static str, String)]) {
    for (what, canary) in canaries {
        let sings = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!sings, "{place} holds a {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_appear_in_no_output() {
    let mut world = World::new("canary").await;
    let citizens: Vec<String> =
        (0..5).map(|_| world.register.settle("0851", jiff::civil::date(2011, 2, 3)).unwrap()).collect();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    let today = jiff::Zoned::now().date();
    let mut round = 0;
    let mut sing = |world: &World| {
        round += 1;
        for citizen in &citizens {
            let first = format!("Kanariella{}", ["", "a", "b", "c", "d", "e", "f", "g"][round]);
            world.register.rename(citizen, Some(&first), Some("Gulfuglesen"), today).unwrap();
        }
        world.register.load();
    };
    let numbers: Vec<String> = world.register.people().into_iter().map(|citizen| citizen.number).collect();
    let list = format!("# pupils\n{}\n6101800001\n", numbers.join("\n"));
    world.apply(secret("persons", "persons", json!({ "list": list }))).await;
    let mut listed = world.subscription("listed", "casework");
    listed["spec"]["select"] = json!({ "personsSecretRef": { "name": "persons", "key": "list" } });
    world.apply(listed).await;
    let loaded = "InitialLoadComplete";
    world.until_condition("CprSubscription", "listed", loaded, "True", Some("LoadedWithUnknown")).await;
    sing(&world);
    world.until_received("a name", |one| one.kind == "name.changed").await;
    world.consumer.behave(Behaviour::Status { status: 500 });
    sing(&world);
    let refused = world.until("a refusal", async || (world.consumer.report().refused > 3).then_some(())).await;
    assert!(refused.is_some(), "{:?}\n{}", world.consumer.report(), world.log());
    for fault in [
        Fault::BrokenJson,
        Fault::ServerError { status: 500 },
        Fault::Forbidden,
        Fault::UnknownField,
        Fault::DropMandatory { member: "beskyttelser".into() },
    ] {
        world.register.faults().clear();
        world.register.faults().set_times(fault, 6);
        sing(&world);
        let asked = world.register.requests().len();
        world.ask_to_read(asked).await;
        let more = async || (world.register.requests().len() > asked + 3).then_some(());
        assert!(world.until("more requests", more).await.is_some(), "{}", world.log());
    }
    world.register.faults().clear();
    world.ask_to_read(0).await;
    world.apply(secret("signing", "signing", json!({ "first": "whsec_Kanariella" }))).await;
    world.until_condition("ConsumerSystem", "casework", "SecretsResolved", "False", Some("KeyMalformed")).await;
    world.apply_secrets().await;
    world.consumer.behave(Behaviour::Accept);
    world.until_received("the last", |one| one.body.to_string().contains("Kanariellaa")).await;

    let canaries = canaries(&world);
    let (_, metrics) = world.ask("/metrics").await;
    assert!(metrics.contains("cpr_ingest_persons"), "{metrics}");
    assert_silent("/metrics", metrics.as_bytes(), &canaries);
    for kind in ["CprSource", "ConsumerSystem", "CprSubscription", "Event"] {
        let mut dump = world.dump(kind).await;
        dump = dump.replace("simulated-client", "");
        assert_silent(kind, dump.as_bytes(), &canaries);
    }
    world.stop().await;
    assert_silent("the log", world.log().as_bytes(), &canaries);
    for (name, bytes) in files::bytes(&world.data()) {
        assert_silent(&name, &bytes, &canaries);
    }
}
