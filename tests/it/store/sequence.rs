//! Numbers of routes are in the order of commits, and none is given twice.

use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::store::{Store, event, retention, route};

use super::site;

pub async fn commit_order_is_sequence_order(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        writers.spawn(async move {
            let batch = || -> Vec<_> {
                (0..3).map(|_| site::event(RecordId::random(), source, vec![site::route(consumer)])).collect()
            };
            for _ in 0..5 {
                let events = batch();
                let mut tx = store.main.begin().await.unwrap();
                let before = route::highest(&mut tx, consumer).await.unwrap().unwrap_or(0);
                let highest = event::append(&mut tx, &events, site::noon()).await.unwrap().unwrap();
                tx.commit().await.unwrap();
                assert_eq!(highest, before + 3, "what was committed before has lower numbers, without a gap");
            }
        });
    }
    writers.join_all().await;
    let routes = route::read(&mut store.main.read().await.unwrap(), consumer, 0, 1_000).await.unwrap();
    assert_eq!(routes.len(), 8 * 5 * 3);
    assert!(routes.is_sorted_by(|a, b| a.seq < b.seq && a.event_seq < b.event_seq));
}

pub async fn routes_keep_their_order_within_an_event(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let types = [EventType::MovedOut, EventType::ScopeLeft, EventType::Changed];
    let as_type = |type_| event::NewRoute { type_, ..site::route(consumer) };
    let events: Vec<_> = (0..30)
        .map(|_| site::event(RecordId::random(), source, types.iter().copied().map(as_type).collect()))
        .collect();
    let highest = site::append(store, &events).await.unwrap();
    let mut conn = store.main.read().await.unwrap();
    let routes = route::read(&mut conn, consumer, 0, 1_000).await.unwrap();
    let expected: Vec<_> = events.iter().flat_map(|e| e.routes.iter().map(|r| (e.id, e.record, r.type_))).collect();
    assert_eq!(routes.iter().map(|r| (r.event, r.record, r.type_)).collect::<Vec<_>>(), expected);
    assert!(routes.iter().all(|r| Some(r.shard) == r.record.map(RecordId::shard)));
    assert_eq!(routes.last().unwrap().seq, highest);

    let one = &routes[7];
    let of_one = route::read_person(&mut conn, consumer, one.record.unwrap(), 0, highest, 100).await.unwrap();
    assert_eq!(of_one.iter().map(|r| r.type_).collect::<Vec<_>>(), types);
    let rest = route::read(&mut conn, consumer, highest - 2, 1).await.unwrap();
    assert_eq!(rest.iter().map(|r| r.seq).collect::<Vec<_>>(), [highest - 1]);
}

pub async fn new_routes_name_the_consumers_they_are_for(store: &Store) {
    let source = site::source(store, "s").await;
    let (one, two) = (site::consumer(store, "one").await, site::consumer(store, "two").await);
    let found = async |after| route::consumers_after(&mut store.main.read().await.unwrap(), after).await.unwrap();
    assert_eq!(found(0).await, (vec![], 0));
    let for_both = vec![site::route(one), site::route(two)];
    let highest = site::append(store, &[site::event(RecordId::random(), source, for_both)]).await.unwrap();
    let (mut consumers, newest) = found(0).await;
    consumers.sort();
    assert_eq!((consumers, newest), (vec![one, two], highest));
    let late: Vec<_> = (0..3).map(|_| site::event(RecordId::random(), source, vec![site::route(two)])).collect();
    let latest = site::append(store, &late).await.unwrap();
    assert_eq!(found(newest).await, (vec![two], latest));
    assert_eq!(found(latest).await, (vec![], latest));
}

pub async fn numbers_are_never_given_twice_after_delete(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let one = || [site::event(RecordId::random(), source, vec![site::route(consumer)])];
    let first = site::append(store, &one()).await.unwrap();
    let first_event = route::read(&mut store.main.read().await.unwrap(), consumer, 0, 1).await.unwrap()[0].event_seq;
    site::settle(store, consumer, first).await;
    let mut tx = store.main.begin().await.unwrap();
    assert_eq!(retention::delete_routes(&mut tx, site::later(1)).await.unwrap(), 1);
    assert_eq!(retention::delete_events(&mut tx, site::later(1)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(site::append(store, &one()).await.unwrap() > first);
    let second = route::read(&mut store.main.read().await.unwrap(), consumer, 0, 1).await.unwrap();
    assert!(second[0].event_seq > first_event);
}

pub async fn a_rolled_back_batch_leaves_nothing(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let mut tx = store.main.begin().await.unwrap();
    let events = [site::event(RecordId::random(), source, vec![site::route(consumer)])];
    event::append(&mut tx, &events, site::noon()).await.unwrap();
    drop(tx);
    assert!(route::read(&mut store.main.read().await.unwrap(), consumer, 0, 10).await.unwrap().is_empty());
    let seq = site::append(store, &events).await;
    let routes = route::read(&mut store.main.read().await.unwrap(), consumer, 0, 10).await.unwrap();
    assert_eq!(routes.iter().map(|route| Some(route.seq)).collect::<Vec<_>>(), [seq]);
}
