//! What a source of another namespace grants is asked for each event when it is sent, whatever a subscription was compiled to.

use super::receiver::{Answer, Receiver};
use super::world::{GRANTED, SEC, World, grant, snapshot};
use crate::domain::change::Snapshot;
use crate::domain::compiled::Consumer;
use crate::domain::event_type::EventType;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::grant::{Grant, HostPattern};
use crate::domain::municipality::Municipality;
use crate::domain::pairwise::RecordId;
use crate::domain::resource::{ProtectedPersons, Sector};
use crate::store::{ConsumerId, SubscriptionId};

const TYPE: EventType = EventType::AddressChanged;

/// A consumer of a source that grants its namespace everything, and one citizen.
struct Scene {
    world: World,
    receiver: Receiver,
    consumer: ConsumerId,
    subscription: SubscriptionId,
    person: RecordId,
}

impl Scene {
    async fn new(tweak: impl FnOnce(&mut Consumer)) -> Self {
        let (mut world, receiver) = (World::new().await, Receiver::start().await);
        world.hear_of_another(&[grant()]).await;
        let at_home = |form: &mut Consumer| {
            form.delivery.url.set_host(Some("localhost")).unwrap();
            tweak(form);
        };
        let (consumer, subscription) = world.consumer("acadre", &receiver, at_home).await;
        let person = world.person(1, &[consumer]).await;
        Self { world, receiver, consumer, subscription, person }
    }

    async fn happen(&self, type_: EventType, at: Snapshot) -> i64 {
        self.world.happen_as(self.person, type_, &[(self.consumer, &[self.subscription])], at).await
    }

