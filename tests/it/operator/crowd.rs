//! Many resources at once.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::subscription::CprSubscription;
use futures::{StreamExt, stream};
use kube::ResourceExt;

use super::steered::{Steered, subscription, within_patience};

/// How many are applied.
const MANY: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_subscriptions_at_once_are_all_taken_in_and_then_there_is_silence() {
    let mut world = Steered::new().await;
    world.install().await;
    let spec = subscription(&world.day(100));
    let one = async |number: usize| world.apply::<CprSubscription>(&format!("s-{number}"), spec.clone()).await;
    stream::iter(0..MANY).map(one).buffer_unordered(16).collect::<Vec<()>>().await;
    let ready = async || {
        let all = world.api::<CprSubscription>().list(&Default::default()).await.unwrap().items;
        let is_ready = |one: &CprSubscription| {
            let status = one.status.as_ref();
            status.is_some_and(|s| s.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
        };
        let versions: Vec<_> = all.iter().filter(|one| is_ready(one)).map(|one| one.resource_version()).collect();
        (versions.len() == MANY + 1).then_some(versions)
    };
    assert!(within_patience(ready).await.is_some(), "all of them become ready");
    let rested = within_patience(async || {
        let before = ready().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        (before == ready().await?).then_some(())
    });
    assert!(rested.await.is_some(), "nothing is written when nothing changes");
    let mut conn = world.context.store.main.read().await.unwrap();
    let stored = cpr_operator::store::subscription::all(&mut conn).await.unwrap();
    assert_eq!(stored.iter().filter(|row| row.compiled.is_some() && row.ended_at.is_none()).count(), MANY + 1);
    drop(conn);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_while_it_is_looked_at_does_not_stay() {
    let mut world = Steered::new().await;
    world.install().await;
    let spec = subscription(&world.day(100));
    for round in 0..3 {
        let one = async |number: usize| {
            let name = format!("s-{round}-{number}");
            world.apply::<CprSubscription>(&name, spec.clone()).await;
            world.delete::<CprSubscription>(&name).await;
        };
        stream::iter(0..60).map(one).buffer_unordered(8).collect::<Vec<()>>().await;
    }
    let live = async || {
        let mut conn = world.context.store.main.read().await.unwrap();
        let stored = cpr_operator::store::subscription::all(&mut conn).await.unwrap();
        stored.iter().filter(|row| row.ended_at.is_none()).count()
    };
    let rested = within_patience(async || {
        let before = live().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        (before == 1 && live().await == 1).then_some(())
    });
    assert!(rested.await.is_some(), "{} are left besides the one that was not deleted", live().await - 1);
    world.stop().await;
}
