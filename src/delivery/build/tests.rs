//! Bodies of deliveries under test.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::date;
use serde_json::{Value, json};

use super::*;
use crate::delivery::book::Authority;
use crate::delivery::queue::testing::route;
use crate::delivery::queue::{Key, Turn};
use crate::delivery::tests::SCHEMAS;
use crate::delivery::tests::world::{GRANTED, citizen, consumer, snapshot, subscription};
use crate::domain::change::ScopeReason;
use crate::domain::compiled::{Consumer, PayloadLevel, Subscription};
use crate::domain::date::RegisterDate;
use crate::domain::event_type::{Class, EventType};
use crate::domain::field_group::FieldGroup;
use crate::domain::person::{Parent, ParentRole, Related, Row};
use crate::domain::resource::{ProtectedPersons, ResourceKey, Sector};
use crate::domain::subject::{Subject, Subjects};
use crate::domain::testing::complete;
use crate::store::subscription::{EndReason, SubscriptionRow};

/// What an event is built from; each test changes what it is about.
struct Case {
    consumer: Consumer,
    consumer_ended: bool,
    subscriptions: Vec<Subscription>,
    ended: Vec<bool>,
    snapshot: Option<Snapshot>,
    protected: bool,
    claimed: HashSet<RecordId>,
    subjects: Subjects,
    gap: bool,
    type_: EventType,
}

fn case(type_: EventType) -> Case {
    let consumer = consumer("acadre", "https://receiver.example.org/cpr".parse().unwrap());
    let clients = subscription("acadre-clients", &consumer);
    Case {
        consumer,
        consumer_ended: false,
        subscriptions: vec![clients],
        ended: vec![false],
        snapshot: Some(snapshot(type_)),
        protected: false,
        claimed: HashSet::new(),
        subjects: Subjects::default(),
        gap: false,
        type_,
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

impl Case {
    fn built(&self) -> Built {
        let mut route = route(42_117, 0x33);
        route.type_ = self.type_;
        route.event_at = "2026-11-22T03:11:08.123Z".parse().unwrap();
        route.subscriptions = (1..=self.subscriptions.len() as i64).collect();
        let turn = Turn { key: Key::of(&route), route: Arc::new(route), gap: self.gap, wait: None };
        self.build_turn(turn, None)
    }

    fn build_turn(&self, turn: Turn, ceiling: Option<&Ceiling>) -> Built {
        let row = ConsumerRow {
            id: 1,
            key: self.consumer.key.clone(),
            uid: "uid".into(),
            generation: 1,
            compiled: Some(self.consumer.clone()),
            ended_at: self.consumer_ended.then(now),
            verified: None,
            verified_at: None,
        };
        let rows = self.subscriptions.iter().zip(&self.ended).zip(1..).map(|((form, ended), id)| {
            let row = SubscriptionRow {
                id,
                key: form.key.clone(),
                uid: "uid".into(),
                generation: 1,
                source: 1,
                consumer: 1,
                compiled: Some(form.clone()),
                began_at: now(),
                ended_at: ended.then(now),
                end_reason: ended.then_some(EndReason::Deleted),
                deleted_at: None,
            };
            (id, Arc::new(row))
        });
        let book = Book {
            version: 1,
            consumers: HashMap::new(),
            subscriptions: rows.collect(),
            sources: HashMap::from([(
                1,
                Authority { key: ResourceKey::new("aalborg", "datafordeler"), grants: Some(Vec::new()) },
            )]),
        };
        build(
            turn,
            &Facts {
                consumer: &row,
                book: &book,
                key: &key(),
                snapshot: self.snapshot.as_ref(),
                protected: self.protected,
                subjects: &self.subjects,
                claimed: &self.claimed,
                ceiling,
                now: now(),
            },
        )
    }

    fn delivery(&self) -> Delivery {
        match self.built() {
            Built::Delivery(delivery) => *delivery,
            other => panic!("{:?}: {other:?}", self.type_),
        }
    }

    fn json(&self) -> Value {
        let event = serde_json::from_slice(&self.delivery().body).unwrap();
        SCHEMAS.check(&event);
        event
    }

    fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    fn withdrawn(&self) -> Option<&'static str> {
        match self.built() {
            Built::Withdrawn(withdrawal) => Some(withdrawal.class),
            _ => None,
        }
    }
}

fn key() -> ConsumerKey {
    ConsumerKey::new(&[5; 32])
}

#[test]
fn a_whole_event_reads_as_the_contract_shows_it() {
    let mut case = case(EventType::AddressChanged);
    let snapshot = case.snapshot.as_mut().unwrap();
    snapshot.change.effective_from = Some(RegisterDate::certain(date(2026, 11, 15)));
    snapshot.change.registered_at = Some("2026-11-21T22:04:00Z".parse().unwrap());
    let delivery = case.delivery();
    let reference = key().reference(RecordId([0x33; 16]));
    let expected = format!(
        concat!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/aalborg/datafordeler","#,
            r#""type":"dev.cpr-operator.address.changed","subject":"{who}","time":"2026-11-22T03:11:08.123Z","#,
            r#""datacontenttype":"application/json","#,
            r#""dataschema":"https://cpr-operator.dev/schemas/v1/address.changed.json","partitionkey":"{who}","#,
            r#""sequence":"00000000000000042117","data":{{"#,
            r#""grounds":[{{"subscription":"acadre-clients","purpose":"case-work","groups":["Address","Name"]}}],"#,
            r#""effectiveFrom":{{"date":"2026-11-15","uncertain":false}},"registeredAt":"2026-11-21T22:04:00Z","#,
            r#""correction":false,"derivedFrom":"Comparison","changed":["Address"],"#,
            r#""protection":{{"nameAndAddress":false}},"withheld":[],"fields":{{"#
        ),
        id = delivery.id,
        who = reference
    );
    let text = String::from_utf8(delivery.body.to_vec()).unwrap();
    assert!(text.starts_with(&expected), "{text}\n{expected}");
    assert_eq!(case.data()["fields"]["Address"]["roadName"], "Prøvevej");
    assert_eq!(delivery.disclosure.purposes, ["case-work"]);
    assert_eq!(delivery.disclosure.groups, GroupSet::of(&[FieldGroup::Address, FieldGroup::Name]));
}