    async fn classes(&self) -> Vec<String> {
        let withdrawn = self.world.audited("event.withdrawn").await;
        withdrawn.iter().map(|entry| entry["class"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn what_is_granted_is_delivered_and_no_more_than_the_grant_says() {
    let mut scene = Scene::new(|form| form.protected_persons = ProtectedPersons::Allow).await;
    scene.happen(TYPE, snapshot(TYPE)).await;
    scene.world.deliver().await;
    let whole = scene.receiver.events()[0].json.clone();
    assert_eq!(whole["source"], "/owner/datafordeler");
    assert!(whole["data"]["fields"]["Address"].is_object() && whole["data"]["fields"]["Name"].is_object());

    let fields = GRANTED.minus(GroupSet::of(&[FieldGroup::Address]));
    scene.world.hear_of_another(&[Grant { fields, ..grant() }]).await;
    scene.happen(EventType::NameChanged, snapshot(EventType::NameChanged)).await;
    scene.world.deliver().await;
    let cut = scene.receiver.events()[1].json["data"]["fields"].clone();
    assert!(cut["Name"].is_object() && cut.get("Address").is_none(), "{cut}");

    scene.world.protect(scene.person, true).await;
    scene.happen(EventType::NameChanged, snapshot(EventType::NameChanged)).await;
    scene.world.deliver().await;
    let masked = scene.receiver.events()[2].json["data"].clone();
    assert_eq!(masked["withheld"], serde_json::json!(["Name"]), "the grant masks what the consumer would be allowed");
    assert_eq!(scene.classes().await, Vec::<String>::new());
}

#[tokio::test]
async fn each_narrowed_grant_withdraws_what_waits_and_says_why() {
    let other = HostPattern::parse("*.example.org").unwrap();
    let nothing: Vec<Grant> = Vec::new();
    for (grants, class) in [
        (nothing, "NotGranted"),
        (vec![Grant { namespace: "aalborg2".into(), ..grant() }], "NotGranted"),
        (vec![Grant { hosts: vec![other], ..grant() }], "HostNotGranted"),
        (vec![Grant { sector: Sector::Private, ..grant() }], "SectorNotGranted"),
        (
            vec![Grant { municipalities: [Municipality::from_code(101).unwrap()].into(), ..grant() }],
            "MunicipalityNotGranted",
        ),
        (vec![Grant { municipalities: [].into(), ..grant() }], "MunicipalityNotGranted"),
        (vec![Grant { fields: GroupSet::of(&[FieldGroup::Name]), ..grant() }], "NotGranted"),
    ] {
        let mut scene = Scene::new(|_| {}).await;
        scene.receiver.answer(|_| Answer::Status(503));
        scene.happen(TYPE, snapshot(TYPE)).await;
        let last = scene.happen(TYPE, snapshot(TYPE)).await;
        scene.world.deliver().await;
        assert_eq!(scene.receiver.events().len(), 1, "one waits for another attempt, one behind it");
        scene.receiver.forget();
        scene.world.hear_of_another(&grants).await;
        scene.world.after(60 * SEC).await;
        assert!(scene.receiver.events().is_empty(), "{class}");
        assert_eq!(scene.classes().await, [class, class]);
        assert_eq!(scene.world.watermarks(scene.consumer).await.0, last);
        assert!(scene.world.parked(scene.consumer).await.is_empty());
    }
}

#[tokio::test]
async fn a_source_that_is_deleted_grants_nothing() {
    let mut scene = Scene::new(|_| {}).await;
    scene.happen(TYPE, snapshot(TYPE)).await;
    scene.world.end_source().await;
    scene.world.deliver().await;
    assert!(scene.receiver.all().is_empty());
    assert_eq!(scene.classes().await, ["NotGranted"]);
}

#[tokio::test]
async fn an_address_that_was_changed_to_a_host_not_granted_gets_nothing_even_when_it_has_proved_itself() {
    let mut scene = Scene::new(|_| {}).await;
    scene.receiver.answer(|_| Answer::Status(204));
    scene.happen(TYPE, snapshot(TYPE)).await;
    scene.world.change_consumer(scene.consumer, |form| form.delivery.url.set_host(Some("127.0.0.1")).unwrap()).await;
    scene.world.deliver().await;
    assert!(scene.receiver.events().is_empty());
    assert_eq!(scene.receiver.all().len(), 1, "the challenge, which tells nothing");
    assert_eq!(scene.classes().await, ["HostNotGranted"]);
    scene.world.change_consumer(scene.consumer, |form| form.delivery.url.set_host(Some("localhost")).unwrap()).await;
    let next = scene.happen(TYPE, snapshot(TYPE)).await;
    scene.world.deliver().await;
    assert_eq!(scene.receiver.sequences(), [next]);
}

#[tokio::test]
async fn who_moved_within_reach_of_the_grant_is_told_and_who_is_beyond_is_only_told_to_have_left() {
    let mut scene = Scene::new(|_| {}).await;
    let elsewhere = Municipality::from_code(101).unwrap();
    let moved = EventType::MovedOut;
    let mut departure = snapshot(moved);
    departure.places.push(elsewhere);
    scene.happen(moved, departure).await;
    let mut beyond = snapshot(EventType::NameChanged);
    beyond.places = vec![elsewhere];
    scene.happen(EventType::NameChanged, beyond.clone()).await;
    scene.happen(EventType::ScopeLeft, Snapshot { change: snapshot(EventType::ScopeLeft).change, ..beyond }).await;
    scene.world.deliver().await;
    let got = scene.receiver.events();
    assert_eq!(got.len(), 2);
    assert!(got[0].json["data"]["fields"]["Address"].is_object());
    assert_eq!(got[1].json["type"], "dev.cpr-operator.scope.left");
    assert!(got[1].json["data"].get("fields").is_none() && got[1].json["data"].get("changed").is_none());
    assert_eq!(scene.classes().await, ["MunicipalityNotGranted"]);
}

#[tokio::test]
async fn the_end_of_a_subscription_is_not_told_where_nothing_may_go() {
    let mut scene = Scene::new(|_| {}).await;
    scene.world.end_subscription(scene.subscription).await;
    scene.world.tell_end(scene.consumer, scene.subscription).await;
    scene.world.hear_of_another(&[]).await;
    scene.world.deliver().await;
    assert!(scene.receiver.all().is_empty());
    assert_eq!(scene.classes().await, ["NotGranted"]);
}

#[tokio::test]
async fn a_subscription_made_anew_for_its_own_source_does_not_carry_what_was_routed_from_another() {
    let mut scene = Scene::new(|_| {}).await;
    scene.happen(TYPE, snapshot(TYPE)).await;
    let (theirs, own) = (scene.world.source, 1);
    assert_ne!(theirs, own);
    scene.world.source = own;
    scene.world.change_subscription(scene.subscription, |_| {}).await;
    scene.world.deliver().await;
    assert!(scene.receiver.all().is_empty());
    assert_eq!(scene.classes().await, ["SubscriptionEnded"]);
}
