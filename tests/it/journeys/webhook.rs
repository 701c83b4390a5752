//! From manifests to signed webhooks, and back to nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::support::files;
use crate::support::world::World;

fn long_ago() -> Date {
    jiff::civil::date(2015, 3, 1)
}

fn today() -> Date {
    jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::get("Europe/Copenhagen").unwrap()).date()
}

/// The deliveries of one person, oldest first, as their kinds.
fn story(world: &World, reference: &str) -> Vec<String> {
    let received = world.consumer.received();
    let theirs = received.into_iter().filter(|one| one.accepted && one.reference.as_deref() == Some(reference));
    theirs.map(|one| one.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_become_signed_ordered_webhooks_and_deletion_leaves_nothing() {
    let mut world = World::new("journey").await.on_sqlite();
    world.settings.push("retention.after_deletion=0s".into());
    world.settings.push("retention.delivered=0s".into());
    let mover = world.register.settle("0461", long_ago()).unwrap();
    let citizen = world.register.settle("0851", long_ago()).unwrap();
    let other = world.register.settle("0751", long_ago()).unwrap();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;

    world.register.move_to(&mover, "0851", today()).unwrap();
    world.register.move_within(&other, today()).unwrap();
    world.register.load();
    let moved_in = world.until_received("moved.in", |one| one.kind == "moved.in").await;
    let reference = moved_in.reference.clone().unwrap();
    assert_eq!(story(&world, &reference), ["scope.entered", "moved.in"]);
    let data = &moved_in.body["data"];
    assert_eq!(data["grounds"][0]["subscription"], "citizens");
    assert_eq!(data["fields"]["Municipality"]["code"], "0851");
    assert_eq!(data["previous"]["Municipality"]["code"], "0461");
    assert_eq!(data["derivedFrom"], "History");

    world.register.rename(&mover, Some("Fiktiva"), None, today()).unwrap();
    world.register.load();
    let renamed = world.until_received("name.changed", |one| one.kind == "name.changed").await;
    assert_eq!(renamed.reference.as_deref(), Some(reference.as_str()));
    assert_eq!(renamed.body["data"]["derivedFrom"], "Comparison");
    assert_eq!(renamed.body["data"]["fields"]["Name"]["first"], "Fiktiva");

    world
        .register
        .protect(&mover, cpr_operator::simulate::datafordeler::Protection::NameAndAddress, today(), None)
        .unwrap();
    world.register.load();
    let protected = world.until_received("protection.started", |one| one.kind == "protection.started").await;
    let data = &protected.body["data"];
    assert_eq!(data["protection"]["nameAndAddress"], true);
    assert!(data["withheld"].as_array().unwrap().contains(&json!("Name")), "{data}");
    assert_eq!(data["fields"]["Name"], Value::Null);
    assert!(data["fields"].get("Name").is_none(), "absent, not null: {data}");
    world.register.unprotect(&mover, today()).unwrap();
    world.register.load();
    world.until_received("protection.ended", |one| one.kind == "protection.ended").await;

    world.register.die(&citizen, today()).unwrap();
    world.register.load();
    let died = world.until_received("died", |one| one.kind == "died").await;
    world.register.annul_death(&citizen).unwrap();
    world.register.load();
    let undone = world.until_received("death.annulled", |one| one.kind == "death.annulled").await;
    assert_eq!(undone.reference, died.reference);

    world.register.change_number(&mover, today()).unwrap();
    world.register.load();
    let renumbered = world.until_received("number.changed", |one| one.kind == "number.changed").await;
    assert_eq!(renumbered.reference.as_deref(), Some(reference.as_str()), "the same person stays the same reference");
    assert_ne!(
        renumbered.body["data"]["fields"]["Number"]["current"],
        renumbered.body["data"]["previous"]["Number"]["current"]
    );

    world.register.move_to(&mover, "0461", today()).unwrap();
    world.register.load();
    world
        .until_received("scope.left", |one| one.kind == "scope.left" && one.reference.as_deref() == Some(&reference))
        .await;
    world.register.rename(&mover, Some("Ukendt"), None, today()).unwrap();
    world.register.load();
    world.register.rename(&citizen, Some("Sidste"), None, today()).unwrap();
    world.register.load();
    world.until_received("the last change", |one| one.body["data"]["fields"]["Name"]["first"] == "Sidste").await;
    assert_eq!(
        story(&world, &reference),
        [
            "scope.entered",
            "moved.in",
            "name.changed",
            "protection.started",
            "protection.ended",
            "number.changed",
            "moved.out",
            "scope.left"
        ],
        "who has left is not heard of again"
    );

    let report = world.consumer.report();
    assert_eq!((report.forged, report.malformed, report.out_of_order, report.duplicates), (0, 0, 0, 0), "{report:?}");
    assert!(
        !world.consumer.received().iter().any(|one| one.body.to_string().contains("0751")),
        "nobody else is told of"
    );

    world.delete("CprSubscription", "citizens").await;
    let ended = world.until_received("subscription.ended", |one| one.kind == "subscription.ended").await;
    assert_eq!(ended.body["data"]["reason"], "Deleted");
    world.delete("ConsumerSystem", "casework").await;
    world.delete("CprSource", "register").await;
    until_nothing_is_left(&mut world).await;
}

/// Waits until neither database holds anything but the record, the ring of keys and the schema's own rows.
pub(super) async fn until_nothing_is_left(world: &mut World) {
    let data = world.data();
    let kept = ["audit_entry", "audit_subject", "meta", "keyring"];
    let left = world
        .until("nothing left", async || {
            let mut left = files::rows(&data.join("main.db")).await;
            left.extend(files::rows(&data.join("keys.db")).await);
            left.retain(|table, _| !kept.contains(&table.as_str()));
            left.is_empty().then_some(())
        })
        .await;
    if left.is_none() {
        let (main, keys) = (files::rows(&data.join("main.db")).await, files::rows(&data.join("keys.db")).await);
        panic!("something is left: {main:?} {keys:?}\n{}", world.log());
    }
    world.stop().await;
    let main = files::rows(&data.join("main.db")).await;
    assert!(main.get("audit_entry").is_some_and(|entries| *entries > 10), "the record stays: {main:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_subscription_is_taken_up_again_within_the_grace() {
    let mut world = World::new("again").await;
    let citizen = world.register.settle("0851", long_ago()).unwrap();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    world.register.rename(&citizen, Some("Foerste"), None, today()).unwrap();
    world.register.load();
    let first = world.until_received("name.changed", |one| one.kind == "name.changed").await;

    world.delete("CprSubscription", "citizens").await;
    world.until_received("subscription.ended", |one| one.kind == "subscription.ended").await;
    world.apply(world.subscription("citizens", "casework")).await;
    world.until_condition("CprSubscription", "citizens", "Ready", "True", None).await;
    world.register.rename(&citizen, Some("Anden"), None, today()).unwrap();
    world.register.load();
    let second =
        world.until_received("the second name", |one| one.body["data"]["fields"]["Name"]["first"] == "Anden").await;
    assert_eq!(first.reference, second.reference, "the same consumer knows the same person again");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_steady_state_nothing_is_written_to_the_cluster() {
    let mut world = World::new("steady").await;
    world.install().await;
    world.start();
    world.until_ready().await;
    let versions = async |world: &World| {
        let mut versions = Vec::new();
        for (kind, name) in [("CprSource", "register"), ("ConsumerSystem", "casework"), ("CprSubscription", "citizens")]
        {
            versions.push(world.get(kind, name).await["metadata"]["resourceVersion"].clone());
        }
        versions
    };
    let settled = world
        .until("the same versions twice in a row", async || {
            let before = versions(&world).await;
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            (before == versions(&world).await).then_some(before)
        })
        .await
        .expect("status comes to rest");
    let readings = world.register.requests().len();
    world
        .until("five more readings", async || (world.register.requests().len() > readings + 10).then_some(()))
        .await
        .unwrap();
    assert_eq!(versions(&world).await, settled);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_consumer_hears_in_order_what_it_missed() {
    let mut world = World::new("suspend").await.on_sqlite();
    let citizen = world.register.settle("0851", long_ago()).unwrap();
    world.register.load();
    world.install().await;
    world.start();
    world.until_ready().await;
    let mut suspended = world.consumer_system("casework");
    suspended["spec"]["suspend"] = json!(true);
    world.apply(suspended).await;
    world.until_condition("ConsumerSystem", "casework", "Delivering", "False", Some("Suspended")).await;
    for name in ["En", "To", "Tre"] {
        world.register.rename(&citizen, Some(name), None, today()).unwrap();
        world.register.load();
        let import = world.register.last_sequence();
        world.until("the import to be read", async || read_up_to(&world, import).await.then_some(())).await.unwrap();
    }
    assert!(world.kinds().iter().all(|kind| kind == "endpoint.verify"), "{:?}", world.kinds());
    world.apply(world.consumer_system("casework")).await;
    world.until_received("the last name", |one| one.body["data"]["fields"]["Name"]["first"] == "Tre").await;
    let names: Vec<Value> = world
        .consumer
        .received()
        .into_iter()
        .filter(|one| one.kind.starts_with("name."))
        .map(|one| one.body["data"]["fields"]["Name"]["first"].clone())
        .collect();
    assert_eq!(names, ["En", "To", "Tre"]);
    world.stop().await;
}

/// Whether the store has committed an import.
pub(super) async fn read_up_to(world: &World, import: u32) -> bool {
    use sqlx::Row;
    let mut conn = files::open(&world.data().join("main.db")).await;
    let row = sqlx::query("SELECT import FROM cursor").fetch_optional(&mut conn).await.unwrap();
    row.is_some_and(|row| row.get::<i64, _>(0) >= i64::from(import))
}
