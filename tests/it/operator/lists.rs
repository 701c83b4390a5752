//! Lists of persons: what a manifest may say of them, what is taken from a Secret, and how it is told.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::subject::Origin;
use cpr_operator::store::listing::{self, State};
use cpr_operator::store::subject::{self, SubjectRow};
use cpr_operator::store::{self, SubscriptionId};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::steered::{Steered, subscription};

const LOADED: &str = "InitialLoadComplete";

fn selecting(world: &Steered, select: Value) -> Value {
    let mut spec = subscription(&world.day(100));
    spec["select"] = select;
    spec
}

async fn lines(world: &Steered, state: State) -> Vec<RecordId> {
    let mut conn = world.context.store.main.read().await.unwrap();
    let row = store::subscription::find(&mut conn, &world.key("clients")).await.unwrap().unwrap();
    let lines = listing::next(&mut conn, row.source, row.id, state, 100).await.unwrap();
    lines.into_iter().map(|line| line.record).collect()
}

/// What ingest does when it meets all lines that wait.
async fn meet(world: &Steered) -> SubscriptionId {
    let records = lines(world, State::Waiting).await;
    let mut tx = world.context.store.main.begin().await.unwrap();
    let row = store::subscription::find(&mut tx, &world.key("clients")).await.unwrap().unwrap();
    let of = |record: &RecordId| SubjectRow { subscription: row.id, record: *record, origin: Origin::Secret };
    let rows: Vec<_> = records.iter().map(of).collect();
    subject::write(&mut tx, row.source, &rows, world.context.clock.now()).await.unwrap();
    listing::withdraw(&mut tx, row.id, &records).await.unwrap();
    tx.commit().await.unwrap();
    row.id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_a_secret_is_taken_in_and_never_emptied_by_accident() {
    let mut world = Steered::new().await;
    world.install().await;
    let from = json!({ "personsSecretRef": { "name": "persons", "key": "list" } });
    world.apply::<CprSubscription>("clients", selecting(&world, from)).await;
    let said = world.until::<CprSubscription>("clients", LOADED, "False SecretNotFound").await;
    assert!(said.contains("cpr-operator.dev/use: persons") && said.contains("Nobody was taken off"), "{said}");

    let list = |text: &str| json!({ "list": text });
    world.secret("persons", Some("persons"), list("# pupils\n610180-0001\n6201800001\n")).await;
    let said = world.until::<CprSubscription>("clients", LOADED, "False Loading").await;
    assert!(said.contains("2 numbers wait") && said.contains("about 1 minutes"), "{said}");
    assert_eq!(lines(&world, State::Waiting).await.len(), 2);
    let id = meet(&world).await;
    world.until_found::<CprSubscription>("clients", LOADED, "True Loaded").await;

    world.secret("persons", Some("persons"), list("6101800001\nKanariella\n")).await;
    let said = world.until::<CprSubscription>("clients", LOADED, "False KeyMalformed").await;
    assert!(said.contains("lines 2:") && !said.contains("Kanariella"), "{said}");
    world.secret("persons", Some("persons"), list("# nobody\n")).await;
    world.until::<CprSubscription>("clients", LOADED, "False KeyEmpty").await;
    world.delete::<Secret>("persons").await;
    world.until::<CprSubscription>("clients", LOADED, "False SecretNotFound").await;
    let listed = subject::count(&mut world.context.store.main.read().await.unwrap(), id).await.unwrap();
    assert_eq!((listed, lines(&world, State::Leaving).await.len()), (2, 0));
    assert!(world.compiled("clients").await.unwrap().selector.listed);

    world.secret("persons", Some("persons"), list("6201800001\n6301800001\n")).await;
    let said = world.until::<CprSubscription>("clients", LOADED, "False Loading").await;
    assert!(said.contains("1 numbers wait"), "{said}");
    assert_eq!((lines(&world, State::Waiting).await.len(), lines(&world, State::Leaving).await.len()), (1, 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_manifest_says_of_lists_is_checked_and_compiled() {
    let mut world = Steered::new().await;
    world.install().await;
    let from = json!({ "name": "persons", "key": "list" });
    for (select, says) in [
        (json!({}), "at least one selector"),
        (json!({ "everyone": true, "persons": "Managed" }), "stand alone"),
        (json!({ "persons": "Managed", "personsSecretRef": from }), "one list"),
    ] {
        let refusal = refused(&world, selecting(&world, select)).await;
        assert!(refusal.contains(says), "{refusal}");
    }
    let mut follows = selecting(&world, json!({ "persons": "Managed" }));
    follows["followOnMove"] = json!("720h");
    let refusal = refused(&world, follows.clone()).await;
    assert!(refusal.contains("followOnMove needs select.municipalities"), "{refusal}");

    follows["select"] = json!({ "persons": "Managed", "municipalities": ["0851"] });
    follows["start"] = json!({ "announce": "Snapshot" });
    world.apply::<CprSubscription>("clients", follows).await;
    let said = world.until::<CprSubscription>("clients", LOADED, "True Loaded").await;
    assert!(said.contains("0 persons"), "{said}");
    let compiled = world.compiled("clients").await.unwrap();
    assert!(compiled.selector.listed && compiled.selector.municipalities.len() == 1);
    assert_eq!(compiled.follow_on_move, Some(std::time::Duration::from_secs(720 * 3600)));
    world.stop().await;
}

/// What the API server says of a manifest that it refuses.
async fn refused(world: &Steered, spec: Value) -> String {
    let body = json!({
        "apiVersion": "cpr-operator.dev/v1alpha1", "kind": "CprSubscription",
        "metadata": { "name": "refused" }, "spec": spec,
    });
    let applied = world
        .dynamic::<CprSubscription>()
        .patch("refused", &PatchParams::apply("test").force(), &Patch::Apply(&body))
        .await;
    applied.unwrap_err().to_string()
}
