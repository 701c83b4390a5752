//! `plan` says what manifests would disclose, and changes nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use crate::support::world::World;

async fn planned(world: &World, manifests: &[Value]) -> (Option<i32>, Vec<Value>) {
    let text = json!({ "kind": "List", "items": manifests }).to_string();
    let arguments = ["plan", "-f", "-", "--namespace", world.namespace.name(), "-o", "json"];
    let said = world.tool(&arguments, &text).await;
    let told: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (said.code, told.as_array().unwrap().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_counts_whom_a_manifest_would_disclose_before_it_is_applied() {
    let mut world = World::new("plan").await;
    let citizens: Vec<String> =
        (0..3).map(|_| world.register.settle("0851", jiff::civil::date(2012, 4, 1)).unwrap()).collect();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    for citizen in &citizens {
        world.register.rename(citizen, Some("Kendt"), None, jiff::Zoned::now().date()).unwrap();
    }
    world.register.load();
    let three = async || (world.kinds().iter().filter(|kind| *kind == "name.changed").count() == 3).then_some(());
    world.until("three", three).await.expect("three are known");

    let (code, told) = planned(&world, &[world.subscription("citizens", "casework")]).await;
    assert_eq!((code, told[0]["action"].as_str()), (Some(0), Some("Unchanged")), "{told:#?}");
    assert_eq!((&told[0]["persons"], &told[0]["personsNow"]), (&json!(3), &json!(3)));

    let mut wider = world.subscription("citizens", "casework");
    wider["spec"]["select"] = json!({ "municipalities": ["0851", "0461"] });
    wider["spec"]["payload"]["fields"] = json!(["Name"]);
    let (_, told) = planned(&world, &[wider]).await;
    assert_eq!(told[0]["action"], "Changes");
    assert_eq!(told[0]["municipalities"]["added"], json!(["0461"]));
    assert_eq!(told[0]["groups"]["removed"], json!(["Address", "Municipality", "Number", "Status"]));

    // A consumer that is not applied yet, with a purpose of its own.
    let mut payroll = world.consumer_system("payroll");
    payroll["spec"]["fields"] = json!(["Status"]);
    let mut everyone = world.subscription("all", "payroll");
    everyone["spec"]["select"] = json!({ "everyone": true });
    everyone["spec"]["payload"] = json!({ "level": "Reference" });
    let (code, told) = planned(&world, &[payroll.clone(), everyone]).await;
    assert_eq!((code, told[0]["action"].as_str(), &told[0]["everyone"]), (Some(0), Some("Begins"), &json!(true)));
    assert_eq!((&told[0]["granted"]["all"], &told[0]["personsNow"]), (&json!(["Status"]), &json!(0)));

    let mut greedy = world.subscription("greedy", "payroll");
    greedy["spec"]["payload"]["fields"] = json!(["Name"]);
    let (code, told) = planned(&world, &[payroll, greedy]).await;
    assert_eq!((code, told[0]["reason"].as_str()), (Some(1), Some("FieldsNotGranted")), "{told:#?}");
    assert!(world.dump("CprSubscription").await.matches("\"citizens\"").count() > 0);
    assert!(!world.dump("CprSubscription").await.contains("greedy"), "a plan applies nothing");

    let said = world.tool(&["plan", "-f", "config/samples/secrets.yaml"], "").await;
    assert!(said.code == Some(1) && said.err.contains("no CprSubscription"), "{said:?}");
    world.stop().await;
}
