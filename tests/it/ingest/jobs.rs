//! What people ask to be sent again, or dropped: taken on, carried out once, recorded.

use std::time::Duration;

use cpr_operator::audit::Asker;
use cpr_operator::domain::compiled::Selector;
use cpr_operator::domain::event_type::EventType;
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::domain::subject::Origin;
use cpr_operator::ingest::jobs::{self, Error, Job, Letters};
use cpr_operator::ingest::task::Round;
use cpr_operator::runtime::bell::Bells;
use cpr_operator::store::attempt::{Attempt, AttemptOutcome};
use cpr_operator::store::consumer::ConsumerRow;
use cpr_operator::store::dead_letter::{self, GivenUp};
use cpr_operator::store::job::{JobId, JobRow, State};
use cpr_operator::store::route::Route;
use cpr_operator::store::subject::SubjectRow;
use cpr_operator::store::{self, attempt, person, replay, retention, route};
use jiff::Timestamp;

use super::crash::break_off;
use super::world::{AWAY, HOME, World, living_in};
use crate::store::site;

const HOUR: Duration = Duration::from_secs(3600);

fn asker() -> Asker {
    Asker { name: "kari".into(), basis: "OperatingSystem".into() }
}

async fn acadre(world: &World) -> ConsumerRow {
    let key = ResourceKey::new("skole", "acadre");
    store::consumer::find(&mut world.store.main.read().await.unwrap(), &key).await.unwrap().unwrap()
}

async fn ask(world: &World, job: &Job) -> Result<JobId, Error> {
    jobs::ask(&world.store, &Bells::default(), &acadre(world).await, job, &asker(), world.clock.now()).await
}

async fn state(world: &World, id: JobId) -> JobRow {
    jobs::state(&world.store, id).await.unwrap().unwrap()
}

async fn routes(world: &World) -> Vec<Route> {
    let id = world.consumer_id("acadre");
    route::read(&mut world.store.main.read().await.unwrap(), id, 0, 10_000).await.unwrap()
}

/// What was asked for: the numbers of the deliveries that come again.
async fn repeated(world: &World) -> Vec<i64> {
    let asked = routes(world).await.into_iter().filter(|route| route.replay.is_some());
    asked.map(|route| route.sequence()).collect()
}

fn since(from: Timestamp) -> Job {
    Job::Replay { from, to: None, person: None }
}

/// A world with some people whom the consumer was told of, all delivered. The numbers of what it was told.
async fn told(people: usize) -> (World, Vec<String>, Vec<i64>) {
    let mut world = World::ready().await;
    let people: Vec<String> = (0..people).map(|_| world.settle(HOME)).collect();
    world.import().await;
    world.deliver().await;
    let seqs = routes(&world).await.iter().map(|route| route.seq).collect();
    (world, people, seqs)
}

