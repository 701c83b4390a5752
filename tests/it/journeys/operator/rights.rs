//! Rights: what a subscription may give follows what its consumer may have.

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};

use super::{World, given};

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_consumer_narrows_its_subscriptions() {
    let world = World::ready().await;
    world.apply::<ConsumerSystem>("sample", given::consumer(&["Number", "Status"])).await;
    let message = world.wait::<CprSubscription>("clients", "ReferencesResolved", "False FieldsNotGranted").await;
    assert!(message.contains("does not grant Name"), "{message}");
    let kept = world.live("clients").await.unwrap();
    assert_eq!((kept.fields, kept.granted.contains(FieldGroup::Name)), (GroupSet::EMPTY, false));

    world.apply::<ConsumerSystem>("sample", given::consumer(given::FIELDS)).await;
    world.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert_eq!(world.live("clients").await.unwrap().fields, GroupSet::of(&[FieldGroup::Name]));
}
