//! Deliveries sent once more, jobs, what became of deliveries, and references turned back.

use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::store::attempt::{Attempt, AttemptOutcome};
use cpr_operator::store::delivery_log::{self, Standing};
use cpr_operator::store::job::{self, Kind, NewJob, Parameters, State};
use cpr_operator::store::parked::{self, Parked, ParkedState};
use cpr_operator::store::replay::{self, Range};
use cpr_operator::store::route::{self, First, Replay};
use cpr_operator::store::{ConsumerId, Store, attempt};
use jiff::Timestamp;

use super::site;

/// A consumer with two routes about each of two stored persons, alternating.
async fn site(store: &Store) -> (ConsumerId, [RecordId; 2], Vec<i64>) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let people = [site::stored(store, source, 1).await, site::stored(store, source, 2).await];
    let both = [people[0], people[1], people[0], people[1]];
    let events: Vec<_> = both.iter().map(|who| site::event(*who, source, vec![site::route(consumer)])).collect();
    let highest = site::append(store, &events).await.unwrap();
    (consumer, people, (highest - 3..=highest).collect())
}

fn all(consumer: ConsumerId) -> Range {
    Range { consumer, record: None, from: Timestamp::MIN, to: Timestamp::MAX, upto: i64::MAX }
}

async fn found(store: &Store, range: &Range) -> Vec<i64> {
    let page = replay::look(&mut store.main.read().await.unwrap(), range, 0, 100).await.unwrap();
    page.found.iter().map(|one| one.seq).collect()
}

fn attempt(seq: i64, number: u32, outcome: AttemptOutcome) -> Attempt {
    Attempt { seq, number, at: site::noon(), outcome, status: Some(200), millis: 12, class: None }
}

fn parked(record: RecordId, first_seq: i64) -> Parked {
    Parked {
        record,
        first_seq,
        attempts: 2,
        since: site::noon(),
        next_at: site::later(1),
        state: ParkedState::Retrying,
        class: "refused".into(),
        gap: false,
    }
}

