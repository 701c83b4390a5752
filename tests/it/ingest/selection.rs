//! Subscriptions that come, change what they select, and change while something else happens.

use cpr_operator::domain::compiled::Selector;
use cpr_operator::ingest::{selections::Selections, settle};
use cpr_operator::store;

use super::world::{AWAY, HOME, World, living_in};

const NOTHING: [&str; 0] = [];

/// A world that stores everybody for one consumer, with a second whose selection changes; and somebody at home and away.
async fn watched() -> (World, String, String) {
    let mut world = World::new().await;
    world.subscribe("all", "statistics", |form| form.selector = Selector::everyone()).await;
    world.subscribe("clients", "acadre", |_| ()).await;
    world.poll().await;
    let home = world.known(HOME).await;
    let away = world.known(AWAY).await;
    (world, home, away)
}

async fn select(world: &mut World, codes: &[&str]) {
    world.subscribe("clients", "acadre", |form| form.selector = living_in(codes)).await;
}

/// Who was told what, in any order.
async fn told(world: &mut World) -> Vec<(String, String)> {
    let heard = world.heard().await.into_iter();
    let mut told: Vec<_> = heard.map(|heard| (heard.words(), heard.person.unwrap())).collect();
    told.sort();
    told
}

fn entered(person: &str) -> (String, String) {
    ("acadre scope.entered SubscriptionChanged".into(), person.into())
}

fn left(person: &str) -> (String, String) {
    ("acadre scope.left SubscriptionChanged".into(), person.into())
}

#[tokio::test]
async fn a_new_subscription_announces_nobody() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.subscribe("pupils", "school", |_| ()).await;
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, ["acadre name.changed", "school name.changed"]);
}

