//! A suspended subscription hears nothing, and when it goes on it is told once of each person what became of them.

use cpr_operator::domain::compiled::Selector;

use super::world::{AWAY, HOME, World, living_in};

const NOTHING: [&str; 0] = [];

async fn suspend(world: &mut World, suspended: bool) {
    world.subscribe("clients", "acadre", |form| form.suspended = suspended).await;
    world.work().await;
}

#[tokio::test]
async fn who_changed_meanwhile_comes_as_one_snapshot() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    let still = world.known(HOME).await;
    suspend(&mut world, true).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    world.register.move_within(&person, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);

    suspend(&mut world, false).await;
    let heard = world.heard().await;
    assert_eq!(heard.iter().map(|heard| heard.words()).collect::<Vec<_>>(), ["acadre snapshot"]);
    assert_eq!(heard[0].person, Some(person));
    assert_ne!(heard[0].person, Some(still));
    world.poll().await;
    assert_eq!((world.told().await.len(), world.rows("missed").await), (0, 0));
}

#[tokio::test]
async fn who_came_and_who_went_meanwhile_is_told_once() {
    let mut world = World::ready().await;
    let goes = world.known(HOME).await;
    suspend(&mut world, true).await;
    let comes = world.settle(HOME);
    world.register.move_to(&goes, AWAY, world.today()).unwrap();
    world.import().await;
    let passes = world.settle(HOME);
    world.import().await;
    world.register.move_to(&passes, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);
    assert!(world.row(&comes).await.is_some(), "a suspended subscription counts as live for what is stored");

    suspend(&mut world, false).await;
    let mut told: Vec<_> =
        world.heard().await.into_iter().map(|heard| (heard.words(), heard.person.unwrap())).collect();
    told.sort();
    assert_eq!(
        told,
        [
            ("acadre scope.entered SubscriptionChanged".to_owned(), comes),
            ("acadre scope.left SubscriptionChanged".to_owned(), goes),
        ]
    );
}

#[tokio::test]
async fn a_selection_that_changes_as_the_subscription_goes_on_tells_nobody_twice() {
    let mut world = World::new().await;
    world.subscribe("all", "statistics", |form| form.selector = Selector::everyone()).await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.poll().await;
    let (changed, unchanged) = (world.known(HOME).await, world.known(HOME).await);
    suspend(&mut world, true).await;
    world.register.rename(&changed, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    world.told().await;

    world.subscribe("clients", "acadre", |form| (form.suspended, form.selector) = (false, living_in(&[AWAY]))).await;
    world.work().await;
    let mut left: Vec<_> =
        world.heard().await.into_iter().map(|heard| (heard.words(), heard.person.unwrap())).collect();
    left.sort();
    let mut expected = [changed, unchanged].map(|person| ("acadre scope.left SubscriptionChanged".to_owned(), person));
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn who_came_while_it_was_suspended_and_is_not_selected_any_more_is_never_mentioned() {
    let mut world = World::new().await;
    world.subscribe("all", "statistics", |form| form.selector = Selector::everyone()).await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.poll().await;
    suspend(&mut world, true).await;
    world.settle(HOME);
    world.import().await;
    world.told().await;
    world.subscribe("clients", "acadre", |form| (form.suspended, form.selector) = (false, living_in(&[AWAY]))).await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn what_was_missed_is_told_before_anything_new() {
    let mut world = World::ready().await;
    suspend(&mut world, true).await;
    let person = world.settle(HOME);
    world.import().await;
    world.subscribe("clients", "acadre", |form| form.suspended = false).await;
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.import().await;
    assert_eq!(
        world.told().await,
        ["acadre scope.entered SubscriptionChanged", "acadre moved.out", "acadre scope.left Moved"]
    );
}

#[tokio::test]
async fn a_subscription_that_goes_on_during_a_commit_is_told_in_order() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    suspend(&mut world, true).await;
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    // The subscription goes on after the task has looked for what was missed, and before it has read the feed.
    world.register.move_to(&person, AWAY, world.today()).unwrap();
    world.register.load();
    world.clock.advance(world.form.poll_interval);
    let source = world.source();
    let register = world.register.clone();
    let asked = register.requests().len();
    let mut form = cpr_operator::store::subscription::all(&mut source.store.main.read().await.unwrap())
        .await
        .unwrap()
        .remove(0)
        .compiled
        .unwrap();
    form.suspended = false;
    let (to, now) = (world.consumer_id("acadre"), world.clock.now());
    let go_on = async {
        while register.requests().len() == asked {
            tokio::task::yield_now().await;
        }
        let mut tx = source.store.main.begin().await.unwrap();
        let upsert = cpr_operator::store::subscription::upsert;
        upsert(&mut tx, &form.key, "uid", 3, source.id, to, Some(&form), now).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(world.task().run_once(), go_on);
    done.unwrap();
    world.work().await;
    assert_eq!(world.told().await, ["acadre snapshot", "acadre moved.out", "acadre scope.left Moved"]);
}

#[tokio::test]
async fn a_suspended_source_reads_nothing_and_catches_up() {
    let mut world = World::ready().await;
    world.change_source(|form| form.suspended = true);
    let asked = world.register.requests().len();
    world.settle(HOME);
    world.import().await;
    world.settle(HOME);
    world.import().await;
    assert_eq!((world.told().await.len(), world.register.requests().len()), (0, asked));
    world.change_source(|form| form.suspended = false);
    world.poll().await;
    assert_eq!(world.told().await.len(), 4);
}
