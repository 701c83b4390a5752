//! Persons: what is stored of them, and how they go.

use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::municipality::Municipality;
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::status::StatusCode;
use cpr_operator::store::person::PersonRow;
use cpr_operator::store::removal::{self, Sweep};
use cpr_operator::store::told::Told;
use cpr_operator::store::unread::Unread;
use cpr_operator::store::{SourceId, Store, dead_letter, event, person, request, retention, route, told, unread};

use super::site;

async fn found(store: &Store, source: SourceId, record: RecordId) -> Option<PersonRow> {
    person::find(&mut store.main.read().await.unwrap(), source, &[record]).await.unwrap().remove(&record)
}

async fn mark(store: &Store, source: SourceId, record: RecordId) -> bool {
    let mut tx = store.main.begin().await.unwrap();
    let marked = person::mark_leaving(&mut tx, source, &[record]).await.unwrap();
    tx.commit().await.unwrap();
    marked == [record]
}

async fn has_key(store: &Store, record: RecordId) -> bool {
    store.keys.without_key(&[record]).await.unwrap().is_empty()
        && store.keys.person_keys(&[record]).await.unwrap().contains_key(&record)
}

async fn sweep(store: &Store, hours: i64) -> u64 {
    let mut sweep = Sweep::default();
    let mut total = 0;
    loop {
        let (deleted, round) = sweep.run_once(store, site::later(hours)).await.unwrap();
        total += deleted;
        if round {
            return total;
        }
    }
}

pub async fn a_person_is_read_back_as_written(store: &Store) {
    let source = site::source(store, "s").await;
    let ensured = site::ensured(store, 1).await;
    let mut row = site::row(&ensured, source, 1);
    row.next_due = Some("2026-09-01".parse().unwrap());
    row.standing.status = StatusCode::Dead;
    row.standing.inactive_since = Some(site::noon());
    row.standing.municipality = None;
    (row.settled, row.refetch) = (17, true);
    assert!(site::write(store, std::slice::from_ref(&row)).await.is_empty());
    let read = found(store, source, row.record).await.unwrap();
    assert_eq!((&read.standing, read.next_due, read.as_of), (&row.standing, row.next_due, row.as_of));
    assert_eq!((read.held, read.settled, read.leaving, read.refetch), (row.held, 17, false, true));
    assert!(read.open(&ensured.key).unwrap().id == Some(site::person_id(1)));

    row.standing.status = StatusCode::Other("ukendt".into());
    row.refetch = false;
    site::write(store, std::slice::from_ref(&row)).await;
    let read = found(store, source, row.record).await.unwrap();
    assert_eq!(read.standing.status, StatusCode::Other(String::new()), "the text is in the sealed content only");
    assert!(!read.refetch);
    assert!(found(store, source, RecordId::random()).await.is_none());
}

pub async fn what_is_due_is_found(store: &Store) {
    let source = site::source(store, "s").await;
    let mut rows = Vec::new();
    for number in 0..5 {
        rows.push(site::row(&site::ensured(store, number).await, source, number));
    }
    rows[0].next_due = Some("2026-07-01".parse().unwrap());
    rows[1].next_due = Some("2026-07-02".parse().unwrap());
    rows[2].refetch = true;
    site::write(store, &rows).await;
    let mut conn = store.main.read().await.unwrap();
    let today = "2026-07-01".parse().unwrap();
    let due = person::due(&mut conn, source, today, 10).await.unwrap();
    let expected = [rows[0].record, rows[2].record];
    assert_eq!(due.iter().map(|row| row.record).collect::<Vec<_>>(), expected, "who has a date comes first");
}

pub async fn uncovered_persons_leave_when_the_grace_is_over(store: &Store) {
    let source = site::source(store, "s").await;
    let ensured = site::ensured(store, 1).await;
    let covered = site::row(&site::ensured(store, 2).await, source, 2);
    let uncovered = |hours| PersonRow { uncovered_since: Some(site::later(hours)), ..site::row(&ensured, source, 1) };
    let marked = async |grace| {
        let mut tx = store.main.begin().await.unwrap();
        let marked = person::mark_uncovered(&mut tx, site::later(grace), 10).await.unwrap();
        tx.commit().await.unwrap();
        marked
    };
    site::write(store, &[covered.clone(), uncovered(1)]).await;
    site::write(store, &[uncovered(5)]).await;
    assert_eq!(marked(0).await, 0);
    site::write(store, &[site::row(&ensured, source, 1)]).await;
    assert_eq!(marked(9).await, 0, "covered again");
    site::write(store, &[uncovered(5)]).await;
    site::write(store, &[uncovered(7)]).await;
    assert_eq!(marked(5).await, 1, "since the first time");
    let mut tx = store.main.begin().await.unwrap();
    assert!(!person::release_source(&mut tx, source).await.unwrap());
    assert_eq!(person::mark_uncovered(&mut tx, site::later(0), 10).await.unwrap(), 1, "all of an ended source");
}