#[tokio::test]
async fn a_changed_selection_says_who_came_and_went_once() {
    let (mut world, home, away) = watched().await;
    select(&mut world, &[AWAY]).await;
    world.work().await;
    assert_eq!(told(&mut world).await, [entered(&away), left(&home)]);
    world.poll().await;
    world.restart();
    world.poll().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn a_selection_changed_twice_before_anybody_looked_tells_the_sum() {
    let (mut world, _, away) = watched().await;
    select(&mut world, &[AWAY]).await;
    select(&mut world, &[HOME, AWAY]).await;
    world.work().await;
    assert_eq!(told(&mut world).await, [entered(&away)]);
}

#[tokio::test]
async fn a_selection_changed_again_half_way_loses_nobody_and_tells_nobody_twice() {
    let (mut world, home, away) = watched().await;
    select(&mut world, &[AWAY]).await;
    let source = world.source();
    let selections = source.selections().await.unwrap();
    settle::settle_rows(&source, &selections, vec![world.row(&home).await.unwrap()]).await.unwrap();
    assert_eq!(told(&mut world).await, [left(&home)]);

    select(&mut world, &[HOME, AWAY]).await;
    world.work().await;
    assert_eq!(told(&mut world).await, [entered(&away), entered(&home)]);
}

#[tokio::test]
async fn a_settling_that_was_overtaken_writes_nothing() {
    let (mut world, home, away) = watched().await;
    select(&mut world, &[AWAY]).await;
    let source = world.source();
    let old: Selections = source.selections().await.unwrap();
    select(&mut world, &[HOME]).await;
    let rows = vec![world.row(&home).await.unwrap(), world.row(&away).await.unwrap()];
    settle::settle_rows(&source, &old, rows).await.unwrap();
    assert_eq!(world.told().await, NOTHING);
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn a_person_who_moves_before_the_settling_is_told_of_both_in_order() {
    let (mut world, home, _) = watched().await;
    select(&mut world, &[AWAY]).await;
    world.register.move_to(&home, AWAY, world.today()).unwrap();
    world.register.load();
    world.poll().await;
    let heard = world.heard().await;
    let told: Vec<_> = heard
        .iter()
        .filter(|heard| heard.consumer == "acadre" && heard.person.as_deref() == Some(&home))
        .map(|heard| heard.words())
        .collect();
    assert_eq!(told, ["acadre scope.left SubscriptionChanged", "acadre scope.entered Moved", "acadre moved.in"]);
}

#[tokio::test]
async fn a_change_that_overtakes_a_commit_decides_on_which_side_the_event_falls() {
    let mut world = World::ready().await;
    let person = world.settle(HOME);
    world.register.load();
    world.clock.advance(world.form.poll_interval);
    let mut form = subscription(&world).await;
    form.selector = living_in(&[AWAY]);
    let (store, to, source) = (world.store.clone(), world.consumer_id("acadre"), world.source);
    let now = world.clock.now();

    // Whoever commits waits for this transaction, and finds the selections changed when it is over.
    let mut tx = store.main.begin().await.unwrap();
    let overtake = async {
        while count(&store).await == 0 {
            tokio::task::yield_now().await;
        }
        store::subscription::upsert(&mut tx, &form.key, "uid", 2, source, to, Some(&form), now).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(world.task().run_once(), overtake);
    done.unwrap();
    world.work().await;
    assert_eq!(world.told().await, NOTHING);
    assert_eq!((world.rows("person").await, world.rows("event").await), (0, 0));
    assert!(world.record(&person).await.is_some(), "a key was made before it was known that nobody needs it");

    world.clock.advance(std::time::Duration::from_secs(25 * 3600));
    world.sweep().await;
    assert!(world.record(&person).await.is_none());
    assert_eq!(world.key_rows("person_key").await, 0);
}

async fn count(store: &store::Store) -> i64 {
    let mut conn = store.keys.database().read().await.unwrap();
    cpr_operator::store::sql::query_scalar("SELECT count(*) FROM claim").fetch_one(&mut conn).await.unwrap()
}

async fn subscription(world: &World) -> cpr_operator::domain::compiled::Subscription {
    let rows = store::subscription::all(&mut world.store.main.read().await.unwrap()).await.unwrap();
    rows[0].compiled.clone().unwrap()
}

#[tokio::test]
async fn an_ended_subscription_hears_nothing_and_its_persons_are_uncovered() {
    let mut world = World::ready().await;
    let person = world.known(HOME).await;
    world.unsubscribe("clients").await;
    world.work().await;
    assert!(world.row(&person).await.unwrap().uncovered_since.is_some());
    world.register.rename(&person, None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    assert_eq!(world.told().await, NOTHING);

    world.subscribe("clients", "acadre", |_| ()).await;
    world.work().await;
    assert!(world.row(&person).await.unwrap().uncovered_since.is_none(), "taken up again");
    assert_eq!(world.told().await, NOTHING);
}

#[tokio::test]
async fn selections_that_are_renewed_say_the_same_as_those_that_are_read_anew() {
    let (mut world, _, _) = watched().await;
    let mut renewed = read(&world).await;
    world.subscribe("clients", "acadre", |form| form.selector = living_in(&[AWAY])).await;
    renewed = is_same(renewed, &world).await;
    world.subscribe("further", "sbsys", |_| ()).await;
    world.unsubscribe("clients").await;
    renewed = is_same(renewed, &world).await;
    world.subscribe("clients", "acadre", |form| form.suspended = true).await;
    renewed = is_same(renewed, &world).await;
    // With everybody settled, what was selected before is forgotten: before it was read, and after.
    world.work().await;
    world.sweep().await;
    renewed = is_same(renewed, &world).await;
    world.unsubscribe("further").await;
    world.work().await;
    world.sweep().await;
    is_same(renewed, &world).await;
}

async fn read(world: &World) -> Selections {
    Selections::load(&mut world.store.main.read().await.unwrap()).await.unwrap()
}

async fn is_same(renewed: Selections, world: &World) -> Selections {
    let renewed = renewed.renew(&mut world.store.main.read().await.unwrap()).await.unwrap();
    let anew = read(world).await;
    assert_eq!(renewed.version, anew.version);
    for version in 0..=anew.version {
        let of = |selections: &Selections, id| {
            let then = selections.at(version);
            then.get(id).map(|entry| (entry.consumer, entry.subscription.clone()))
        };
        (1..10).for_each(|id| assert_eq!(of(&renewed, id), of(&anew, id), "subscription {id} at {version}"));
    }
    renewed
}