#[tokio::test]
async fn a_replay_sends_what_was_sent_in_its_order_and_says_how_much_before() {
    let (mut world, _, seqs) = told(3).await;
    let begin = world.clock.now();
    world.clock.advance(HOUR);
    let row = acadre(&world).await;
    let job = since(begin - HOUR);
    let counted = jobs::count(&world.store, &row, &job, world.clock.now()).await.unwrap();
    assert_eq!((counted.deliveries, counted.persons), (6, 3));
    assert_eq!(counted.earliest, Some(routes(&world).await[0].at));
    assert!(repeated(&world).await.is_empty(), "counting writes nothing");
    let id = ask(&world, &job).await.unwrap();
    assert_eq!((state(&world, id).await.state, state(&world, id).await.total), (State::Waiting, 6));
    world.work().await;
    assert_eq!(repeated(&world).await, seqs);
    let done = state(&world, id).await;
    assert_eq!((done.state, done.done, done.skipped), (State::Done, 6, 0));
    let entries = world.audited("command").await;
    let classes: Vec<_> = entries.iter().map(|entry| entry["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["ReplayAsked", "Replay"]);
    assert_eq!((&entries[0]["consumer"], &entries[0]["persons"]), (&"skole/acadre".into(), &3.into()));
}

#[tokio::test]
async fn a_replay_of_a_time_or_a_person_is_no_more_than_that() {
    let (mut world, people, seqs) = told(2).await;
    world.clock.advance(HOUR);
    let later = world.clock.now();
    world.register.rename(&people[1], None, Some("Andersen"), world.today()).unwrap();
    world.import().await;
    world.deliver().await;
    let all = routes(&world).await;
    let person = world.record(&people[1]).await;
    ask(&world, &Job::Replay { from: Timestamp::UNIX_EPOCH, to: Some(later), person: None }).await.unwrap();
    world.work().await;
    assert_eq!(repeated(&world).await, seqs);
    world.deliver().await;
    ask(&world, &Job::Replay { from: Timestamp::UNIX_EPOCH, to: None, person }).await.unwrap();
    world.work().await;
    let theirs: Vec<i64> = all.iter().filter(|route| route.record == person).map(|route| route.seq).collect();
    assert_eq!(repeated(&world).await[seqs.len()..], theirs, "and what was a replay does not come again");
}

#[tokio::test]
async fn what_waits_comes_anyway_but_after_an_older_replay_again() {
    let (mut world, people, seqs) = told(1).await;
    world.register.rename(&people[0], None, Some("Andersen"), world.today()).unwrap();
    let other = world.settle(HOME);
    world.import().await;
    let waiting: Vec<Route> = routes(&world).await.into_iter().filter(|route| !seqs.contains(&route.seq)).collect();
    let person = world.record(&people[0]).await;
    let again: Vec<i64> = waiting.iter().filter(|route| route.record == person).map(|route| route.seq).collect();
    assert!(!again.is_empty() && world.record(&other).await.is_some());
    let id = ask(&world, &since(Timestamp::UNIX_EPOCH)).await.unwrap();
    world.work().await;
    assert_eq!(repeated(&world).await, [seqs, again].concat());
    let done = state(&world, id).await;
    assert_eq!(done.done, done.total);
}

#[tokio::test]
async fn a_job_that_breaks_off_anywhere_asks_for_each_delivery_once() {
    let (mut world, people, seqs) = told(2).await;
    let mut expected = Vec::new();
    for polls in 0.. {
        let id = ask(&world, &since(Timestamp::UNIX_EPOCH)).await.unwrap();
        let replayed = break_off(world.task().run_once(), polls).await;
        world.restart();
        world.work().await;
        expected.extend(&seqs);
        assert_eq!(repeated(&world).await, expected, "broken off after {polls} polls");
        world.deliver().await;
        let again = ask(&world, &Job::Resync).await.unwrap();
        let told = break_off(world.task().run_once(), polls).await;
        world.restart();
        world.work().await;
        for id in [id, again] {
            assert_eq!(state(&world, id).await.state, State::Done);
        }
        let snapshots =
            routes(&world).await.into_iter().filter(|route| route.replay.is_some_and(|r| r.number == again));
        assert_eq!(snapshots.count(), people.len());
        world.deliver().await;
        let snapshots =
            routes(&world).await.into_iter().filter(|route| route.replay.is_some_and(|r| r.number == again));
        expected.extend(snapshots.map(|route| route.seq));
        if replayed && told {
            return;
        }
    }
}

#[tokio::test]
async fn two_who_take_the_same_step_take_it_once() {
    let (mut world, _, seqs) = told(2).await;
    ask(&world, &since(Timestamp::UNIX_EPOCH)).await.unwrap();
    let (source, metrics) = (world.source(), cpr_operator::ingest::metrics::Metrics::default());
    let office = || jobs::Office { store: &source.store, bells: &source.bells, now: source.clock.now(), source: None };
    let (one, two) = (office(), office());
    let (first, second) = tokio::join!(one.run_once(&metrics), two.run_once(&metrics));
    first.unwrap();
    second.unwrap();
    world.work().await;
    assert_eq!(repeated(&world).await, seqs);
}

#[tokio::test]
async fn a_person_who_has_gone_is_left_out_and_counted() {
    let (mut world, people, _) = told(2).await;
    let gone = world.record(&people[0]).await.unwrap();
    let id = ask(&world, &since(Timestamp::UNIX_EPOCH)).await.unwrap();
    let mut tx = world.store.main.begin().await.unwrap();
    assert_eq!(person::mark_leaving(&mut tx, world.source, &[gone]).await.unwrap(), [gone]);
    tx.commit().await.unwrap();
    world.work().await;
    let done = state(&world, id).await;
    assert_eq!((done.done, done.skipped, done.state), (2, 2, State::Done));
    let again = routes(&world).await.into_iter().filter(|route| route.replay.is_some());
    assert!(again.map(|route| route.record).eq([world.record(&people[1]).await; 2]));
}

#[tokio::test]
async fn a_resync_tells_who_is_covered_now_and_nobody_else() {
    let (mut world, people, _) = told(2).await;
    world.register.move_to(&people[0], AWAY, world.today()).unwrap();
    world.import().await;
    // Everyone in AWAY is stored for another consumer, and nobody there was announced to this one.
    world.subscribe("all", "statistics", |form| form.selector = Selector::everyone()).await;
    let there = world.known(AWAY).await;
    world.deliver().await;
    world.subscribe("more", "acadre", |form| form.selector = living_in(&[AWAY])).await;
    world.subscribe("sleeping", "acadre", |form| (form.selector, form.suspended) = (Selector::everyone(), true)).await;
    world.work().await;
    world.deliver().await;
    world.heard().await;
    let counted = jobs::count(&world.store, &acadre(&world).await, &Job::Resync, world.clock.now()).await.unwrap();
    let id = ask(&world, &Job::Resync).await.unwrap();
    world.work().await;
    let heard = world.heard().await;
    assert!(heard.iter().all(|one| one.words() == "acadre snapshot"), "{heard:?}");
    let mut told: Vec<(String, Vec<String>)> =
        heard.into_iter().map(|one| (one.person.unwrap(), one.subscriptions)).collect();
    told.sort();
    let away = || vec!["more".to_owned()];
    let mut expected =
        vec![(people[0].clone(), away()), (people[1].clone(), vec!["clients".to_owned()]), (there, away())];
    expected.sort();
    assert_eq!(told, expected);
    let done = state(&world, id).await;
    assert_eq!((done.state, done.done, counted.deliveries, counted.persons), (State::Done, 3, 3, 3));
    assert!(
        routes(&world)
            .await
            .iter()
            .rev()
            .take(told.len())
            .all(|route| { route.replay.is_some_and(|replay| replay.number == id && replay.of.is_none()) })
    );
}

#[tokio::test]
async fn a_resync_tells_who_is_listed_too() {
    let (mut world, _, _) = told(1).await;
    world.subscribe("all", "statistics", |form| form.selector = Selector::everyone()).await;
    let (listed, other) = (world.known(AWAY).await, world.known(AWAY).await);
    let list = world.subscribe("list", "acadre", |form| form.selector = Selector::listed()).await;
    let record = world.record(&listed).await.unwrap();
    let subject = SubjectRow { subscription: list, record, origin: Origin::Managed };
    let mut tx = world.store.main.begin().await.unwrap();
    store::subject::write(&mut tx, world.source, &[subject], world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    world.work().await;
    world.deliver().await;
    world.heard().await;
    let id = ask(&world, &Job::Resync).await.unwrap();
    world.work().await;
    let heard = world.heard().await;
    assert_eq!((heard.len() as u64, state(&world, id).await.total), (2, 2));
    let theirs = |person: &String| heard.iter().filter(|one| one.person.as_ref() == Some(person)).count();
    assert_eq!((theirs(&listed), theirs(&other)), (1, 0));
}

/// Gives up these deliveries as delivery does.
async fn give_up(world: &World, given_up: &[Route]) {
    let letters: Vec<_> = given_up.iter().map(|route| GivenUp { route, attempts: 9, class: "Refused" }).collect();
    let mut tx = world.store.main.begin().await.unwrap();
    dead_letter::insert(&mut tx, &letters, world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn letters(world: &World) -> Vec<dead_letter::Letter> {
    let id = world.consumer_id("acadre");
    dead_letter::list(&mut world.store.main.read().await.unwrap(), id, 0, 1000).await.unwrap()
}

#[tokio::test]
async fn dead_letters_are_sent_again_in_order_and_once() {
    let (mut world, _, seqs) = told(3).await;
    give_up(&world, &routes(&world).await).await;
    let ids: Vec<i64> = letters(&world).await.iter().map(|letter| letter.id).collect();
    let id = ask(&world, &Job::RetryDeadLetters(Letters::These(ids[..2].to_vec()))).await.unwrap();
    world.work().await;
    assert_eq!(repeated(&world).await, seqs[..2]);
    assert_eq!(state(&world, id).await.done, 2);
    let id = ask(&world, &Job::RetryDeadLetters(Letters::All)).await.unwrap();
    // What is given up later is not part of it.
    give_up(&world, &routes(&world).await[6..]).await;
    world.work().await;
    assert_eq!(repeated(&world).await, seqs);
    assert_eq!((state(&world, id).await.done, letters(&world).await.len()), (4, 2));
    assert_eq!(world.audited("command").await.len(), 4);
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_when_everything_else_of_it_is_gone() {
    let (mut world, people, seqs) = told(1).await;
    give_up(&world, &routes(&world).await).await;
    world.clock.advance(24 * 30 * HOUR);
    world.sweep().await;
    assert_eq!((world.rows("route").await, world.rows("event").await), (0, 0));
    ask(&world, &Job::RetryDeadLetters(Letters::All)).await.unwrap();
    world.work().await;
    let again = routes(&world).await;
    assert_eq!(again.iter().map(Route::sequence).collect::<Vec<_>>(), seqs);
    let record = world.record(&people[0]).await.unwrap();
    let keys = world.store.keys.person_keys(&[record]).await.unwrap();
    for route in &again {
        let sealed = route.snapshot.as_ref().unwrap();
        assert!(store::event::open(&keys[&record], route.event, sealed).is_ok());
        assert!(route.audit.is_some(), "the record can still say whom it was about");
    }
}

#[tokio::test]
async fn a_dead_letter_of_somebody_who_is_gone_stays_and_is_counted() {
    let (mut world, people, _) = told(1).await;
    give_up(&world, &routes(&world).await).await;
    let record = world.record(&people[0]).await.unwrap();
    let mut tx = world.store.main.begin().await.unwrap();
    person::delete(&mut tx, &[record]).await.unwrap();
    tx.commit().await.unwrap();
    let id = ask(&world, &Job::RetryDeadLetters(Letters::All)).await.unwrap();
    world.work().await;
    let done = state(&world, id).await;
    assert_eq!((done.state, done.done, done.skipped), (State::Done, 0, 2));
    assert_eq!((letters(&world).await.len(), routes(&world).await.len()), (2, 0));
    ask(&world, &Job::DropDeadLetters(Letters::All)).await.unwrap();
    world.work().await;
    assert!(letters(&world).await.is_empty());
}

#[tokio::test]
async fn dropped_dead_letters_are_gone_with_an_entry() {
    let (mut world, _, _) = told(2).await;
    give_up(&world, &routes(&world).await).await;
    let first = letters(&world).await[0].id;
    ask(&world, &Job::DropDeadLetters(Letters::These(vec![first]))).await.unwrap();
    world.work().await;
    assert_eq!(letters(&world).await.len(), 3);
    let id = ask(&world, &Job::DropDeadLetters(Letters::All)).await.unwrap();
    world.work().await;
    assert_eq!((letters(&world).await.len(), state(&world, id).await.done), (0, 3));
    assert!(repeated(&world).await.is_empty());
    assert_eq!(world.audited("command").await.last().unwrap()["class"], "DropDeadLetters");
}

#[tokio::test]
async fn what_expired_is_sent_again_as_far_as_it_is_kept() {
    let (mut world, _, seqs) = told(2).await;
    let id = world.consumer_id("acadre");
    let expired = |seq: &i64| Attempt {
        seq: *seq,
        number: 1,
        at: world.clock.now(),
        outcome: AttemptOutcome::DeadLettered,
        status: None,
        millis: 0,
        class: Some("Expired".into()),
    };
    let attempts: Vec<Attempt> = seqs[1..3].iter().map(expired).collect();
    let mut tx = world.store.main.begin().await.unwrap();
    attempt::insert(&mut tx, id, &attempts).await.unwrap();
    dead_letter::insert_range(&mut tx, id, (seqs[0], seqs[3]), 5, world.clock.now(), world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let job = ask(&world, &Job::RetryDeadLetters(Letters::All)).await.unwrap();
    world.work().await;
    assert_eq!(repeated(&world).await, seqs[1..3]);
    let done = state(&world, job).await;
    assert_eq!((done.total, done.done, done.skipped), (5, 2, 3));
    assert!(letters(&world).await.is_empty());
}

#[tokio::test]
async fn a_consumer_that_takes_nothing_is_not_sent_more() {
    let (mut world, people, seqs) = told(1).await;
    let id = world.consumer_id("acadre");
    let record = world.record(&people[0]).await.unwrap();
    let job = ask(&world, &since(Timestamp::UNIX_EPOCH)).await.unwrap();
    let waiting: Vec<_> = (0..2001).map(|_| site::event(record, world.source, vec![site::route(id)])).collect();
    site::append(&world.store, &waiting).await;
    assert!(matches!(world.task().run_once().await.unwrap(), Round::Idle(rest) if rest <= Duration::from_millis(50)));
    assert!(repeated(&world).await.is_empty());
    world.deliver().await;
    world.work().await;
    assert_eq!((repeated(&world).await, state(&world, job).await.state), (seqs, State::Done));
}

#[tokio::test]
async fn a_job_of_a_consumer_that_ends_is_given_up_and_goes_with_it() {
    let (mut world, _, _) = told(1).await;
    let id = ask(&world, &since(Timestamp::UNIX_EPOCH)).await.unwrap();
    world.end_consumer("acadre").await;
    world.work().await;
    let failed = state(&world, id).await;
    assert_eq!((failed.state, failed.problem.as_deref()), (State::Failed, Some("the consumer has ended")));
    assert!(repeated(&world).await.is_empty());
    assert_eq!(world.audited("command").await[1]["outcome"], "Failed");
    assert!(matches!(ask(&world, &Job::Resync).await, Err(Error::Ended(_))));
    let mut tx = world.store.main.begin().await.unwrap();
    let subscription = "DELETE FROM subscription";
    cpr_operator::store::sql::query(subscription).execute(&mut tx).await.unwrap();
    while !retention::delete_consumer(&mut tx, failed.consumer).await.unwrap() {}
    tx.commit().await.unwrap();
    assert_eq!(world.rows("job").await, 0);
}

#[tokio::test]
async fn ended_jobs_go_when_what_they_sent_may_go() {
    let (mut world, _, _) = told(1).await;
    ask(&world, &Job::Resync).await.unwrap();
    world.work().await;
    world.clock.advance(24 * 6 * HOUR);
    world.sweep().await;
    assert_eq!(world.rows("job").await, 1);
    world.clock.advance(24 * 2 * HOUR);
    world.sweep().await;
    assert_eq!((world.rows("job").await, world.rows("job_part").await), (0, 0));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let (mut world, _, _) = told(1).await;
    let now = world.clock.now();
    let replay = |from, to| Job::Replay { from, to, person: None };
    let refused = async |world: &World, job: Job| ask(world, &job).await.unwrap_err();
    assert!(matches!(refused(&world, replay(now + HOUR, None)).await, Error::Span));
    assert!(matches!(refused(&world, replay(now - HOUR, Some(now - 2 * HOUR))).await, Error::Span));
    let long_ago = replay(Timestamp::UNIX_EPOCH, Some(Timestamp::UNIX_EPOCH + HOUR));
    let error = refused(&world, long_ago).await;
    assert!(matches!(error, Error::NotHeld { earliest: Some(_), .. }));
    assert!(error.to_string().contains("2026-"), "{error}");
    let stranger = Job::Replay { from: Timestamp::UNIX_EPOCH, to: None, person: Some(RecordId::random()) };
    assert!(matches!(refused(&world, stranger).await, Error::NobodyKnown));
    let unknown = Job::DropDeadLetters(Letters::These(vec![77]));
    assert!(matches!(refused(&world, unknown).await, Error::NoLetters(ids) if ids == [77]));
    let id = ask(&world, &Job::Resync).await.unwrap();
    assert!(matches!(refused(&world, Job::Resync).await, Error::AlreadyOpen(open) if open == id));
    world.work().await;
    world.subscribe("clients", "acadre", |form| form.suspended = true).await;
    assert!(matches!(refused(&world, Job::Resync).await, Error::NoSubscription(_)));
    assert_eq!(world.rows("job").await, 1);
}

#[tokio::test]
async fn what_was_asked_for_is_heard_by_nobody_else() {
    let (mut world, _, seqs) = told(1).await;
    world.subscribe("all", "statistics", |form| form.selector = Selector::everyone()).await;
    world.work().await;
    world.heard().await;
    ask(&world, &since(Timestamp::UNIX_EPOCH)).await.unwrap();
    ask(&world, &Job::Resync).await.unwrap();
    world.work().await;
    let heard = world.heard().await;
    assert_eq!(heard.len(), seqs.len() + 1);
    assert!(heard.iter().all(|one| one.consumer == "acadre"));
    assert_eq!(heard.last().unwrap().type_, EventType::Snapshot);
    let mut conn = world.store.main.read().await.unwrap();
    let earliest = replay::earliest(&mut conn, world.consumer_id("acadre")).await.unwrap();
    assert_eq!(earliest, Some(routes(&world).await[0].at));
}
