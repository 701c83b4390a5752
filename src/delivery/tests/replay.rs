//! What is asked for again, on the wire.

use super::receiver::{Answer, Received, Receiver};
use super::world::{SEC, World};
use crate::domain::event_type::EventType;
use crate::domain::field_group::GroupSet;
use crate::domain::pairwise::{EventId, RecordId};
use crate::store::attempt::AttemptOutcome;
use crate::store::event::{NewEvent, NewRoute};
use crate::store::{ConsumerId, SubscriptionId, dead_letter, event, job, replay};

const TYPE: EventType = EventType::AddressChanged;

/// A world with a consumer, its subscription, and a person whom it knows.
async fn world() -> (World, Receiver, ConsumerId, SubscriptionId, RecordId) {
    let (mut world, receiver) = (World::new().await, Receiver::start().await);
    let (consumer, subscription) = world.consumer("acadre", &receiver, |_| {}).await;
    let person = world.person(1, &[consumer]).await;
    (world, receiver, consumer, subscription, person)
}

/// Asks for these deliveries once more, as the job with this number.
async fn repeat(world: &World, number: job::JobId, seqs: &[i64]) -> u64 {
    let mut tx = world.store.main.begin().await.unwrap();
    let written = replay::repeat(&mut tx, number, seqs, world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    written
}

fn text<'a>(got: &'a Received, member: &str) -> Option<&'a str> {
    got.json[member].as_str()
}

#[tokio::test]
async fn a_replay_has_an_id_of_its_own_and_keeps_time_and_sequence() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    world.clock.advance(3600 * SEC);
    assert_eq!(repeat(&world, 7, &[seq]).await, 1);
    world.deliver().await;
    repeat(&world, 8, &[seq]).await;
    world.deliver().await;
    let got = receiver.events();
    assert_eq!(got.len(), 3);
    assert!(got[0].json.get("replayed").is_none() && got[0].json.get("replayof").is_none());
    for again in &got[1..] {
        assert_eq!(again.json["replayed"], true);
        assert_eq!(again.json["replayof"], got[0].json["id"]);
        assert_eq!(text(again, "id"), again.headers["webhook-id"].to_str().ok());
        for kept in ["sequence", "time", "subject", "type", "data"] {
            assert_eq!(again.json[kept], got[0].json[kept], "{kept}");
        }
    }
    let ids: std::collections::BTreeSet<_> = got.iter().map(|one| text(one, "id")).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(world.audited("disclosure").await[1]["delivery"], got[1].json["id"]);
}

#[tokio::test]
async fn a_replay_keeps_its_id_over_retries_and_holds_up_what_comes_later() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let first = world.happen(person, TYPE, to).await;
    world.deliver().await;
    repeat(&world, 1, &[first]).await;
    let live = world.happen(person, EventType::Died, to).await;
    receiver.answer(|got| Answer::Status(if got.json["replayed"] == true { 422 } else { 204 }));
    world.deliver().await;
    assert_eq!(receiver.sequences(), [first, first], "the live event waits behind the replay");
    receiver.answer(|_| Answer::Status(204));
    world.restart();
    world.after(10 * SEC).await;
    let got = receiver.events();
    assert_eq!(receiver.sequences(), [first, first, first, live]);
    assert_eq!(got[1].bytes, got[2].bytes);
    assert!(world.parked(consumer).await.is_empty());
}

#[tokio::test]
async fn a_replay_gives_no_more_than_today_s_rights() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    world.change_subscription(subscription, |form| form.fields = GroupSet::of(&[])).await;
    repeat(&world, 1, &[seq]).await;
    world.deliver().await;
    world.change_subscription(subscription, |form| form.granted = GroupSet::EMPTY).await;
    repeat(&world, 2, &[seq]).await;
    world.deliver().await;
    let got = receiver.events();
    assert_eq!(got.len(), 2);
    assert!(got[0].json["data"]["fields"]["Name"].is_object());
    assert_eq!(got[1].json["data"]["fields"], serde_json::json!({}));
    let withdrawn = world.audited("event.withdrawn").await;
    assert_eq!(withdrawn.len(), 1);
    assert_eq!(withdrawn[0]["class"], "NotGranted");
    assert_ne!(withdrawn[0]["delivery"], got[0].json["id"], "recorded under the replay's id");
}

#[tokio::test]
async fn a_replay_of_what_is_protected_since_is_masked() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    world.protect(person, true).await;
    repeat(&world, 1, &[seq]).await;
    world.deliver().await;
    let got = receiver.events();
    assert!(got[0].json["data"]["fields"]["Address"].is_object());
    assert_eq!(got[1].json["data"]["withheld"], serde_json::json!(["Address", "Name"]));
    assert!(!String::from_utf8_lossy(&got[1].bytes).contains("Prøvevej"));
}

#[tokio::test]
async fn a_replay_of_an_ended_subscription_is_withdrawn() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    world.deliver().await;
    world.end_subscription(subscription).await;
    repeat(&world, 1, &[seq]).await;
    world.deliver().await;
    assert_eq!(receiver.events().len(), 1);
    assert_eq!(world.audited("event.withdrawn").await[0]["class"], "SubscriptionEnded");
}

