//! The schema of the CloudEvents attributes, and which of them each type has.

use serde_json::{Value, json};

use crate::delivery::payload::SCHEMAS;
use crate::domain::event_type::EventType;
use crate::domain::render::shape::REFERENCE;

/// What says whom an event is about.
const PERSONAL: [&str; 3] = ["subject", "partitionkey", "sequence"];
/// What only an event about somebody can say.
const OF_PERSONAL: &str = "gapbefore";
/// What only an event that was committed can say.
const OF_COMMITTED: [&str; 2] = ["replayed", "replayof"];

const ID: &str = "^ev_[0-9a-hjkmnp-tv-z]{26}$";
const INSTANT: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$";

/// The attributes of every event.
pub(super) fn document() -> (String, Value) {
    let description = "The attributes of every event, CloudEvents 1.0 in structured mode.";
    super::document("envelope", "Envelope", description, members())
}

fn members() -> Value {
    let text = |pattern: &str, means: &str| json!({ "type": "string", "pattern": pattern, "description": means });
    json!({
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "dataschema", "data"],
        "additionalProperties": false,
        "properties": {
            "specversion": { "const": "1.0" },
            "id": text(ID, "The delivery, the same in every attempt; equals the header webhook-id."),
            "source": text("^/[^/]+/(consumersystems/)?[^/]+$",
                "Namespace and name of the CprSource; of endpoint.verify the consumer."),
            "type": text("^dev\\.cpr-operator\\.[a-z.-]+$", "The prefix dev.cpr-operator. and the type's name."),
            "subject": text(REFERENCE, "The person, by the reference under which this consumer alone knows them."),
            "time": { "type": "string", "format": "date-time", "pattern": INSTANT, "description": "When it was committed." },
            "datacontenttype": { "const": "application/json" },
            "dataschema": { "type": "string", "format": "uri", "description": "The schema of data." },
            "partitionkey": text(REFERENCE, "The subject: order holds per partitionkey."),
            "sequence": text("^[0-9]{20}$", "Grows for each person, sortable as text; holes mean nothing."),
            "gapbefore": { "const": true, "description": "An event of this person before it was given up; absent otherwise." },
            "replayed": { "const": true, "description": "Somebody asked for it again; absent otherwise." },
            "replayof": text(ID, "The id under which it was delivered first."),
            "data": { "type": "object" },
        },
        "dependentRequired": {
            "subject": ["partitionkey", "sequence"],
            "partitionkey": ["subject"],
            "sequence": ["subject"],
            "gapbefore": ["subject"],
            "replayof": ["replayed"],
        },
    })
}

/// The whole event of one type, as a part of the type's document.
pub(super) fn of(type_: EventType) -> Value {
    let mut event = json!({
        "$anchor": "event",
        "$ref": "envelope.json",
        "properties": {
            "type": { "const": format!("{}{}", EventType::PREFIX, type_.name()) },
            "dataschema": { "const": format!("{SCHEMAS}{}.json", type_.name()) },
            "data": { "$ref": "#" },
        },
    });
    let impersonal = PERSONAL.into_iter().chain([OF_PERSONAL]);
    let absent: Vec<&str> = match type_ {
        EventType::EndpointVerify => impersonal.chain(OF_COMMITTED).collect(),
        EventType::SubscriptionEnded => impersonal.collect(),
        _ => {
            event["required"] = json!(PERSONAL);
            Vec::new()
        }
    };
    for member in absent {
        event["properties"][member] = json!(false);
    }
    event
}
