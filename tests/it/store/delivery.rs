//! What delivery keeps: lanes, attempts, parked persons, dead letters, requests; and what goes in time.

use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::store::attempt::{Attempt, AttemptOutcome};
use cpr_operator::store::parked::{Parked, ParkedState};
use cpr_operator::store::route::Route;
use cpr_operator::store::{
    self, Conn, ConsumerId, Store, attempt, consumer, dead_letter, event, lane, parked, request, retention, route,
};

use super::site;

async fn routes(store: &Store, consumer: ConsumerId) -> Vec<Route> {
    route::read(&mut store.main.read().await.unwrap(), consumer, 0, 100).await.unwrap()
}

/// A consumer with routes about different persons, and those.
async fn with_routes(store: &Store, count: usize) -> (ConsumerId, Vec<Route>) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let events: Vec<_> =
        (0..count).map(|_| site::event(RecordId::random(), source, vec![site::route(consumer)])).collect();
    site::append(store, &events).await;
    (consumer, routes(store, consumer).await)
}

fn attempt(seq: i64, number: u32, outcome: AttemptOutcome) -> Attempt {
    Attempt { seq, number, at: site::noon(), outcome, status: Some(503), millis: 12, class: Some("busy".into()) }
}

fn parked(route: &Route) -> Parked {
    Parked {
        record: route.record.unwrap(),
        first_seq: route.seq,
        attempts: 2,
        since: site::noon(),
        next_at: site::later(1),
        state: ParkedState::Retrying,
        class: "refused".into(),
        gap: true,
    }
}