#[tokio::test]
async fn a_snapshot_that_was_asked_for_repeats_nothing() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let id = EventId::random();
    let key = world.store.keys.person_keys(&[person]).await.unwrap().remove(&person).unwrap();
    let told = NewEvent {
        id,
        record: Some(person),
        source: world.source,
        type_: EventType::Snapshot,
        snapshot: Some(event::seal(&key, id, &super::world::snapshot(EventType::Snapshot)).unwrap()),
        detail: None,
        audit: None,
        routes: vec![NewRoute { consumer, type_: EventType::Snapshot, subscriptions: vec![subscription] }],
    };
    let mut tx = world.store.main.begin().await.unwrap();
    let seq = event::append_as(&mut tx, &[told], Some(3), world.clock.now()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    give_up(&mut world, &receiver).await;
    assert_eq!(world.dead_letters(consumer).await, 1);
    retry_all(&world, consumer, 4).await;
    world.deliver().await;
    let got = receiver.events();
    let (first, last) = (&got[0], got.last().unwrap());
    assert_eq!((&first.json["replayed"], first.sequence()), (&true.into(), seq));
    assert!(first.json.get("replayof").is_none());
    assert_eq!((&last.json["replayof"], last.sequence()), (&first.json["id"], seq));
}

async fn retry_all(world: &World, consumer: ConsumerId, number: job::JobId) -> u64 {
    let mut tx = world.store.main.begin().await.unwrap();
    let letters = dead_letter::list(&mut tx, consumer, 0, 100).await.unwrap();
    let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
    let sent = dead_letter::retry(&mut tx, number, &ids, world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    sent
}

async fn give_up(world: &mut World, receiver: &Receiver) {
    receiver.answer(|_| Answer::Status(422));
    world.deliver().await;
    for _ in 0..120 {
        world.after(10 * SEC).await;
    }
    receiver.answer(|_| Answer::Status(204));
}

#[tokio::test]
async fn a_retried_dead_letter_arrives_once_with_the_first_sequence_however_often_it_was_given_up() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let seq = world.happen(person, TYPE, &[(consumer, &[subscription])]).await;
    give_up(&mut world, &receiver).await;
    assert_eq!(world.dead_letters(consumer).await, 1);
    assert_eq!(retry_all(&world, consumer, 1).await, 1);
    assert_eq!(world.dead_letters(consumer).await, 0);
    give_up(&mut world, &receiver).await;
    assert_eq!(world.dead_letters(consumer).await, 1, "a retry may be given up too");
    let first = receiver.events()[0].json["id"].clone();
    // By now the route and its event have gone.
    let mut tx = world.store.main.begin().await.unwrap();
    for table in ["DELETE FROM route", "DELETE FROM event"] {
        crate::store::sql::query(table).execute(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    receiver.forget();
    assert_eq!(retry_all(&world, consumer, 2).await, 1);
    world.deliver().await;
    world.deliver().await;
    let got = receiver.events();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].sequence(), &got[0].json["replayof"]), (seq, &first));
    assert_eq!(got[0].json["gapbefore"], true, "what was marked stays");
    assert_eq!((world.dead_letters(consumer).await, retry_all(&world, consumer, 3).await), (0, 0));
    let said = world.audited("disclosure").await;
    assert_eq!(said.last().unwrap()["delivery"], got[0].json["id"]);
}

#[tokio::test]
async fn the_end_of_a_subscription_that_was_given_up_can_be_told_again() {
    let (mut world, receiver, consumer, subscription, _) = world().await;
    world.end_subscription(subscription).await;
    world.tell_end(consumer, subscription).await;
    give_up(&mut world, &receiver).await;
    let first = receiver.events()[0].json["id"].clone();
    receiver.forget();
    assert_eq!(retry_all(&world, consumer, 1).await, 1);
    world.deliver().await;
    let got = receiver.events();
    assert_eq!((got.len(), &got[0].json["replayed"], &got[0].json["replayof"]), (1, &true.into(), &first));
    assert!(got[0].json.get("sequence").is_none());
}

#[tokio::test]
async fn a_range_is_sent_again_as_far_as_it_is_left() {
    let (mut world, receiver, consumer, subscription, person) = world().await;
    let to: &[(i64, &[i64])] = &[(consumer, &[subscription])];
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(world.happen(person, TYPE, to).await);
    }
    receiver.answer(|_| Answer::Status(503));
    world.deliver().await;
    world.after(721 * 3600 * SEC).await;
    for _ in 0..3 {
        world.after(3600 * SEC).await;
    }
    receiver.answer(|_| Answer::Status(204));
    assert_eq!(world.dead_letters(consumer).await, 3);
    let mut tx = world.store.main.begin().await.unwrap();
    crate::store::sql::query("DELETE FROM route WHERE seq = $1").bind(sent[0]).execute(&mut tx).await.unwrap();
    let mut found = (0, 0);
    while let Some(range) = dead_letter::list(&mut tx, consumer, 0, 1).await.unwrap().pop() {
        assert!(range.given_up.is_none());
        let (sent, gone) =
            dead_letter::retry_range(&mut tx, 1, consumer, &range, (1, world.clock.now())).await.unwrap();
        assert!(sent + gone <= 1, "one at a time");
        (found.0, found.1) = (found.0 + sent, found.1 + gone);
    }
    tx.commit().await.unwrap();
    assert_eq!(found, (2, 1), "two are sent, and one is gone");
    receiver.forget();
    world.after(3600 * SEC).await;
    let again = receiver.events();
    let again: Vec<i64> = again.iter().filter(|got| got.json["replayed"] == true).map(Received::sequence).collect();
    assert_eq!(again, sent[1..]);
    let known = crate::store::attempt::above(&mut world.store.main.read().await.unwrap(), consumer, sent[2]).await;
    assert!(known.unwrap().values().all(|(_, end)| *end == Some(AttemptOutcome::Delivered)));
}
