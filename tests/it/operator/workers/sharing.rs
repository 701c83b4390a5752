//! Quiet consumers of a namespace that share one worker.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::subscription::CprSubscription;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::super::steered::{WHSEC, consumer, subscription};
use super::site::{Site, args, file};

fn sharing() -> Value {
    let mut spec = consumer(&["Number", "Name", "Status"]);
    spec["workers"] = json!({"mode": "Shared"});
    spec
}

fn served(deployment: &Deployment) -> usize {
    args(deployment).iter().filter(|arg| *arg == "--consumer").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_share_one_worker_and_one_may_leave() {
    let mut site = Site::new().await;
    site.world.install_unready().await;
    for name in ["sample", "second"] {
        site.world.apply::<ConsumerSystem>(name, sharing()).await;
    }
    let mut spec = subscription(&site.world.day(100));
    spec["consumerRef"]["name"] = json!("second");
    site.world.apply::<CprSubscription>("other", spec).await;
    let shared = site.shared();
    let deployment = site.until(&shared, |deployment: &Deployment| served(deployment) == 2).await;
    let namespace = site.world.namespace();
    let expected = ["sample", "second"].map(|name| format!("{namespace}/{name}"));
    assert_eq!(args(&deployment)[..5], ["deliver", "--consumer", &expected[0], "--consumer", &expected[1]]);
    site.until_scaled(&shared, 1).await;
    let has_both = |secret: &Secret| {
        let files = ["sample", "second"].map(|name| file(secret, &site.world.key(name)));
        files.iter().flatten().filter(|file| file.contains(WHSEC)).count() == 2
    };
    site.until(&shared, has_both).await;
    site.until_gone::<Deployment>(&site.deliver("sample")).await;
    site.until_ready(&shared, 1).await;
    for name in ["sample", "second"] {
        site.world.until::<ConsumerSystem>(name, "WorkersAvailable", "True Available").await;
        assert_eq!(site.counted(name).await, Some((1, 1)));
    }

    // After a start nobody is dropped because the other was looked at first.
    site.until_quiet().await;
    let before = site.api::<Deployment>().get(&shared).await.unwrap();
    site.world.stop().await;
    site.world.start();
    site.world.apply::<ConsumerSystem>("third", sharing()).await;
    site.until(&shared, |deployment: &Deployment| served(deployment) == 3).await;
    let after = site.api::<Deployment>().get(&shared).await.unwrap();
    assert_eq!(after.metadata.generation, before.metadata.generation.map(|generation| generation + 1));
    site.until_ready(&shared, 1).await;

    site.world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Name", "Status"])).await;
    site.until_scaled(&site.deliver("sample"), 1).await;
    site.until(&shared, |deployment: &Deployment| served(deployment) == 2).await;
    let key = site.world.key("sample");
    site.until(&shared, |secret: &Secret| file(secret, &key).is_none()).await;
    for name in ["second", "third"] {
        site.world.delete::<ConsumerSystem>(name).await;
    }
    site.until_gone::<Deployment>(&shared).await;
    site.world.stop().await;
}
