//! Work that breaks off at any point is made good.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::world::{HOME, World};

/// Polls a future at most so often, then drops it. Whether it came to its end.
pub async fn break_off<T>(work: impl Future<Output = T>, polls: u32) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if left == 0 => Poll::Ready(false),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_key_without_a_row_is_taken_over() {
    let mut world = World::ready().await;
    let person = world.settle(HOME);
    world.register.load();
    world.clock.advance(world.form.poll_interval);
    let store = world.store.clone();
    let holds_up = store.main.begin().await.unwrap();
    tokio::select! {
        done = world.task().run_once() => panic!("the main transaction is held up: {done:?}"),
        () = async {
            let mut keys = 0_i64;
            while keys == 0 {
                tokio::task::yield_now().await;
                let mut conn = store.keys.database().read().await.unwrap();
                keys = cpr_operator::store::sql::query_scalar("SELECT count(*) FROM claim").fetch_one(&mut conn).await.unwrap();
            }
        } => {}
    }
    drop(holds_up);
    let record = world.record(&person).await;
    assert!(record.is_some() && world.row(&person).await.is_none());

    world.restart();
    world.poll().await;
    assert_eq!(world.told().await, ["acadre scope.entered FirstSeen", "acadre changed"]);
    assert_eq!((world.record(&person).await, world.key_rows("person_key").await), (record, 1));
}

#[tokio::test]
async fn work_that_breaks_off_anywhere_is_done_once() {
    let mut world = World::ready().await;
    for polls in 0.. {
        world.settle(HOME);
        world.register.load();
        world.clock.advance(world.form.poll_interval);
        let done = break_off(world.task().run_once(), polls).await;
        world.restart();
        world.poll().await;
        assert_eq!(
            world.told().await,
            ["acadre scope.entered FirstSeen", "acadre changed"],
            "broken off after {polls} polls"
        );
        if done {
            return;
        }
    }
}
