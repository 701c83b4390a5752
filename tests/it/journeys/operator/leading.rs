//! Which process reconciles.

use cpr_operator::api::names::ADOPT_STORE;
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;

use super::World;

async fn store_of_the_lease(world: &World) -> Value {
    world.get::<Lease>("cpr-operator").await["metadata"]["annotations"]["cpr-operator.dev/store"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_is_kept_out_until_adopted() {
    let mut first = World::installed().await;
    first.stop().await;
    let mut other = first.beside().await;
    other.start();

    let requests = |method: &str| other.metric("rest_client_requests_total", &format!("method=\"{method}\""));
    other.until("the Lease is looked at again and again", async || requests("GET") >= 3).await;
    assert_eq!((requests("PUT"), other.looks()), (0, [0, 0, 0]));
    assert_eq!(other.source_names().await, Vec::<String>::new());
    assert_eq!(store_of_the_lease(&other).await, *first.context.store.id);

    other.annotate::<Lease>("cpr-operator", ADOPT_STORE, &other.context.store.id).await;
    other.until("the source is taken up", async || other.source_names().await == ["register"]).await;
    assert_eq!(store_of_the_lease(&other).await, *other.context.store.id);
}