fn about_a_person() -> impl Iterator<Item = EventType> {
    let others = [EventType::SubscriptionEnded, EventType::EndpointVerify];
    EventType::ALL.iter().copied().filter(move |type_| !others.contains(type_))
}

#[test]
fn all_that_can_be_said_of_a_person_is_as_published_in_every_type() {
    for (type_, protected) in about_a_person().flat_map(|type_| [(type_, false), (type_, true)]) {
        let mut case = case(type_);
        case.consumer.fields = FieldGroup::ALL.into_iter().collect();
        case.subscriptions[0].granted = case.consumer.fields;
        case.subscriptions[0].fields = case.consumer.fields;
        case.protected = protected;
        let snapshot = case.snapshot.as_mut().unwrap();
        snapshot.after = complete();
        (snapshot.before, snapshot.before_on) = (Some(complete()), Some(snapshot.on));
        snapshot.change.registered_at = Some(now());
        snapshot.change.register_code = Some("A01".into());
        snapshot.change.effective_from = Some(RegisterDate::certain(snapshot.on));
        snapshot.change.effective_until = snapshot.change.effective_from;
        snapshot.change.changed = case.consumer.fields;
        let fields = case.json()["data"]["fields"].as_object().unwrap().len();
        let governed = case.consumer.fields.governed().iter().count();
        assert_eq!(fields, FieldGroup::ALL.len() - if protected { governed } else { 0 }, "{type_} {protected}");
    }
}

#[test]
fn every_type_about_a_person_is_built_with_its_name() {
    for type_ in about_a_person() {
        let mut case = case(type_);
        case.consumer.fields = FieldGroup::ALL.into_iter().collect();
        case.subscriptions[0].granted = case.consumer.fields;
        let json = case.json();
        assert_eq!(json["type"], format!("dev.cpr-operator.{}", type_.name()));
        assert_eq!(json["dataschema"], format!("https://cpr-operator.dev/schemas/v1/{}.json", type_.name()));
        assert!(json["data"]["fields"].is_object(), "{type_}");
    }
}

#[test]
fn a_type_whose_group_is_not_granted_any_more_is_withdrawn() {
    for type_ in EventType::ALL.iter().copied().filter(|t| !matches!(t, EventType::SubscriptionEnded)) {
        let mut case = case(type_);
        case.subscriptions[0].granted = GroupSet::EMPTY;
        let expected = (type_.class() != Class::Always).then_some("NotGranted");
        assert_eq!(case.withdrawn(), expected, "{type_}");
    }
}

