//! Partitions of PostgreSQL: a new one is begun when the present one is a day old, and an old one goes when all in it is over.

use cpr_operator::store::{ConsumerId, SourceId, Store, retention, route, sql};

use super::site::{self, Site};

async fn keep(store: &Store, hours: i64, before: i64) -> u64 {
    let mut tx = store.main.begin().await.unwrap();
    let dropped = retention::keep_partitions(&mut tx, site::later(hours), site::later(before)).await.unwrap();
    tx.commit().await.unwrap();
    dropped
}

async fn partitions(store: &Store, parent: &str) -> i64 {
    sql::query_scalar("SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass($1)")
        .bind(parent)
        .fetch_one(&mut store.main.read().await.unwrap())
        .await
        .unwrap()
}

async fn one(store: &Store, source: SourceId, consumer: ConsumerId) -> i64 {
    let person = site::ensured(store, 1).await.record;
    site::append(store, &[site::event(person, source, vec![site::route(consumer)])]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_a_partition_and_goes_whole_when_everything_in_it_is_settled() {
    let site = Site::on_postgres().await;
    let store = &site.store;
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let first = one(store, source, consumer).await;
    assert_eq!(keep(store, 1, 0).await, 0);
    let second = one(store, source, consumer).await;
    assert_eq!(second, first + 1, "within a day numbers go on");

    assert_eq!(keep(store, 25, 0).await, 0, "nothing is old enough to go");
    let third = one(store, source, consumer).await;
    assert_eq!(third >> 24, (second >> 24) + 1, "the next day begins the next partition");
    assert_eq!((partitions(store, "route").await, partitions(store, "attempt").await), (6, 6), "four are ready ahead");

    assert_eq!(keep(store, 1, 25).await, 0, "what is not delivered stays");
    site::settle(store, consumer, second).await;
    assert_eq!(keep(store, 1, 0).await, 0, "what is not old stays");
    assert_eq!(keep(store, 1, 25).await, 2, "routes, and the events that nobody names any more");
    let left = route::read(&mut store.main.read().await.unwrap(), consumer, 0, 10).await.unwrap();
    assert_eq!(left.iter().map(|route| route.seq).collect::<Vec<_>>(), [third]);
    assert_eq!((partitions(store, "event").await, partitions(store, "attempt").await), (5, 5));
}
