//! JSON Schemas of everything that a receiver is sent, made from the same types and groups as the payloads. Pure.
//!
//! | Document | Describes |
//! | --- | --- |
//! | `TYPE.json`, one per event type | `data` of this type; its `$id` is the event's `dataschema`. At its anchor `event` the whole event |
//! | `envelope.json` | the CloudEvents attributes of every event |
//! | `groups.json` | the content of each field group |
//! | `event.json` | any event |
//!
//! They are strict: what they do not name is not sent by this version.

mod data;
mod envelope;

use serde_json::{Map, Value, json};

use super::payload::SCHEMAS;
use crate::domain::event_type::EventType;
use crate::domain::render::shape;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The documents by file name, in the order of their names. They refer to each other by `$id`.
pub fn documents() -> Vec<(String, Value)> {
    let mut all = vec![envelope::document(), groups(), any()];
    all.extend(EventType::ALL.iter().map(|type_| of_type(*type_)));
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// All documents in one, which refers to nothing outside: that of any event, with the others in its `$defs`.
pub fn bundle() -> Value {
    let (_, mut whole) = any();
    let others = documents().into_iter().filter(|(_, document)| document["$id"] != whole["$id"]);
    whole["$defs"] = others.collect::<Map<_, _>>().into();
    whole
}

/// A document of this name with these members.
fn document(name: &str, title: &str, description: &str, members: Value) -> (String, Value) {
    let file = format!("{name}.json");
    let mut document = json!({
        "$schema": DIALECT,
        "$id": format!("{SCHEMAS}{file}"),
        "title": title,
        "description": description,
    });
    if let (Some(document), Value::Object(members)) = (document.as_object_mut(), members) {
        document.extend(members);
    }
    (file, document)
}

fn of_type(type_: EventType) -> (String, Value) {
    let title = format!("{}{}", EventType::PREFIX, type_.name());
    let description = "The data of an event of this type. The whole event is at the anchor: event.";
    let mut members = data::schema(type_);
    members["$defs"] = json!({ "event": envelope::of(type_) });
    document(type_.name(), &title, description, members)
}

fn groups() -> (String, Value) {
    let description =
        "The content of each field group, where the register has something; a group without content is null.";
    document("groups", "Field groups", description, json!({ "$defs": shape::shapes() }))
}

fn any() -> (String, Value) {
    let types = EventType::ALL.iter().map(|type_| json!({ "$ref": format!("{}.json#event", type_.name()) }));
    document("event", "Any event", "An event of any type.", json!({ "oneOf": types.collect::<Value>() }))
}

#[cfg(test)]
mod tests;
