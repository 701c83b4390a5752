//! Beginning and end: by the clock, by deletion, and by a deletion that nobody saw.

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::store::subscription::EndReason;
use jiff::ToSpan;
use serde_json::json;

use super::{World, given};

#[tokio::test(flavor = "multi_thread")]
async fn review_too_far_ahead_is_stalled_with_the_latest_date() {
    let world = World::ready().await;
    let good = world.live("clients").await;
    let latest = world.context.clock.today().saturating_add(2.years());
    world.apply::<CprSubscription>("clients", given::subscription(latest.saturating_add(1.day()))).await;
    let message = world.wait::<CprSubscription>("clients", "Stalled", "True ReviewTooLate").await;
    assert!(message.contains(&latest.to_string()), "{message}");
    assert_eq!(world.live("clients").await, good);

    world.apply::<CprSubscription>("clients", given::subscription(latest)).await;
    world.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn review_and_expiry_end_by_the_clock() {
    let world = World::ready().await;
    let mut short = given::subscription(world.days_ahead(100));
    short["expiresAt"] = json!(format!("{}T00:00:00Z", world.days_ahead(10)));
    world.apply::<CprSubscription>("short", short).await;
    world.wait::<CprSubscription>("short", "Ready", "True Succeeded").await;

    world.pass_days(11);
    world.wait::<CprSubscription>("short", "Expired", "True Expired").await;
    assert!(world.live("short").await.is_none());
    assert!(world.live("clients").await.is_some());

    world.pass_days(90);
    world.wait::<CprSubscription>("clients", "ReviewDue", "True ReviewDue").await;
    assert!(world.live("clients").await.is_some());

    world.pass_days(30);
    world.wait::<CprSubscription>("clients", "Expired", "True ReviewOverdue").await;
    assert!(world.live("clients").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_review_takes_up_what_had_ended() {
    let world = World::ready().await;
    world.pass_days(131);
    world.wait::<CprSubscription>("clients", "Ready", "False ReviewOverdue").await;
    world.apply::<CprSubscription>("clients", given::subscription(world.days_ahead(100))).await;
    world.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert!(world.live("clients").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_ended_with_its_credentials() {
    let world = World::ready().await;
    world.delete::<CprSubscription>("clients").await;
    world.until("the subscription ends", async || world.live("clients").await.is_none()).await;
    assert_eq!(world.row("clients").await.unwrap().end_reason, Some(EndReason::Deleted));

    world.delete::<ConsumerSystem>("sample").await;
    let signing = async || world.context.signing.get(&world.key("sample")).is_none();
    world.until("the signing secrets go", signing).await;

    world.delete::<CprSource>("register").await;
    let credentials = async || world.context.credentials.get(&world.key("register")).is_none();
    world.until("the credentials go", credentials).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_and_recreated_is_taken_up_again() {
    let world = World::ready().await;
    let signing = async || world.context.signing.get(&world.key("sample")).is_some();
    world.delete::<ConsumerSystem>("sample").await;
    world.wait::<CprSubscription>("clients", "Ready", "False ConsumerNotFound").await;
    world.until("nothing is given any more", async || world.live("clients").await.is_none()).await;
    world.until("the signing secrets go", async || !signing().await).await;

    world.apply::<ConsumerSystem>("sample", given::consumer(given::FIELDS)).await;
    world.wait::<CprSubscription>("clients", "Ready", "True Succeeded").await;
    assert!(world.live("clients").await.is_some());
    world.until("the signing secrets are back", signing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_while_nobody_looked_is_ended() {
    let mut world = World::ready().await;
    world.apply::<CprSubscription>("others", given::subscription(world.days_ahead(100))).await;
    world.wait::<CprSubscription>("others", "Ready", "True Succeeded").await;
    world.stop().await;
    world.delete::<CprSubscription>("clients").await;
    assert!(world.live("clients").await.is_some());

    world.start();
    world.until("the subscription ends", async || world.row("clients").await.unwrap().deleted_at.is_some()).await;
    assert!(world.live("clients").await.is_none());
    assert!(world.live("others").await.is_some());
}
