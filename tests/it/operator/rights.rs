//! What a consumer may have decides what is left of its subscriptions.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use serde_json::json;

use super::steered::{Steered, consumer, subscription};

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_consumer_narrows_its_subscriptions_and_a_widened_one_restores_them() {
    let mut world = Steered::new().await;
    world.install().await;
    world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Status"])).await;
    let said = world.until::<CprSubscription>("clients", "ReferencesResolved", "False FieldsNotGranted").await;
    assert!(said.contains("Name") && said.contains("remove it from payload.fields"), "{said}");
    let kept = world.compiled("clients").await.unwrap();
    assert_eq!((kept.fields, kept.granted.contains(FieldGroup::Name)), (GroupSet::EMPTY, false));
    world.apply::<ConsumerSystem>("sample", consumer(&["Number", "Name", "Status"])).await;
    world.until::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert!(world.compiled("clients").await.unwrap().fields.contains(FieldGroup::Name));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_that_is_taken_away_leaves_nothing() {
    let mut world = Steered::new().await;
    world.install().await;
    let mut spec = consumer(&["Number", "Name", "Status"]);
    spec["purposes"][0]["id"] = json!("other");
    world.apply::<ConsumerSystem>("sample", spec).await;
    let said = world.until::<CprSubscription>("clients", "ReferencesResolved", "False PurposeNotFound").await;
    assert!(said.contains("case-work") && said.contains("name one of other"), "{said}");
    assert!(world.compiled("clients").await.is_none());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_change_leaves_the_last_good_form_in_force() {
    let mut world = Steered::new().await;
    world.install().await;
    let good = world.compiled("clients").await;
    world.apply::<CprSubscription>("clients", subscription("2099-01-01")).await;
    let said = world.until::<CprSubscription>("clients", "Stalled", "True ReviewTooLate").await;
    assert!(said.contains("at most two years ahead"), "{said}");
    assert_eq!(world.compiled("clients").await, good);
    world.stop().await;
}