#[test]
fn what_a_protected_person_yields_depends_on_sector_and_mode() {
    use ProtectedPersons::{Allow, Deny, Mask};
    for (sector, mode, sent, content) in [
        (Sector::Public, Allow, true, true),
        (Sector::Public, Mask, true, false),
        (Sector::Public, Deny, false, false),
        (Sector::Private, Mask, false, false),
        (Sector::Private, Deny, false, false),
    ] {
        let mut case = case(EventType::AddressChanged);
        (case.protected, case.consumer.sector, case.consumer.protected_persons) = (true, sector, mode);
        if !sent {
            assert_eq!(case.withdrawn(), Some("Protected"), "{sector:?} {mode:?}");
            case.type_ = EventType::ProtectionStarted;
        }
        let data = case.data();
        assert_eq!(data["protection"]["nameAndAddress"], true, "{sector:?} {mode:?}");
        assert_eq!(data["fields"].get("Address").is_some(), content, "{sector:?} {mode:?}");
        let withheld = if content { json!([]) } else { json!(["Address", "Name"]) };
        assert_eq!(data["withheld"], withheld, "{sector:?} {mode:?}");
        assert_eq!(data.get("changed").is_some(), sent, "{sector:?} {mode:?}");
        assert_eq!(String::from_utf8_lossy(&case.delivery().body).contains("Prøvevej"), content);
    }
}

#[test]
fn a_private_consumer_is_told_the_essentials_of_who_is_protected_on_its_list_now() {
    let mut case = case(EventType::Died);
    (case.protected, case.consumer.sector) = (true, Sector::Private);
    case.subscriptions[0].selector.listed = true;
    assert_eq!(case.withdrawn(), Some("Protected"), "not on the list, or not any more");
    case.subjects.set(1, Subject { listed: true, moved_at: None });
    let data = case.data();
    assert!(data.get("changed").is_none() && data["fields"].get("Address").is_none(), "{data}");
    case.type_ = EventType::AddressChanged;
    assert_eq!(case.withdrawn(), Some("Protected"));
    case.subscriptions[0].selector.listed = false;
    case.type_ = EventType::Died;
    assert_eq!(case.withdrawn(), Some("Protected"), "the subscription has no list any more");
}

#[test]
fn levels_say_that_it_happened_and_what_changed_and_what_it_is_now() {
    let mut case = case(EventType::AddressChanged);
    case.subscriptions[0].level = PayloadLevel::Reference;
    let data = case.data();
    for absent in ["changed", "fields", "withheld", "protection", "previous"] {
        assert!(data.get(absent).is_none(), "{absent}");
    }
    assert_eq!(data["grounds"], json!([{ "subscription": "acadre-clients", "purpose": "case-work" }]));
    assert!(case.delivery().disclosure.groups.is_empty());
    case.subscriptions[0].level = PayloadLevel::ChangedGroups;
    assert_eq!(case.data()["changed"], json!(["Address"]), "granted groups alone");
    assert!(case.data().get("fields").is_none());
}

#[test]
fn several_subscriptions_are_one_event_with_the_grounds_of_each() {
    let mut case = case(EventType::AddressChanged);
    let mut second = case.subscriptions[0].clone();
    second.key.name = "acadre-tax".into();
    second.purpose = "tax".into();
    second.legal_bases = vec!["GDPR-6-1-c".into()];
    second.fields = GroupSet::of(&[FieldGroup::Number]);
    case.subscriptions.push(second);
    case.ended.push(false);
    let data = case.data();
    assert_eq!(data["grounds"][0]["groups"], json!(["Address", "Name"]));
    assert_eq!(data["grounds"][1], json!({ "subscription": "acadre-tax", "purpose": "tax", "groups": ["Number"] }));
    assert_eq!(data["fields"].as_object().unwrap().len(), 3);
    assert_eq!(case.delivery().disclosure.bases, ["GDPR-6-1-c", "GDPR-6-1-e"]);
    case.ended[0] = true;
    assert_eq!(case.data()["fields"].as_object().unwrap().len(), 1, "the ended one's groups go with it");
    case.subscriptions[1].suspended = true;
    assert!(matches!(case.built(), Built::Held));
    case.ended[1] = true;
    assert_eq!(case.withdrawn(), Some("SubscriptionEnded"));
}