pub async fn unsettled_persons_are_found_until_they_are_settled(store: &Store) {
    let source = site::source(store, "s").await;
    let record = site::stored(store, source, 1).await;
    let mut conn = store.main.read().await.unwrap();
    assert_eq!(person::count_unsettled(&mut conn, source, 1).await.unwrap(), 0);
    assert_eq!(person::count_unsettled(&mut conn, source, 2).await.unwrap(), 1);
    let mut row = person::unsettled(&mut conn, source, 2, 10).await.unwrap().remove(0);
    assert_eq!(row.record, record);
    row.settled = 2;
    site::write(store, &[row]).await;
    assert_eq!(person::count_unsettled(&mut conn, source, 2).await.unwrap(), 0);
}

pub async fn residents_are_counted_by_municipality(store: &Store) {
    let source = site::source(store, "s").await;
    let mut rows = Vec::new();
    for number in 0..4 {
        rows.push(site::row(&site::ensured(store, number).await, source, number));
    }
    rows[1].standing.municipality = Municipality::from_code(751);
    rows[2].standing.inactive_since = Some(site::noon());
    rows[3].standing.status = StatusCode::Closed;
    site::write(store, &rows).await;
    let mut conn = store.main.read().await.unwrap();
    let aarhus = [Municipality::from_code(751).unwrap()];
    assert_eq!(person::count_living_in(&mut conn, source, None).await.unwrap(), 2);
    assert_eq!(person::count_living_in(&mut conn, source, Some(&aarhus)).await.unwrap(), 1);
    assert_eq!(person::count_living_in(&mut conn, source, Some(&[])).await.unwrap(), 0);
}

pub async fn leaving_is_not_written(store: &Store) {
    let (one, two) = (site::source(store, "one").await, site::source(store, "two").await);
    let record = site::stored(store, one, 1).await;
    assert!(mark(store, one, record).await);
    let ensured = site::ensured(store, 1).await;
    assert_eq!(ensured.record, record);
    let mut changed = site::row(&ensured, one, 1);
    changed.settled = 99;
    assert_eq!(site::write(store, &[changed]).await, [record]);
    let dropped =
        site::write(store, &[site::row(&ensured, two, 1), site::row(&site::ensured(store, 2).await, one, 2)]).await;
    assert_eq!(dropped, [record], "another source's row neither, and others are written");
    assert_eq!(found(store, one, record).await.unwrap().settled, 1);
    assert!(found(store, two, record).await.is_none());
}

