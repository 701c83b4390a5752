//! A tenant goes: its namespace is deleted, with everything that is in it.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;

use super::webhook::until_nothing_is_left;
use crate::support::cluster;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_goes_and_leaves_nothing_in_the_store() {
    let mut world = World::new("tenant").await.on_sqlite();
    let of_operator = cluster::namespace(&world.client, "lease").await;
    world.settings.push(format!("operator.lease_namespace={}", of_operator.name()));
    world.settings.push("retention.after_deletion=0s".into());
    world.settings.push("retention.delivered=0s".into());
    let citizen = world.register.settle("0851", jiff::civil::date(2012, 4, 1)).expect("a citizen");
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    world.register.rename(&citizen, Some("Sidste"), None, jiff::Zoned::now().date()).expect("renamed");
    world.register.load();
    world.until_received("name.changed", |one| one.kind == "name.changed").await;

    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.delete(world.namespace.name(), &DeleteParams::default()).await.expect("the deletion is accepted");
    let gone = async || {
        let found = namespaces.get_opt(world.namespace.name()).await.expect("the API server answers");
        found.is_none().then_some(())
    };
    assert!(world.until("the namespace to go", gone).await.is_some(), "nothing of ours may hold a namespace");
    until_nothing_is_left(&mut world).await;
}
