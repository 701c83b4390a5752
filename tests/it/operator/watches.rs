//! Watches and lists that fail in the ways of API servers: nothing ends by it, and nothing that happened meanwhile is missed.
#![expect(clippy::unwrap_used, reason = "tests")]

use axum::body::Body;
use axum::http::{Response, Uri};
use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::operator::connect::ClusterConfig;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use super::steered::{Steered, WHSEC, consumer, subscription, within_patience};
use crate::support::cluster;
use crate::support::proxy::{Proxy, answer, is_ours, is_watch};

/// An operator behind a proxy, with everything installed.
async fn behind_proxy() -> (Steered, Proxy) {
    let proxy = Proxy::start(cluster::cluster().await).await;
    let world = Steered::on(cluster::cluster().await, ClusterConfig::Given(Box::new(proxy.config()))).await;
    world.install().await;
    (world, proxy)
}

async fn until_answered(proxy: &Proxy, count: usize) {
    let asked = within_patience(async || (proxy.answered() >= count).then_some(())).await;
    assert!(asked.is_some(), "{} requests met the rule", proxy.answered());
}

async fn until_gone(world: &Steered, name: &str) {
    let gone = within_patience(async || world.compiled(name).await.is_none().then_some(())).await;
    assert!(gone.is_some(), "{name} was deleted and goes on");
}

/// The version that the watch asked for is compacted away.
fn expired(uri: &Uri) -> Option<Response<Body>> {
    const GONE: &str = concat!(
        r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
        r#""message":"too old resource version: 1 (9000)","reason":"Expired","code":410}}"#,
        "\n"
    );
    is_watch(uri).then(|| answer(200, GONE))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_version_is_gone_lists_anew_and_misses_nothing() {
    let (mut world, proxy) = behind_proxy().await;
    world.apply::<CprSubscription>("second", subscription(&world.day(100))).await;
    world.until::<CprSubscription>("second", "Ready", "True Succeeded").await;
    proxy.answer(expired);
    until_answered(&proxy, 5).await;
    world.delete::<CprSubscription>("second").await;
    world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Status"])).await;
    until_gone(&world, "second").await;
    let narrowed = within_patience(async || {
        let granted = world.compiled("clients").await?.granted;
        (granted.iter().count() == 2).then_some(())
    });
    assert!(narrowed.await.is_some(), "what changed meanwhile is seen by the list");
    proxy.answer(|_| None);
    world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Name", "Status"])).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    world.delete::<Secret>("signing").await;
    world.until::<ConsumerSystem>("sample", "SecretsResolved", "False SecretNotFound").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_may_not_start_goes_on_later_and_misses_nothing() {
    let (mut world, proxy) = behind_proxy().await;
    const GONE: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}"#;
    proxy.answer(|uri| is_watch(uri).then(|| answer(410, GONE)));
    until_answered(&proxy, 5).await;
    world.delete::<CprSubscription>("clients").await;
    assert!(world.compiled("clients").await.is_some());
    proxy.answer(|_| None);
    until_gone(&world, "clients").await;
    world.apply::<CprSubscription>("clients", subscription(&world.day(100))).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_in_any_way_ends_nothing() {
    let (mut world, proxy) = behind_proxy().await;
    const NOT_FOUND: &str = "404 page not found\n";
    const FORBIDDEN: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"not you","reason":"Forbidden","code":403}"#;
    // Each case comes later than the one before, for a watch that fails is tried again at growing intervals.
    for (status, body) in [(404, NOT_FOUND), (200, r#"{"kind":"List","items":[{"#), (403, FORBIDDEN)] {
        proxy.answer(move |uri| is_ours(uri).then(|| answer(status, body)));
        until_answered(&proxy, 3).await;
        assert!(world.compiled("clients").await.is_some(), "{status} {body}");
        assert!(world.context.signing.get(&world.key("sample")).is_some(), "{status} {body}");
        assert!(world.context.credentials.get(&world.key("register")).is_some(), "{status} {body}");
    }
    proxy.answer(|_| None);
    world.apply::<CprSubscription>("second", subscription(&world.day(100))).await;
    world.until::<CprSubscription>("second", "Ready", "True Succeeded").await;
    world.until::<CprSource>("register", "Ready", "True Succeeded").await;
    world.delete::<CprSubscription>("clients").await;
    until_gone(&world, "clients").await;
    world.secret("signing", Some("signing"), json!({"b": WHSEC})).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_are_cut_again_and_again_miss_nothing() {
    let (mut world, proxy) = behind_proxy().await;
    for round in 0..8 {
        let name = format!("round-{round}");
        world.apply::<CprSubscription>(&name, subscription(&world.day(100))).await;
        proxy.answer(|_| None);
        if round > 0 {
            world.delete::<CprSubscription>(&format!("round-{}", round - 1)).await;
        }
    }
    world.until::<CprSubscription>("round-7", "Ready", "True Succeeded").await;
    for round in 0..7 {
        until_gone(&world, &format!("round-{round}")).await;
    }
    assert!(world.compiled("clients").await.is_some());
    world.stop().await;
}