pub async fn what_is_settled_is_found_and_what_follows_it(store: &Store) {
    let (consumer, people, seqs) = site(store).await;
    assert!(found(store, &all(consumer)).await.is_empty(), "nothing is settled");
    let mut tx = store.main.begin().await.unwrap();
    attempt::insert(&mut tx, consumer, &[attempt(seqs[0], 1, AttemptOutcome::Withdrawn)]).await.unwrap();
    attempt::insert(&mut tx, consumer, &[attempt(seqs[1], 1, AttemptOutcome::Failed)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        found(store, &all(consumer)).await,
        [seqs[0], seqs[2]],
        "the later one of the same person waits, and follows"
    );
    site::settle(store, consumer, seqs[3]).await;
    let mut tx = store.main.begin().await.unwrap();
    parked::write(&mut tx, consumer, &[parked(people[1], seqs[3])]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(store, &all(consumer)).await, seqs);
    let mut tx = store.main.begin().await.unwrap();
    parked::write(&mut tx, consumer, &[parked(people[1], seqs[1])]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(store, &all(consumer)).await, [seqs[0], seqs[2]]);
    let one = Range { record: Some(people[0]), upto: seqs[1], ..all(consumer) };
    assert_eq!(found(store, &one).await, [seqs[0]]);
    assert!(found(store, &Range { from: site::later(1), ..all(consumer) }).await.is_empty());
    assert!(found(store, &Range { to: site::noon(), ..all(consumer) }).await.is_empty());
    let page = replay::look(&mut store.main.read().await.unwrap(), &all(consumer), seqs[0], 1).await.unwrap();
    assert_eq!((page.found.len(), page.last), (0, Some(seqs[1])), "looked at, and not found");
}

pub async fn a_replay_is_a_new_route_with_the_number_of_the_first(store: &Store) {
    let (consumer, _, seqs) = site(store).await;
    site::settle(store, consumer, seqs[3]).await;
    let mut tx = store.main.begin().await.unwrap();
    assert_eq!(replay::repeat(&mut tx, 5, &seqs, site::later(1)).await.unwrap(), 4);
    tx.commit().await.unwrap();
    let mut conn = store.main.read().await.unwrap();
    let again = route::read(&mut conn, consumer, seqs[3], 100).await.unwrap();
    assert_eq!(again.iter().map(|route| route.sequence()).collect::<Vec<_>>(), seqs);
    assert_eq!(again[0].replay, Some(Replay { number: 5, of: Some(First { seq: seqs[0], replay: None }) }));
    assert_eq!((again[0].at, again[0].event_at), (site::later(1), site::noon()));
    drop(conn);
    site::settle(store, consumer, again[3].seq).await;
    assert_eq!(found(store, &all(consumer)).await, seqs, "a replay is not replayed");
    let (later, mut tx) = (again[0].seq, store.main.begin().await.unwrap());
    replay::repeat(&mut tx, 6, &[later], site::later(2)).await.unwrap();
    let newest = route::read(&mut tx, consumer, again[3].seq, 10).await.unwrap();
    assert_eq!(newest[0].replay, Some(Replay { number: 6, of: Some(First { seq: seqs[0], replay: None }) }));
    assert_eq!(replay::earliest(&mut tx, consumer).await.unwrap(), Some(site::noon()));
    assert_eq!(replay::undelivered(&mut tx, consumer, 10).await.unwrap(), 1);
}

pub async fn a_job_moves_on_from_where_it_was_read(store: &Store) {
    let consumer = site::consumer(store, "c").await;
    let source = site::source(store, "s").await;
    let parameters = Parameters { from: Some(site::noon()), upto: 9, letters: Some(vec![3]), ..Parameters::default() };
    let new = NewJob {
        consumer,
        kind: Kind::Resync,
        parameters: parameters.clone(),
        record: Some(RecordId([7; 16])),
        asker: ("kari".into(), "TokenReview".into()),
        total: 4,
        parts: vec![source],
    };
    let mut tx = store.main.begin().await.unwrap();
    let id = job::insert(&mut tx, &new, site::noon()).await.unwrap();
    let first = job::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((first.state, first.kind, first.total, first.record), (State::Waiting, Kind::Resync, 4, new.record));
    assert_eq!((&first.parameters, &first.asker), (&parameters, &new.asker));
    assert!(job::advance(&mut tx, &first, 3, (2, 1)).await.unwrap());
    assert!(!job::advance(&mut tx, &first, 3, (2, 1)).await.unwrap(), "somebody did already");
    let second = job::get(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((second.state, second.position, second.done, second.skipped), (State::Running, 3, 2, 1));
    let (one, two) = (RecordId([1; 16]), RecordId([2; 16]));
    assert_eq!(job::part(&mut tx, id, source).await.unwrap(), Some(None));
    assert!(job::advance_part(&mut tx, id, source, None, one).await.unwrap());
    assert!(!job::advance_part(&mut tx, id, source, None, two).await.unwrap());
    assert!(job::advance_part(&mut tx, id, source, Some(one), two).await.unwrap());
    assert_eq!(job::parts_left(&mut tx, id).await.unwrap(), 1);
    job::end_part(&mut tx, id, source).await.unwrap();
    assert_eq!((job::part(&mut tx, id, source).await.unwrap(), job::parts_left(&mut tx, id).await.unwrap()), (None, 0));
    assert_eq!(job::open(&mut tx).await.unwrap().len(), 1);
    assert!(job::end(&mut tx, id, State::Failed, Some("because"), site::later(1)).await.unwrap());
    assert!(!job::end(&mut tx, id, State::Done, None, site::later(1)).await.unwrap());
    assert!(job::open(&mut tx).await.unwrap().is_empty());
    assert_eq!(job::delete_ended(&mut tx, site::later(1), 10).await.unwrap(), 0);
    assert_eq!(job::delete_ended(&mut tx, site::later(2), 10).await.unwrap(), 1);
    let next = job::insert(&mut tx, &NewJob { parts: Vec::new(), ..new }, site::noon()).await.unwrap();
    assert!(next > id, "a number is never given twice");
}

pub async fn the_log_says_what_became_of_each_delivery(store: &Store) {
    let (consumer, people, seqs) = site(store).await;
    let refused =
        Attempt { class: Some("Refused".into()), status: Some(422), ..attempt(seqs[2], 2, AttemptOutcome::Failed) };
    let mut tx = store.main.begin().await.unwrap();
    let attempts = [
        attempt(seqs[0], 1, AttemptOutcome::Failed),
        attempt(seqs[0], 2, AttemptOutcome::Delivered),
        attempt(seqs[2], 1, AttemptOutcome::Failed),
        refused,
        Attempt { status: None, class: Some("Erased".into()), ..attempt(seqs[1], 1, AttemptOutcome::Withdrawn) },
    ];
    attempt::insert(&mut tx, consumer, &attempts).await.unwrap();
    parked::write(&mut tx, consumer, &[parked(people[0], seqs[2])]).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = store.main.read().await.unwrap();
    let log = delivery_log::page(&mut conn, consumer, None, None, 0, 100).await.unwrap();
    let shown: Vec<_> = log.iter().map(|one| (one.seq, one.attempts, one.status, one.standing)).collect();
    assert_eq!(
        shown,
        [
            (seqs[0], 2, Some(200), Standing::Delivered),
            (seqs[1], 0, None, Standing::Withdrawn),
            (seqs[2], 2, Some(422), Standing::Parked),
            (seqs[3], 0, None, Standing::Waiting),
        ]
    );
    assert_eq!((log[1].class.as_deref(), log[2].class.as_deref()), (Some("Erased"), Some("Refused")));
    let one = delivery_log::page(&mut conn, consumer, Some(people[1]), Some(site::noon()), seqs[1], 100).await.unwrap();
    assert_eq!(one.iter().map(|one| one.seq).collect::<Vec<_>>(), [seqs[3]]);
    assert!(delivery_log::page(&mut conn, consumer, None, Some(site::later(1)), 0, 9).await.unwrap().is_empty());
    assert_eq!(delivery_log::page(&mut conn, consumer, None, None, seqs[0], 1).await.unwrap()[0].seq, seqs[1]);
}

pub async fn a_reference_is_turned_back_for_its_consumer_alone(store: &Store) {
    let (one, two) = (site::consumer(store, "one").await, site::consumer(store, "two").await);
    let mut claims = Vec::new();
    for number in 0..1_100 {
        claims.push((one, site::ensured(store, number).await.record));
    }
    store.keys.ensure_claims(&claims, site::noon()).await.unwrap();
    let key = store.keys.consumer_key(one, site::noon()).await.unwrap();
    let mut records: Vec<RecordId> = claims.iter().map(|(_, record)| *record).collect();
    records.sort();
    for record in [records[0], records[999], records[1_000], records[1_099]] {
        let reference = key.reference(record);
        assert_eq!(store.keys.find_reference(one, &reference).await.unwrap(), Some(record));
        assert_eq!(store.keys.find_reference(two, &reference).await.unwrap(), None);
    }
    assert_eq!(store.keys.find_reference(one, &key.reference(RecordId::random())).await.unwrap(), None);
}
