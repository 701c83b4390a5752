//! The API server is away: at the start, and while events flow.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::support::gate::Gate;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_stops_neither_the_start_nor_the_flow_of_events() {
    let gate = Gate::shut_before_the_api_server().await;
    let mut world = World::new("outage").await;
    world.kubeconfig = Some(gate.kubeconfig());
    let citizen = world.register.settle("0851", jiff::civil::date(2012, 4, 1)).unwrap();
    world.register.load();
    world.install().await;
    world.start();
    until_logged(&world, "the API server was not reached").await;
    assert_eq!(world.ask("/livez").await.0, 200);
    assert_eq!(world.ask("/readyz").await.0, 200);
    let metrics = world.ask("/metrics").await.1;
    assert!(metrics.contains("leader_election_master_status{name=\"cpr-operator\"} 0"), "{metrics}");
    assert!(metrics.contains("cpr_operator_build_info{version="), "{metrics}");

    gate.open();
    world.until_ready().await;
    rename(&world, &citizen, "Foer").await;

    gate.shut();
    let lost = async || {
        world.ask("/metrics").await.1.contains("leader_election_master_status{name=\"cpr-operator\"} 0").then_some(())
    };
    world.until("the Lease to be lost", lost).await.unwrap();
    rename(&world, &citizen, "Under").await;
    assert_eq!(world.ask("/livez").await.0, 200);
    world.delete("CprSubscription", "citizens").await;

    gate.open();
    let ended = world.until_received("subscription.ended", |one| one.kind == "subscription.ended").await;
    assert_eq!(ended.body["data"]["reason"], "Deleted");
    assert!(!world.log().contains("\"level\":\"ERROR\""), "{}", world.log());
    world.stop().await;
}

async fn until_logged(world: &World, words: &str) {
    let logged = world.until(words, async || world.log().contains(words).then_some(())).await;
    assert!(logged.is_some(), "{}", world.log());
}

async fn rename(world: &World, citizen: &str, name: &str) {
    world.register.rename(citizen, Some(name), None, jiff::Zoned::now().date()).unwrap();
    world.register.load();
    world.until_received(name, |one| one.body["data"]["fields"]["Name"]["first"] == name).await;
}
