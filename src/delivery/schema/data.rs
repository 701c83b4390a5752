//! The schema of `data` for each event type: which members there may be, and which there have to be.

use serde_json::{Map, Value, json};

use crate::domain::event_type::EventType;
use crate::domain::field_group::FieldGroup;
use crate::domain::render::shape::REFERENCE;

const DERIVED_FROM: [&str; 4] = ["Comparison", "History", "Notice", "Clock"];
const ENTERED: [&str; 5] = ["Moved", "Listed", "FirstSeen", "Unprotected", "SubscriptionChanged"];
const LEFT: [&str; 6] = ["Moved", "Unlisted", "Protected", "Inactive", "FollowEnded", "SubscriptionChanged"];
const ENDED: [&str; 3] = ["Deleted", "Expired", "ReviewOverdue"];

/// What `data` of this type may hold.
pub(super) fn schema(type_: EventType) -> Value {
    match type_ {
        EventType::EndpointVerify => object(&["challenge"], vec![challenge()]),
        EventType::SubscriptionEnded => object(&["grounds", "reason"], vec![ended_ground(), reason(&ENDED)]),
        EventType::ScopeEntered => of_person(&["reason"], vec![reason(&ENTERED)]),
        EventType::ScopeLeft => of_person(&["reason"], vec![reason(&LEFT)]),
        EventType::ProtectionStarted | EventType::ProtectionEnded => of_person(
            &[],
            vec![
                said("from", "From when the protection is in force.", to("date")),
                said("until", "Until when, where it has an end.", to("date")),
            ],
        ),
        EventType::MovedIn | EventType::MovedOut | EventType::MovedWithin => {
            of_person(&[], vec![previous(&[FieldGroup::Address, FieldGroup::Municipality], false)])
        }
        EventType::NumberChanged => of_person(&[], vec![previous(&[FieldGroup::Number], false)]),
        EventType::PersonMerged => merged(),
        _ => of_person(&[], Vec::new()),
    }
}

/// The other reference is said at every level, the numbers only with `fields`.
fn merged() -> Value {
    let mut schema = of_person(&[], vec![previous(&[FieldGroup::Number], true)]);
    schema["dependentRequired"] = json!({ "fields": ["withheld"], "withheld": ["fields"] });
    schema
}

type Member = (&'static str, Value);

fn object(required: &[&str], members: Vec<Member>) -> Value {
    let properties: Map<String, Value> = members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

/// What every event about a person says, and more.
fn of_person(required: &[&str], more: Vec<Member>) -> Value {
    let mut members = common();
    members.extend(more);
    let mut schema = object(&[&["grounds", "correction", "derivedFrom"], required].concat(), members);
    schema["dependentRequired"] = json!({ "fields": ["withheld"], "withheld": ["fields"], "previous": ["fields"] });
    schema
}

fn common() -> Vec<Member> {
    let instant = json!({ "type": "string", "format": "date-time" });
    let content = FieldGroup::ALL.into_iter().map(content).collect();
    vec![
        said("grounds", "The subscriptions and purposes that this was told for.", grounds()),
        said("effectiveFrom", "From when it holds in the register.", to("date")),
        said("registeredAt", "When the register learnt it.", instant),
        said("correction", "Whether an earlier statement was wrong.", json!({ "type": "boolean" })),
        said("derivedFrom", "How it is known.", one_of(&DERIVED_FROM)),
        said("registerCode", "The register's own code.", text()),
        said("changed", "Granted groups whose content differs.", some(groups())),
        said("protection", "Whether name and address are protected.", protection()),
        said("withheld", "Groups left out for protection.", groups()),
        said("fields", "The whole present content of each group; null: the register has none.", map(content)),
    ]
}

fn said(name: &'static str, means: &str, mut schema: Value) -> Member {
    schema["description"] = json!(means);
    (name, schema)
}

fn grounds() -> Value {
    let groups = said("groups", "The groups given for it.", groups());
    let ground = object(&["subscription", "purpose"], vec![("subscription", text()), ("purpose", text()), groups]);
    some(json!({ "type": "array", "items": ground }))
}

fn ended_ground() -> Member {
    let ground = object(&["subscription", "purpose"], vec![("subscription", text()), ("purpose", text())]);
    said(
        "grounds",
        "The subscription that ended.",
        json!({ "type": "array", "items": ground, "minItems": 1, "maxItems": 1 }),
    )
}

fn challenge() -> Member {
    said("challenge", "Random text to return.", json!({ "type": "string", "minLength": 16 }))
}

fn reason(reasons: &[&str]) -> Member {
    said("reason", "Why.", one_of(reasons))
}

/// The content before, of these groups; and of a merge the other reference.
fn previous(groups: &[FieldGroup], merged: bool) -> Member {
    let mut members: Map<String, Value> = groups.iter().copied().map(content).collect();
    if merged {
        let other = json!({
            "type": "string", "pattern": REFERENCE, "description": "The reference that the person had beside this one.",
        });
        members.insert("reference".to_owned(), other);
    }
    let mut schema = map(members);
    schema["minProperties"] = json!(1);
    said("previous", "The content before.", schema)
}

fn content(group: FieldGroup) -> (String, Value) {
    let name = group.name();
    let content = json!({ "anyOf": [{ "type": "null" }, to(name)] });
    (name.to_owned(), content)
}

fn map(members: Map<String, Value>) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": members })
}

fn protection() -> Value {
    object(&["nameAndAddress"], vec![("nameAndAddress", json!({ "type": "boolean" }))])
}

fn groups() -> Value {
    json!({ "type": "array", "uniqueItems": true, "items": to("group") })
}

/// A list that is not empty.
fn some(mut list: Value) -> Value {
    list["minItems"] = json!(1);
    list
}

fn to(name: &str) -> Value {
    json!({ "$ref": format!("groups.json#/$defs/{name}") })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}