pub async fn what_is_still_to_be_told_keeps_a_person(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let record = site::stored(store, source, 1).await;
    let told = event::NewEvent { snapshot: Some(vec![1]), ..site::event(record, source, vec![site::route(consumer)]) };
    let seq = site::append(store, &[told]).await.unwrap();
    assert!(!mark(store, source, record).await, "an undelivered route");
    site::settle(store, consumer, seq).await;

    let mut tx = store.main.begin().await.unwrap();
    let route = route::read(&mut tx, consumer, 0, 1).await.unwrap().remove(0);
    let letter = dead_letter::GivenUp { route: &route, attempts: 1, class: "refused" };
    dead_letter::insert(&mut tx, &[letter], site::noon()).await.unwrap();
    assert!(person::mark_leaving(&mut tx, source, &[record]).await.unwrap().is_empty(), "a dead letter");
    assert_eq!(retention::delete_dead_letters(&mut tx, site::later(1)).await.unwrap(), 1);
    tx.commit().await.unwrap();

    let died = [Told { consumer, record, type_: EventType::Died }];
    let mut tx = store.main.begin().await.unwrap();
    request::ask(&mut tx, consumer, &[record], site::noon()).await.unwrap();
    assert!(person::mark_leaving(&mut tx, source, &[record]).await.unwrap().is_empty(), "an open request");
    let open = request::read(&mut tx, source, 1).await.unwrap();
    request::delete(&mut tx, &[open[0].id]).await.unwrap();
    told::write(&mut tx, &died, &[], site::noon()).await.unwrap();
    assert!(person::mark_leaving(&mut tx, source, &[record]).await.unwrap().is_empty(), "a death that may be annulled");
    told::write(&mut tx, &[], &died, site::noon()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(mark(store, source, record).await);
}

pub async fn keys_first_then_rows(store: &Store) {
    let source = site::source(store, "s").await;
    let (gone, kept) = (site::stored(store, source, 1).await, site::stored(store, source, 2).await);
    assert!(mark(store, source, gone).await);
    assert!(has_key(store, gone).await);
    assert_eq!(removal::run_once(store).await.unwrap(), 1);
    assert!(!has_key(store, gone).await && found(store, source, gone).await.is_none());
    assert!(has_key(store, kept).await && found(store, source, kept).await.is_some());
    assert_eq!(removal::run_once(store).await.unwrap(), 0);
    assert_ne!(site::ensured(store, 1).await.record, gone, "taken up again as unknown");
}

pub async fn a_crash_between_key_and_rows_is_finished_later(store: &Store) {
    let source = site::source(store, "s").await;
    let record = site::stored(store, source, 1).await;
    assert!(mark(store, source, record).await);
    assert_eq!(store.keys.forget_persons(&[record]).await.unwrap(), [record]);
    assert!(found(store, source, record).await.is_some());
    assert_eq!(removal::run_once(store).await.unwrap(), 1);
    assert!(found(store, source, record).await.is_none());
}

pub async fn one_source_that_goes_on_keeps_the_key(store: &Store) {
    let (one, two) = (site::source(store, "one").await, site::source(store, "two").await);
    let record = site::stored(store, one, 1).await;
    assert_eq!(site::stored(store, two, 1).await, record);
    assert!(mark(store, one, record).await);
    assert_eq!(removal::run_once(store).await.unwrap(), 1);
    assert!(found(store, one, record).await.is_none());
    assert!(found(store, two, record).await.is_some() && has_key(store, record).await);
}

pub async fn a_key_in_use_is_not_deleted(store: &Store) {
    let source = site::source(store, "s").await;
    let record = site::stored(store, source, 1).await;
    let in_use = site::ensured(store, 1).await;
    assert!(mark(store, source, record).await);
    assert_eq!(removal::run_once(store).await.unwrap(), 0);
    assert!(has_key(store, record).await && found(store, source, record).await.is_some());
    drop(in_use);
    assert_eq!(removal::run_once(store).await.unwrap(), 1);
    assert!(!has_key(store, record).await);
}

pub async fn a_key_without_a_row_goes_after_a_day(store: &Store) {
    let source = site::source(store, "s").await;
    let kept = site::stored(store, source, 1).await;
    let unused = site::ensured(store, 2).await.record;
    assert_eq!(sweep(store, 23).await, 0);
    assert!(has_key(store, unused).await);
    drop(store.keys.ensure_persons(&site::realm(), &[site::identity(2)], site::later(20)).await.unwrap());
    assert_eq!(sweep(store, 30).await, 0, "sought ten hours ago");
    assert_eq!(sweep(store, 45).await, 1);
    assert!(!has_key(store, unused).await && has_key(store, kept).await);
}

pub async fn a_row_without_a_key_is_swept(store: &Store) {
    let source = site::source(store, "s").await;
    let (erased, kept) = (site::stored(store, source, 1).await, site::stored(store, source, 2).await);
    store.keys.forget_persons(&[erased]).await.unwrap();
    assert_eq!(sweep(store, 1).await, 1);
    assert!(found(store, source, erased).await.is_none() && found(store, source, kept).await.is_some());
}

pub async fn a_person_not_read_is_tried_again_when_due(store: &Store) {
    let source = site::source(store, "s").await;
    let ensured = site::ensured(store, 1).await;
    let row = Unread::seal(&ensured.key, source, &site::person_id(1), 7, 3, site::later(1)).unwrap();
    let mut tx = store.main.begin().await.unwrap();
    unread::write(&mut tx, source, &[row]).await.unwrap();
    assert_eq!(unread::count(&mut tx, source).await.unwrap(), 1);
    assert!(unread::due(&mut tx, source, site::noon(), site::later(1), 10).await.unwrap().is_empty());
    let set_back = unread::due(&mut tx, source, site::later(-2), site::later(-1), 10).await.unwrap();
    assert_eq!(set_back.len(), 1, "dated by a clock that was ahead");
    let due = unread::due(&mut tx, source, site::later(1), site::later(2), 10).await.unwrap().remove(0);
    assert_eq!((due.import, due.attempts), (7, 3));
    assert!(due.open(&ensured.key, source).unwrap() == site::person_id(1));
    assert!(due.open(&ensured.key, source + 1).is_err());
    unread::delete(&mut tx, source, &[due.record]).await.unwrap();
    assert_eq!(unread::count(&mut tx, source).await.unwrap(), 0);
}