pub async fn a_stale_epoch_moves_nothing(store: &Store) {
    let consumer = site::consumer(store, "c").await;
    let mut tx = store.main.begin().await.unwrap();
    let mut old = lane::take(&mut tx, consumer, "one").await.unwrap();
    let new = lane::take(&mut tx, consumer, "two").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(old.len(), usize::from(lane::LANES));
    assert!(old.iter().zip(&new).all(|(old, new)| new.epoch == old.epoch + 1));

    old[3].watermark = 7;
    let mut tx = store.main.begin().await.unwrap();
    assert!(!lane::advance(&mut tx, consumer, &old).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(lane::read(&mut store.main.read().await.unwrap(), consumer).await.unwrap(), new);

    let moved = [lane::Lane { watermark: 5, taken: 9, ..new[3] }];
    let mut tx = store.main.begin().await.unwrap();
    assert!(lane::advance(&mut tx, consumer, &moved).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(lane::read(&mut store.main.read().await.unwrap(), consumer).await.unwrap()[3], moved[0]);
}

pub async fn what_was_settled_is_known_after_a_restart(store: &Store) {
    let (consumer, routes) = with_routes(store, 4).await;
    let seq = |at: usize| routes[at].seq;
    let attempts = [
        attempt(seq(0), 1, AttemptOutcome::Delivered),
        attempt(seq(1), 1, AttemptOutcome::Failed),
        attempt(seq(1), 2, AttemptOutcome::Delivered),
        attempt(seq(2), 1, AttemptOutcome::Failed),
        attempt(seq(3), 1, AttemptOutcome::Failed),
    ];
    let given_up = [Attempt { status: None, class: None, ..attempt(seq(3), 1, AttemptOutcome::DeadLettered) }];
    let mut tx = store.main.begin().await.unwrap();
    attempt::insert(&mut tx, consumer, &attempts).await.unwrap();
    attempt::insert(&mut tx, consumer, &given_up).await.unwrap();
    tx.commit().await.unwrap();
    let known = attempt::above(&mut store.main.read().await.unwrap(), consumer, seq(0)).await.unwrap();
    assert_eq!(known.len(), 3);
    assert_eq!(known[&seq(1)], (2, Some(AttemptOutcome::Delivered)));
    assert_eq!(known[&seq(2)], (1, None));
    assert_eq!(known[&seq(3)], (1, Some(AttemptOutcome::DeadLettered)));
}

pub async fn an_outcome_takes_the_place_of_its_attempts_also_in_one_batch(store: &Store) {
    let consumer = site::consumer(store, "c").await;
    let failed = Attempt {
        seq: 7,
        number: 1,
        at: site::noon(),
        outcome: AttemptOutcome::Failed,
        status: Some(500),
        millis: 3,
        class: Some("Http500".into()),
    };
    let given_up = Attempt { outcome: AttemptOutcome::DeadLettered, status: None, class: None, ..failed.clone() };
    let later = Attempt { seq: 8, ..failed.clone() };
    for batch in [&[failed, given_up, later.clone()][..], &[Attempt { outcome: AttemptOutcome::Withdrawn, ..later }]] {
        let mut tx = store.main.begin().await.unwrap();
        attempt::insert(&mut tx, consumer, batch).await.unwrap();
        tx.commit().await.unwrap();
    }
    let known = attempt::above(&mut store.main.read().await.unwrap(), consumer, 0).await.unwrap();
    assert_eq!(known[&7], (1, Some(AttemptOutcome::DeadLettered)));
    assert_eq!(known[&8], (1, Some(AttemptOutcome::Withdrawn)));
}

pub async fn protection_in_any_row_counts_and_no_row_is_no_answer(store: &Store) {
    let (one, two) = (site::source(store, "one").await, site::source(store, "two").await);
    let person = site::ensured(store, 1).await;
    assert_eq!(protected(store, person.record).await, None);
    let open = site::row(&person, one, 1);
    site::write(store, std::slice::from_ref(&open)).await;
    assert_eq!(protected(store, person.record).await, Some(false));
    let mut hidden = site::row(&person, two, 1);
    hidden.standing.protected = true;
    site::write(store, &[hidden]).await;
    assert_eq!(protected(store, person.record).await, Some(true));
}

async fn protected(store: &Store, record: RecordId) -> Option<bool> {
    let mut conn = store.main.read().await.unwrap();
    store::person::protected(&mut conn, &[record]).await.unwrap().0.get(&record).copied()
}

pub async fn a_parked_person_is_read_back_as_written(store: &Store) {
    let (consumer, routes) = with_routes(store, 2).await;
    let first = parked(&routes[0]);
    let second = Parked { state: ParkedState::Outage, gap: false, ..parked(&routes[1]) };
    let mut tx = store.main.begin().await.unwrap();
    parked::write(&mut tx, consumer, &[second.clone(), first.clone()]).await.unwrap();
    let again = Parked { attempts: 3, ..first.clone() };
    parked::write(&mut tx, consumer, std::slice::from_ref(&again)).await.unwrap();
    assert_eq!(parked::all(&mut tx, consumer).await.unwrap(), [again, second.clone()]);
    parked::delete(&mut tx, consumer, &[first.record]).await.unwrap();
    assert_eq!(parked::all(&mut tx, consumer).await.unwrap(), [second]);
}

pub async fn a_dead_letter_keeps_the_sealed_snapshot(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let person = site::ensured(store, 1).await;
    let mut told = site::event(person.record, source, vec![site::route(consumer)]);
    told.snapshot = Some(event::seal(&person.key, told.id, &site::snapshot(1)).unwrap());
    site::append(store, &[told]).await;
    let route = routes(store, consumer).await.remove(0);
    let mut tx = store.main.begin().await.unwrap();
    let letters = [dead_letter::GivenUp { route: &route, attempts: 5, class: "refused" }];
    dead_letter::insert(&mut tx, &letters, site::noon()).await.unwrap();
    dead_letter::insert_range(&mut tx, consumer, (8, 20), 6, site::noon(), site::noon()).await.unwrap();
    assert_eq!(dead_letter::count(&mut tx, consumer).await.unwrap(), 7);
    let copy = "SELECT snapshot FROM dead_letter WHERE seq = $1";
    let copy: Vec<u8> = cpr_operator::store::sql::query_scalar(copy).bind(route.seq).fetch_one(&mut tx).await.unwrap();
    assert!(event::open(&person.key, route.event, &copy).unwrap() == site::snapshot(1));
    assert_eq!(retention::delete_dead_letters(&mut tx, site::noon()).await.unwrap(), 0);
    assert_eq!(retention::delete_dead_letters(&mut tx, site::later(1)).await.unwrap(), 2);
}

pub async fn a_request_is_asked_once(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let (one, two) = (site::stored(store, source, 1).await, site::stored(store, source, 2).await);
    let another = site::source(store, "another").await;
    let mut tx = store.main.begin().await.unwrap();
    request::ask(&mut tx, consumer, &[one, one], site::noon()).await.unwrap();
    request::ask(&mut tx, consumer, &[one, two], site::noon()).await.unwrap();
    assert!(request::read(&mut tx, another, 10).await.unwrap().is_empty());
    let open = request::read(&mut tx, source, 10).await.unwrap();
    assert_eq!(open.iter().map(|r| (r.consumer, r.record)).collect::<Vec<_>>(), [(consumer, one), (consumer, two)]);
    request::delete(&mut tx, &[open[0].id]).await.unwrap();
    assert_eq!(request::read(&mut tx, source, 10).await.unwrap(), open[1..]);
}

pub async fn the_backlog_is_what_is_not_settled(store: &Store) {
    let (id, routes) = with_routes(store, 5).await;
    let backlog = async |conn: &mut Conn| consumer::backlog(conn, id).await.unwrap();
    let before = backlog(&mut store.main.read().await.unwrap()).await;
    assert_eq!((before.pending, before.last_delivered_at), (5, None));
    assert_eq!(before.oldest_pending_at, Some(site::noon()));
    site::settle(store, id, routes[3].seq).await;
    let mut tx = store.main.begin().await.unwrap();
    parked::write(&mut tx, id, &[parked(&routes[1])]).await.unwrap();
    attempt::insert(&mut tx, id, &[attempt(routes[0].seq, 1, AttemptOutcome::Delivered)]).await.unwrap();
    let after = backlog(&mut tx).await;
    assert_eq!((after.pending, after.parked, after.dead_letters), (2, 1, 0));
    assert!(after.last_delivered_at.is_some());
    parked::delete(&mut tx, id, &[routes[1].record.unwrap()]).await.unwrap();
    assert_eq!(backlog(&mut tx).await.pending, 1);
}

pub async fn retention_spares_what_is_not_delivered(store: &Store) {
    let (consumer, all) = with_routes(store, 5).await;
    let seqs = async || routes(store, consumer).await.iter().map(|r| r.seq).collect::<Vec<_>>();
    let clean = async |before| {
        let mut tx = store.main.begin().await.unwrap();
        let gone = retention::delete_routes(&mut tx, before).await.unwrap();
        let events = retention::delete_events(&mut tx, before).await.unwrap();
        assert_eq!(gone, events);
        tx.commit().await.unwrap();
        gone
    };
    assert_eq!(clean(site::later(1)).await, 0, "no lane, nothing is settled");
    site::settle(store, consumer, all[2].seq).await;
    let mut tx = store.main.begin().await.unwrap();
    parked::write(&mut tx, consumer, &[parked(&all[1])]).await.unwrap();
    let attempts: Vec<_> = all.iter().map(|r| attempt(r.seq, 1, AttemptOutcome::Delivered)).collect();
    attempt::insert(&mut tx, consumer, &attempts).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(clean(site::noon()).await, 0, "too young");
    assert_eq!(clean(site::later(1)).await, 2);
    assert_eq!(seqs().await, [all[1].seq, all[3].seq, all[4].seq]);
    let mut tx = store.main.begin().await.unwrap();
    assert_eq!(retention::delete_attempts(&mut tx, site::later(1)).await.unwrap(), 1);
    assert_eq!(attempt::above(&mut tx, consumer, 0).await.unwrap().len(), 4);
}

pub async fn a_consumer_goes_with_all_that_hangs_on_it(store: &Store) {
    let (id, routes) = with_routes(store, 3).await;
    site::settle(store, id, routes[0].seq).await;
    let mut tx = store.main.begin().await.unwrap();
    parked::write(&mut tx, id, &[parked(&routes[1])]).await.unwrap();
    attempt::insert(&mut tx, id, &[attempt(routes[0].seq, 1, AttemptOutcome::Delivered)]).await.unwrap();
    consumer::write_state(&mut tx, id, &consumer::ConsumerState::default()).await.unwrap();
    assert!(retention::delete_consumer(&mut tx, id).await.unwrap());
    tx.commit().await.unwrap();
    let mut conn = store.main.read().await.unwrap();
    assert!(consumer::all(&mut conn).await.unwrap().is_empty());
    assert!(parked::all(&mut conn, id).await.unwrap().is_empty());
    assert!(lane::read(&mut conn, id).await.unwrap().is_empty());
    assert!(attempt::above(&mut conn, id, 0).await.unwrap().is_empty());
    assert!(route::read(&mut conn, id, 0, 10).await.unwrap().is_empty());
}
