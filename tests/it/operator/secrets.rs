//! Secrets: which are read, what is said of those that cannot be used, and what stays in use meanwhile.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PostParams;
use serde_json::json;

use super::steered::{Steered, WHSEC, consumer, source};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_handed_over_only_when_it_is_labelled_and_whole() {
    let mut world = Steered::new().await;
    let key = world.key("register");
    world.apply::<CprSource>("register", source()).await;
    let said = world.until::<CprSource>("register", "SecretsResolved", "False SecretNotFound").await;
    assert!(said.contains("client") && said.contains("cpr-operator.dev/use: source"), "{said}");
    // Nobody watches a Secret without the label, but it is looked for.
    world.secret("client", None, json!({"clientId": "a", "clientSecret": "canary"})).await;
    world.context.clock.advance(Duration::from_secs(16));
    let said = world.until::<CprSource>("register", "SecretsResolved", "False SecretNotLabelled").await;
    assert!(said.contains("kubectl label") && said.contains("use=source"), "{said}");
    world.secret("client", Some("signing"), json!({"clientId": "a", "clientSecret": "canary"})).await;
    world.context.clock.advance(Duration::from_secs(16));
    world.until::<CprSource>("register", "SecretsResolved", "False SecretNotLabelled").await;
    assert!(world.context.credentials.get(&key).is_none());
    world.secret("client", Some("source"), json!({"clientId": "a"})).await;
    let said = world.until::<CprSource>("register", "SecretsResolved", "False KeyMissing").await;
    assert!(said.contains("clientSecret"), "{said}");
    world.secret("client", Some("source"), json!({"clientId": "a", "clientSecret": "canary"})).await;
    world.until::<CprSource>("register", "SecretsResolved", "True Resolved").await;
    assert!(world.context.credentials.get(&key).is_some());
    world.delete::<Secret>("client").await;
    world.until::<CprSource>("register", "SecretsResolved", "False SecretNotFound").await;
    assert!(world.context.credentials.get(&key).is_none(), "a Secret that is gone is not used on");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_signing_key_is_named_and_the_last_good_set_stays() {
    let mut world = Steered::new().await;
    let key = world.key("sample");
    world.secret("signing", Some("signing"), json!({"first": WHSEC})).await;
    world.apply::<ConsumerSystem>("sample", consumer(&["Name"])).await;
    world.until::<ConsumerSystem>("sample", "SecretsResolved", "True Resolved").await;
    let good = world.context.signing.get(&key).unwrap().fingerprint;
    world.secret("signing", Some("signing"), json!({"first": WHSEC, "second": "whsec_canary"})).await;
    let said = world.until::<ConsumerSystem>("sample", "SecretsResolved", "False KeyMalformed").await;
    assert!(said.contains("second") && !said.contains("canary"), "{said}");
    assert_eq!(world.context.signing.get(&key).unwrap().fingerprint, good);
    world.secret("signing", Some("signing"), json!({"first": WHSEC})).await;
    world.until::<ConsumerSystem>("sample", "SecretsResolved", "True Resolved").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_taken_up_from_a_config_map_with_or_without_the_label() {
    let mut world = Steered::new().await;
    world.secret("signing", Some("signing"), json!({"first": WHSEC})).await;
    let mut spec = consumer(&["Name"]);
    spec["delivery"]["caBundleRef"] = json!({"name": "ca", "key": "ca.crt"});
    world.apply::<ConsumerSystem>("sample", spec).await;
    let said = world.until::<ConsumerSystem>("sample", "SecretsResolved", "False ConfigMapNotFound").await;
    assert!(said.contains("ca") && said.contains("create it"), "{said}");
    let made = rcgen::generate_simple_self_signed(["a.example.org".to_owned()]).unwrap();
    let map = json!({"metadata": {"name": "ca"}, "data": {"ca.crt": made.cert.pem()}});
    let map: ConfigMap = serde_json::from_value(map).unwrap();
    world.api::<ConfigMap>().create(&PostParams::default(), &map).await.unwrap();
    world.context.clock.advance(Duration::from_secs(16));
    world.until::<ConsumerSystem>("sample", "SecretsResolved", "True Resolved").await;
    world.stop().await;
}
