//! A process that may open no more files or write no more bytes, and a Secret that is taken away: it waits, and goes on.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::simulate::consumer::Behaviour;
use serde_json::json;

use super::webhook::read_up_to;
use crate::support::files;
use crate::support::world::{SECRET, World, secret};

async fn working(mut world: World) -> (World, String) {
    let citizen = world.register.settle("0851", jiff::civil::date(2013, 1, 1)).unwrap();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    rename(&world, &citizen, "Kendt");
    until_named(&world, "Kendt").await;
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
async fn a_process_that_may_open_no_more_files_goes_on_when_it_may() {
    let (mut world, citizen) = working(World::new("nofile").await).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", world.pid())).unwrap().count();
    world.limit(&format!("--nofile={open}:")).await;
    world.consumer.behave(Behaviour::CutConnection);
    rename(&world, &citizen, "Foerst");
    let refused = async || world.log().contains("a delivery was not accepted").then_some(());
    world.until("a failure", refused).await.unwrap();
    world.consumer.behave(Behaviour::Accept);
    world.limit("--nofile=4096:").await;
    rename(&world, &citizen, "Siden");
    until_named(&world, "Siden").await;
    assert_eq!(world.ask("/livez").await.0, 200);
    let report = world.consumer.report();
    assert_eq!((report.forged, report.out_of_order), (0, 0), "{report:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_is_waited_for_and_nothing_is_lost() {
    let mut world = World::new("fsize").await.on_sqlite();
    let ignoring_the_signal = "trap '' XFSZ; exec \"$0\" \"$@\"";
    world.through = ["sh", "-c", ignoring_the_signal].map(str::to_owned).to_vec();
    let (mut world, citizen) = working(world).await;
    world.limit("--fsize=4096:").await;
    rename(&world, &citizen, "Imens");
    let asked = world.register.requests().len();
    world.until("reading goes on", async || (world.register.requests().len() > asked + 6).then_some(())).await.unwrap();
    assert!(world.consumer.received().iter().all(|one| one.body["data"]["fields"]["Name"]["first"] != "Imens"));
    assert_eq!(world.ask("/livez").await.0, 200);
    world.limit("--fsize=unlimited:").await;
    until_named(&world, "Imens").await;
    rename(&world, &citizen, "Siden");
    until_named(&world, "Siden").await;
    world.stop().await;
    let store = files::store(&world.data()).await;
    let mut conn = store.main.read().await.unwrap();
    let whole: String =
        cpr_operator::store::sql::query_scalar("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap();
    assert_eq!(whole, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_gone_or_empty_deliveries_wait_and_none_goes_out_unsigned() {
    let (mut world, citizen) = working(World::new("unsigned").await.on_sqlite()).await;
    world.consumer.behave(Behaviour::Slow { millis: 700 });
    rename(&world, &citizen, "Undervejs");
    world.delete("Secret", "signing").await;
    let said =
        world.until_condition("ConsumerSystem", "casework", "SecretsResolved", "False", Some("SecretNotFound")).await;
    assert!(said.message.contains("signing"), "{}", said.message);
    world.until_condition("ConsumerSystem", "casework", "Delivering", "Unknown", Some("WaitingForSecret")).await;
    world.apply(secret("signing", "signing", json!({ "first": "" }))).await;
    world.until_condition("ConsumerSystem", "casework", "SecretsResolved", "False", Some("KeyEmpty")).await;
    world.consumer.behave(Behaviour::Accept);
    rename(&world, &citizen, "Imens");
    let import = world.register.last_sequence();
    world.until("the import to be read", async || read_up_to(&world, import).await.then_some(())).await.unwrap();
    world.until_condition("ConsumerSystem", "casework", "Delivering", "Unknown", Some("WaitingForSecret")).await;
    assert!(world.consumer.received().iter().all(|one| one.body["data"]["fields"]["Name"]["first"] != "Imens"));
    world.apply(secret("signing", "signing", json!({ "first": SECRET }))).await;
    until_named(&world, "Imens").await;
    let report = world.consumer.report();
    assert_eq!((report.forged, report.malformed, report.out_of_order), (0, 0, 0), "{report:?}");
    world.until_condition("ConsumerSystem", "casework", "Delivering", "True", None).await;
    world.stop().await;
}
