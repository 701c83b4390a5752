//! A register that is reached through a forward proxy alone.
#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::civil::date;
use serde_json::{Value, json};

use crate::support::forward::Forward;
use crate::support::front::{Authority, Front};
use crate::support::world::World;

/// The register's host, of which only the proxy knows where it is.
const HOST: &str = "register.example.org";

/// A world whose register speaks TLS behind a proxy, and somebody who lives there.
async fn behind_a_proxy() -> (World, Forward, String) {
    let mut world = World::new("proxied").await;
    world.settings.push("register.circuit_max=1s".to_owned());
    let citizen = world.register.settle("0851", date(2012, 4, 1)).unwrap();
    world.register.load();
    let (issuer, plain): (_, url::Url) = (Authority::new(), world.register.url().parse().unwrap());
    let front = Front::before(*plain.socket_addrs(|| None).unwrap().first().unwrap(), HOST, &issuer, &[]).await;
    let proxy = Forward::leading(&[(&format!("{HOST}:443"), front.address())]).await;
    let ca = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca" }, "data": { "ca.crt": issuer.pem() } });
    world.apply(ca).await;
    world.install().await;
    world.apply(source(&world, &proxy.url())).await;
    world.start();
    (world, proxy, citizen)
}

fn source(world: &World, proxy: &str) -> Value {
    let mut source = world.source();
    let register = &mut source["spec"]["datafordeler"];
    register["endpoints"] = json!({ "graphql": format!("https://{HOST}"), "auth": format!("https://{HOST}") });
    register["caBundleRef"] = json!({ "name": "ca", "key": "ca.crt" });
    register["proxyUrl"] = json!(proxy);
    source
}

fn rename(world: &World, citizen: &str, name: &str) {
    world.register.rename(citizen, Some(name), None, jiff::Zoned::now().date()).unwrap();
    world.register.load();
}

async fn until_named(world: &World, name: &str) {
    world.until_received(name, |one| one.body["data"]["fields"]["Name"]["first"] == name).await;
}

async fn until_unreachable(world: &World, reason: &str, words: &str) {
    let said = world.until_condition("CprSource", "register", "Reachable", "False", Some(reason)).await.message;
    assert!(said.contains(words) && said.contains("datafordeler.proxyUrl"), "{said}");
    assert!(!said.contains("127.0.0.1") && !said.contains(HOST), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_and_dies_and_comes_back_loses_nothing() {
    let (mut world, mut proxy, citizen) = behind_a_proxy().await;
    world.until_ready().await;
    rename(&world, &citizen, "Foer");
    until_named(&world, "Foer").await;

    proxy.refuse_with(Some(403));
    rename(&world, &citizen, "Naegtet");
    until_unreachable(&world, "ProxyRefused", "answered 403: let it allow CONNECT").await;
    proxy.refuse_with(None);
    until_named(&world, "Naegtet").await;
    world.until_condition("CprSource", "register", "Reachable", "True", None).await;

    proxy.refuse_with(Some(407));
    until_unreachable(&world, "ProxyRefused", "answered 407: it wants a user").await;
    proxy.die();
    rename(&world, &citizen, "Doed");
    until_unreachable(&world, "ProxyUnreachable", "did not take the connection").await;
    proxy.refuse_with(None);
    proxy.start().await;
    until_named(&world, "Doed").await;
    world.until_ready().await;
    assert!(proxy.asked().iter().all(|asked| *asked == format!("{HOST}:443")), "{:?}", proxy.asked());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_at_an_address_that_is_not_open_is_not_asked() {
    let (mut world, proxy, citizen) = behind_a_proxy().await;
    world.until_ready().await;
    let before = proxy.asked().len();
    world.apply(source(&world, "http://10.0.0.1:3128")).await;
    let said = world.until_condition("CprSource", "register", "Reachable", "False", Some("AddressRefused")).await;
    assert!(said.message.contains("the proxy's address") && said.message.contains("private"), "{}", said.message);
    // Without the proxy nobody knows the name.
    let mut direct = source(&world, "");
    direct["spec"]["datafordeler"].as_object_mut().unwrap().remove("proxyUrl");
    world.apply(direct).await;
    world.until_condition("CprSource", "register", "Reachable", "False", Some("Down")).await;
    assert_eq!(proxy.asked().len(), before);
    rename(&world, &citizen, "Siden");
    world.apply(source(&world, &proxy.url())).await;
    until_named(&world, "Siden").await;
    world.stop().await;
}