#[test]
fn a_subscription_past_its_end_has_ended() {
    let mut case = case(EventType::AddressChanged);
    case.subscriptions[0].ends_at = Some(now());
    assert_eq!(case.withdrawn(), Some("SubscriptionEnded"));
    case.consumer_ended = true;
    assert_eq!(case.withdrawn(), Some("ConsumerEnded"));
}

#[test]
fn a_move_says_where_from_and_a_new_number_says_the_old_one() {
    let mut moved = case(EventType::MovedIn);
    let mut before = citizen(7);
    before.addresses[0].value.road_name = Some("Gammelvej".into());
    moved.snapshot.as_mut().unwrap().before = Some(before);
    assert_eq!(moved.data()["previous"]["Address"]["roadName"], "Gammelvej");
    assert!(moved.data()["previous"].get("Number").is_none());
    moved.protected = true;
    assert!(moved.data().get("previous").is_none());
    for type_ in [EventType::NumberChanged, EventType::PersonMerged] {
        let mut number = case(type_);
        number.snapshot.as_mut().unwrap().before = Some(citizen(7));
        let data = number.data();
        assert_eq!(data["previous"]["Number"]["current"], "6101800007");
        assert_eq!(data["fields"]["Number"]["current"], "6101800000");
        number.subscriptions[0].granted = GRANTED.minus(GroupSet::of(&[FieldGroup::Number]));
        assert!(number.data().get("previous").is_none() && number.data()["fields"].get("Number").is_none());
    }
    let mut plain = case(EventType::AddressChanged);
    plain.snapshot.as_mut().unwrap().before = Some(citizen(7));
    assert!(plain.data().get("previous").is_none());
}

#[test]
fn a_merge_names_the_other_reference_only_to_who_knows_both_and_never_later_than_first() {
    let other = RecordId([0x55; 16]);
    let mut case = case(EventType::PersonMerged);
    case.subscriptions[0].level = PayloadLevel::Reference;
    case.snapshot.as_mut().unwrap().change.joined = Some(other);
    assert!(case.data().get("previous").is_none());
    let unknown = case.delivery();
    case.claimed.insert(other);
    assert_eq!(case.data()["previous"], json!({ "reference": key().reference(other) }));
    let known = case.delivery();
    let again = |case: &Case, before: &Delivery| match case.build_turn(before.turn.clone(), Some(&before.ceiling)) {
        Built::Delivery(delivery) => delivery.body,
        other => panic!("{other:?}"),
    };
    assert_eq!(again(&case, &known), known.body);
    assert_eq!(again(&case, &unknown), unknown.body);
}

#[test]
fn a_snapshot_holds_all_that_is_granted() {
    let fields = case(EventType::Snapshot).data()["fields"].clone();
    assert_eq!(fields.as_object().unwrap().len(), GRANTED.iter().count());
}

#[test]
fn what_was_not_asked_of_the_register_is_absent() {
    let mut case = case(EventType::AddressChanged);
    let held = &mut case.snapshot.as_mut().unwrap().after.held;
    *held = held.minus(GroupSet::of(&[FieldGroup::Name]));
    assert!(case.data()["fields"].get("Name").is_none());
    assert_eq!(case.data()["grounds"][0]["groups"], json!(["Address"]));
}

#[test]
fn scopes_say_why_and_protections_how_long() {
    let mut left = case(EventType::ScopeLeft);
    left.snapshot.as_mut().unwrap().change.scope = Some(ScopeReason::Moved);
    assert_eq!(left.data()["reason"], "Moved");
    let mut started = case(EventType::ProtectionStarted);
    let change = &mut started.snapshot.as_mut().unwrap().change;
    change.effective_from = Some(RegisterDate::certain(date(2026, 11, 1)));
    change.effective_until = Some(RegisterDate::certain(date(2027, 11, 1)));
    assert_eq!(started.data()["from"]["date"], "2026-11-01");
    assert_eq!(started.data()["until"]["date"], "2027-11-01");
}

#[test]
fn a_gap_before_is_said() {
    let mut case = case(EventType::AddressChanged);
    assert!(case.json().get("gapbefore").is_none());
    case.gap = true;
    assert_eq!(case.json()["gapbefore"], true);
}

