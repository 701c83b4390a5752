//! Secrets: which are used, what is said of the others, and when one is given up.

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;

use super::World;
use super::given::{self, CREDENTIALS, SIGNING};

/// A label, the keys, and the condition that follows.
type Case = (&'static str, Option<&'static str>, &'static [(&'static str, &'static str)], &'static str);

const UNUSABLE: &[Case] = &[
    ("unlabelled", None, CREDENTIALS, "False SecretNotLabelled"),
    ("for-signing", Some("signing"), CREDENTIALS, "False SecretNotLabelled"),
    ("incomplete", Some("source"), &[("clientId", "client")], "False KeyMissing"),
    ("hollow", Some("source"), &[("clientId", "client"), ("clientSecret", " ")], "False KeyEmpty"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_unlabelled_or_spoilt_secret_is_named() {
    let world = World::new().await;
    for (name, usage, data, _) in UNUSABLE {
        world.secret(name, *usage, data).await;
    }
    let expected = UNUSABLE.iter().map(|(name, _, _, expected)| (*name, *expected));
    for (name, expected) in expected.chain([("missing", "False SecretNotFound")]) {
        world.apply::<CprSource>(name, given::source(name)).await;
        let message = world.wait::<CprSource>(name, "SecretsResolved", expected).await;
        assert!(message.contains(&format!("Secret {name}")), "{message}");
        assert!(world.context.credentials.get(&world.key(name)).is_none(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_and_go_with_their_secret() {
    let world = World::new().await;
    let held = async || world.context.credentials.get(&world.key("register")).is_some();
    world.apply::<CprSource>("register", given::source("client")).await;
    world.wait::<CprSource>("register", "SecretsResolved", "False SecretNotFound").await;

    world.secret("client", Some("source"), CREDENTIALS).await;
    world.wait::<CprSource>("register", "SecretsResolved", "True Resolved").await;
    assert!(held().await);

    world.secret("client", None, CREDENTIALS).await;
    world.wait::<CprSource>("register", "SecretsResolved", "False SecretNotLabelled").await;
    assert!(!held().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_signs_and_a_spoilt_one_leaves_the_last_good_ones() {
    let world = World::installed().await;
    let signing = || world.context.signing.get(&world.key("sample")).map(|keys| keys.secrets.len());
    world.wait::<ConsumerSystem>("sample", "SecretsResolved", "True Resolved").await;
    assert_eq!(signing(), Some(1));

    world.secret("signing", Some("signing"), &[("first", SIGNING), ("second", SIGNING)]).await;
    world.until("both keys sign", async || signing() == Some(2)).await;

    world.secret("signing", Some("signing"), &[("first", SIGNING), ("second", "whsec_spoilt")]).await;
    let message = world.wait::<ConsumerSystem>("sample", "SecretsResolved", "False KeyMalformed").await;
    assert!(message.contains("key second of Secret signing"), "{message}");
    assert_eq!(signing(), Some(2));

    world.secret("signing", Some("signing"), &[("first", SIGNING)]).await;
    world.wait::<ConsumerSystem>("sample", "SecretsResolved", "True Resolved").await;
    assert_eq!(signing(), Some(1));
}
