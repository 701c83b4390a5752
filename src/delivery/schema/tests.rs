//! The schemas are schemas, say what payloads say, and refuse what is broken.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::date;

use super::*;
use crate::delivery::payload::{CloudEvent, Data, DeliveryId, GroundSaid, ProtectionSaid, Subject};
use crate::delivery::tests::SCHEMAS as CHECK;
use crate::domain::date::RegisterDate;
use crate::domain::testing::resident;

const REFERENCE: &str = "p_00000000000000000000000000";
const ID: &str = "ev_00000000000000000000000000";

fn names(of: &Value) -> BTreeSet<&str> {
    of.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_document_is_a_schema_under_the_address_that_events_name() {
    for (file, document) in documents() {
        jsonschema::meta::validate(&document).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(document["$id"], format!("{SCHEMAS}{file}"));
    }
    jsonschema::meta::validate(&bundle()).unwrap();
    assert_eq!(documents().len(), EventType::ALL.len() + 3);
}

/// Every member is given, so that a new one does not compile until it stands here.
fn full() -> Data {
    let some = || Some(RegisterDate::certain(date(2026, 11, 22)).into());
    Data {
        grounds: vec![GroundSaid { subscription: "s".into(), purpose: "p".into(), groups: Some(vec!["Name".into()]) }],
        effective_from: some(),
        registered_at: Some("2026-11-22T03:11:08Z".into()),
        correction: Some(false),
        derived_from: Some("Comparison".into()),
        reason: Some("Moved".into()),
        register_code: Some("A01".into()),
        from: some(),
        until: some(),
        changed: Some(vec!["Name".into()]),
        protection: Some(ProtectionSaid { name_and_address: false }),
        withheld: Some(Vec::new()),
        fields: Some(Map::new()),
        previous: Some(Map::new()),
        challenge: Some("0123456789abcdef".into()),
    }
}

fn event(type_: EventType, data: Data) -> Value {
    let id = DeliveryId { id: ID.to_owned(), is_replay: false, first: None };
    let subject = Subject { reference: REFERENCE, sequence: 7, gap_before: true };
    let event = CloudEvent::new(&id, "/aalborg/register", type_, Some(subject), Timestamp::UNIX_EPOCH, data);
    serde_json::from_slice(&event.into_bytes()).unwrap()
}

#[test]
fn the_schemas_name_every_member_of_a_payload() {
    let whole = event(EventType::ScopeLeft, full());
    let documents = documents();
    let mut of_data = BTreeSet::new();
    for (_, document) in &documents {
        let properties = &document["properties"];
        if document["$id"] == format!("{SCHEMAS}envelope.json") {
            assert!(names(&whole).is_subset(&names(properties)));
        } else if properties.is_object() {
            of_data.extend(names(properties));
        }
    }
    assert_eq!(names(&whole["data"]), of_data);
}

#[test]
fn a_reason_of_the_code_is_a_reason_of_the_schemas() {
    use crate::domain::change::{DerivedFrom, ScopeReason};
    use crate::store::subscription::EndReason;
    use DerivedFrom::*;
    use ScopeReason::*;
    let scope =
        [Moved, Listed, Unlisted, FollowEnded, FirstSeen, Unprotected, Protected, SubscriptionChanged, Inactive];
    let scope = scope.map(|word| format!("{word:?}"));
    let end = [EndReason::Deleted, EndReason::Expired, EndReason::ReviewOverdue].map(|word| format!("{word:?}"));
    let derived = [Comparison, History, Notice, Clock].map(|word| format!("{word:?}"));
    let all = bundle().to_string();
    for word in [&scope[..], &end, &derived].concat() {
        assert!(all.contains(&format!("\"{word}\"")), "{word}");
    }
}

fn good() -> Value {
    let name = crate::domain::render::group(
        &resident(),
        crate::domain::field_group::FieldGroup::Name,
        date(2026, 11, 22),
        &mut |_| Value::Null,
    );
    let data = Data {
        fields: Some(Map::from_iter([("Name".to_owned(), name), ("Address".to_owned(), Value::Null)])),
        reason: None,
        from: None,
        until: None,
        previous: None,
        challenge: None,
        ..full()
    };
    event(EventType::NameChanged, data)
}

#[test]
fn a_broken_event_is_refused_with_its_type_and_place_and_without_its_content() {
    CHECK.check(&good());
    for (place, value) in [
        ("/data/fields/Name/first", json!(7)),
        ("/data/fields/Name/nick", json!("hemmelig")),
        ("/data/fields/Nickname", json!({ "first": "hemmelig" })),
        ("/data/fields/Address", json!({})),
        ("/data/withheld", json!(["Shoes"])),
        ("/data/reason", json!("Moved")),
        ("/data/challenge", json!("0123456789abcdef")),
        ("/data/grounds", json!([])),
        ("/data/effectiveFrom/date", json!("2026-02-30")),
        ("/data/derivedFrom", json!("Guess")),
        ("/data/hemmelig", json!(1)),
        ("/subject", json!("6101800001")),
        ("/sequence", json!("7")),
        ("/gapbefore", json!(false)),
        ("/replayof", json!(ID)),
        ("/time", json!("2026-11-22 03:11")),
        ("/dataschema", json!(format!("{SCHEMAS}snapshot.json"))),
        ("/traceparent", json!("00")),
    ] {
        let mut broken = good();
        let (parent, name) = place.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[name] = value;
        let faults = CHECK.faults(&broken).join("\n");
        assert!(faults.starts_with("name.changed at "), "{place}: {faults}");
        assert!(!faults.contains("hemmelig") && !faults.contains("610180"), "{place}: {faults}");
    }
    for place in ["/data/correction", "/data/withheld", "/subject", "/sequence", "/id"] {
        let mut broken = good();
        let (parent, name) = place.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        assert!(!CHECK.faults(&broken).is_empty(), "{place}");
    }
    assert!(!CHECK.faults(&json!({ "type": "dev.cpr-operator.nothing" })).is_empty());
}

#[test]
fn a_merge_names_the_other_reference_at_every_level() {
    let none = || None::<RegisterDate>.map(Into::into);
    let merged = |previous: Value| {
        let data =
            Data { from: none(), until: none(), challenge: None, reason: None, fields: None, withheld: None, ..full() };
        let mut event = event(EventType::PersonMerged, data);
        event["data"]["previous"] = previous;
        CHECK.faults(&event)
    };
    assert_eq!(merged(json!({ "reference": REFERENCE })), Vec::<String>::new());
    assert!(!merged(json!({ "reference": "6101800001" })).is_empty());
    assert!(!merged(json!({})).is_empty());
}

#[test]
fn what_is_asked_for_again_says_so() {
    let mut again = good();
    again["replayed"] = json!(true);
    CHECK.check(&again);
    again["replayof"] = json!(ID);
    CHECK.check(&again);
}

#[test]
fn any_event_is_of_exactly_one_type() {
    let any = CHECK.at("event.json");
    assert!(any.is_valid(&good()));
    let mut odd = good();
    odd["type"] = json!("dev.cpr-operator.snapshot");
    assert!(!any.is_valid(&odd), "its dataschema is another type's");
}