#[test]
fn a_related_person_is_a_reference_a_name_or_withheld() {
    let record = RecordId([0x44; 16]);
    let mut case = case(EventType::AddressChanged);
    case.subscriptions[0].fields = GroupSet::of(&[FieldGroup::Parents]);
    let person = Related { name: Some("Mor Prøve".into()), record: Some(record), ..Related::default() };
    let mother = Parent { role: ParentRole::Mother, person };
    case.snapshot.as_mut().unwrap().after.parents = vec![Row::current(mother)];
    assert_eq!(
        case.data()["fields"]["Parents"][0]["person"],
        json!({ "withheld": true }),
        "no flag counts as protected"
    );
    case.snapshot.as_mut().unwrap().after.parents[0].value.person.protected = Some(false);
    assert_eq!(case.data()["fields"]["Parents"][0]["person"], json!({ "name": "Mor Prøve" }));
    case.claimed.insert(record);
    let reference = key().reference(record);
    assert_eq!(case.data()["fields"]["Parents"][0]["person"], json!({ "reference": reference }));
    assert_eq!(related_records(&case.snapshot.unwrap().after), [record]);
}

#[test]
fn the_end_of_a_subscription_names_its_ground_and_no_person() {
    let mut ended = route(9, 0);
    ended.type_ = EventType::SubscriptionEnded;
    ended.record = None;
    ended.detail = Some(Detail::SubscriptionEnded {
        subscription: "acadre-clients".into(),
        purpose: "case-work".into(),
        reason: EndReason::Expired,
    });
    let turn = Turn { key: Key::Loose(9), route: Arc::new(ended), gap: false, wait: None };
    let mut case = case(EventType::SubscriptionEnded);
    case.ended[0] = true;
    let Built::Delivery(delivery) = case.build_turn(turn.clone(), None) else { panic!("it is sent") };
    let json: Value = serde_json::from_slice(&delivery.body).unwrap();
    let ground = json!({ "subscription": "acadre-clients", "purpose": "case-work" });
    assert_eq!(json["data"], json!({ "grounds": [ground], "reason": "Expired" }));
    for absent in ["subject", "partitionkey", "sequence"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
    assert_eq!(delivery.disclosure.bases, ["GDPR-6-1-e"]);
    case.consumer_ended = true;
    assert!(matches!(case.build_turn(turn, None), Built::Withdrawn(Withdrawal { class: "ConsumerEnded", .. })));
}

#[test]
fn a_later_attempt_gives_no_more_than_an_earlier_one() {
    let mut case = case(EventType::AddressChanged);
    let first = case.delivery();
    case.subscriptions[0].fields = GRANTED;
    let mut other = case.subscriptions[0].clone();
    other.key.name = "new".into();
    case.subscriptions.push(other);
    case.ended.push(false);
    let mut route = (*first.turn.route).clone();
    route.subscriptions = vec![1, 2];
    let turn = Turn { route: Arc::new(route), ..first.turn.clone() };
    let Built::Delivery(second) = case.build_turn(turn, Some(&first.ceiling)) else { panic!("it is sent") };
    assert_eq!(first.body, second.body);
}

#[test]
fn a_claim_on_a_related_person_that_comes_or_goes_between_attempts_gives_no_more() {
    let record = RecordId([0x44; 16]);
    let mut case = case(EventType::AddressChanged);
    case.subscriptions[0].fields = GroupSet::of(&[FieldGroup::Parents]);
    let person =
        Related { name: Some("Mor Prøve".into()), protected: Some(false), record: Some(record), ..Related::default() };
    case.snapshot.as_mut().unwrap().after.parents = vec![Row::current(Parent { role: ParentRole::Mother, person })];
    let again = |case: &Case, before: &Delivery| match case.build_turn(before.turn.clone(), Some(&before.ceiling)) {
        Built::Delivery(delivery) => *delivery,
        other => panic!("{other:?}"),
    };
    let named = case.delivery();
    case.claimed.insert(record);
    assert_eq!(again(&case, &named).body, named.body);
    let referred = case.delivery();
    assert_eq!(again(&case, &referred).body, referred.body);
    case.claimed.clear();
    let less = again(&case, &referred);
    let data: Value = serde_json::from_slice(&less.body).unwrap();
    assert_eq!(data["data"]["fields"]["Parents"][0]["person"], json!({ "withheld": true }));
    case.claimed.insert(record);
    assert_eq!(again(&case, &less).ceiling.referred, HashSet::new(), "what was lost once stays lost");
}

#[test]
fn a_delivery_shows_nothing_of_its_content() {
    let shown = format!("{:?}", case(EventType::AddressChanged).built());
    assert!(!shown.contains("Prøve") && !shown.contains("610180") && shown.contains("ev_"), "{shown}");
}
