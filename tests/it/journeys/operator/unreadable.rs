//! An object that the API server keeps and this version of the operator cannot read.

use cpr_operator::api::subscription::CprSubscription;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};

use super::{World, given};
use crate::support::cluster;

const DEFINITION: &str = "cprsubscriptions.cpr-operator.dev";
const LEVELS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/payload/properties/level/enum";

/// A subscription with a level that is not known.
fn odd(world: &World) -> DynamicObject {
    let mut spec = given::subscription(world.days_ahead(100));
    spec["payload"] = json!({ "level": "Unheard" });
    let kind = ApiResource::erase::<CprSubscription>(&());
    DynamicObject::new("odd", &kind).within(world.namespace.name()).data(json!({ "spec": spec }))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_stops_no_other() {
    let world = World::ready().await;
    let kind = ApiResource::erase::<CprSubscription>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), world.namespace.name(), &kind);
    let odd = odd(&world);
    let told = async || -> Value { api.get("odd").await.unwrap().data["status"]["waiting"].clone() };

    cluster::loosened(&api, &odd, (DEFINITION, LEVELS), async {
        api.create(&PostParams::default(), &odd).await.unwrap();
        world.until("it is said to be unreadable", async || told().await == "NotUnderstood").await;

        world.delete::<CprSubscription>("clients").await;
        world.until("another is ended", async || world.live("clients").await.is_none()).await;
        world.apply::<CprSubscription>("clients", given::subscription(world.days_ahead(50))).await;
        world.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;

        api.delete("odd", &DeleteParams::default()).await.unwrap();
    })
    .await;
}
