//! `spec.suspend` of a source and of a subscription; that of a consumer is part of the webhook's journey.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde_json::json;

use super::webhook::read_up_to;
use crate::support::world::World;

async fn working(prefix: &str) -> (World, String) {
    let mut world = World::new(prefix).await.on_sqlite();
    let citizen = world.register.settle("0851", jiff::civil::date(2012, 4, 1)).unwrap();
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

async fn until_named(world: &World, name: &str) -> String {
    world.until_received(name, |one| one.body["data"]["fields"]["Name"]["first"] == name).await.kind
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_source_reads_nothing_and_catches_up() {
    let (mut world, citizen) = working("still").await;
    let mut suspended = world.source();
    suspended["spec"]["suspend"] = json!(true);
    world.apply(suspended).await;
    world.until_condition("CprSource", "register", "Ready", "False", Some("Suspended")).await;
    let silent = async || {
        let before = world.register.requests().len();
        // Long enough for three readings, were there any.
        tokio::time::sleep(Duration::from_secs(3)).await;
        (world.register.requests().len() == before).then_some(())
    };
    world.until("silence", silent).await.unwrap();
    rename(&world, &citizen, "En");
    rename(&world, &citizen, "To");
    world.apply(world.source()).await;
    assert!(until_named(&world, "To").await.starts_with("name."));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_subscription_gets_one_snapshot_of_each_person_who_changed() {
    let (mut world, citizen) = working("pause").await;
    let mut suspended = world.subscription("citizens", "casework");
    suspended["spec"]["suspend"] = json!(true);
    world.apply(suspended).await;
    world.until_condition("CprSubscription", "citizens", "Ready", "False", Some("Suspended")).await;
    for name in ["En", "To", "Tre"] {
        rename(&world, &citizen, name);
        let import = world.register.last_sequence();
        world.until("the import to be read", async || read_up_to(&world, import).await.then_some(())).await.unwrap();
    }
    let before = world.kinds().len();
    world.apply(world.subscription("citizens", "casework")).await;
    assert_eq!(until_named(&world, "Tre").await, "snapshot");
    rename(&world, &citizen, "Siden");
    assert!(until_named(&world, "Siden").await.starts_with("name."));
    assert_eq!(world.kinds().len(), before + 2);
    world.stop().await;
}
