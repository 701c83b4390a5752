//! What the published contract demands of a delivery, whoever signed it.

use http::HeaderMap;
use http::header;
use jiff::Timestamp;
use serde_json::Value;

/// What each `type` begins with.
const PREFIX: &str = "dev.cpr-operator.";
/// What each schema's address begins with.
const SCHEMAS: &str = "https://cpr-operator.dev/schemas/v1/";
/// The digits of a sequence.
const SEQUENCE: usize = 20;

/// What a delivery says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub id: String,
    /// The type without its prefix.
    pub kind: String,
    pub reference: Option<String>,
    pub sequence: Option<u64>,
    pub replayed: bool,
    /// What the contract does not allow, in words.
    pub faults: Vec<String>,
}

impl Said {
    fn demand(&mut self, holds: bool, fault: &str) {
        if !holds {
            self.faults.push(fault.to_owned());
        }
    }
}

/// Reads a delivery and holds it against the contract.
pub(super) fn read(headers: &HeaderMap, body: &Value) -> Said {
    let text = |member: &str| body[member].as_str().unwrap_or_default();
    let mut said = Said {
        id: text("id").to_owned(),
        kind: text("type").strip_prefix(PREFIX).unwrap_or_default().to_owned(),
        reference: body["subject"].as_str().map(str::to_owned),
        sequence: body["sequence"].as_str().and_then(|digits| digits.parse().ok()),
        replayed: body["replayed"] == true,
        faults: Vec::new(),
    };
    let header = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let structured = header(header::CONTENT_TYPE).starts_with("application/cloudevents+json");
    said.demand(structured, "content-type is not application/cloudevents+json");
    let webhook_id = header(header::HeaderName::from_static("webhook-id")) == said.id;
    said.demand(webhook_id, "webhook-id is not the id");
    said.demand(body["specversion"] == "1.0", "specversion is not 1.0");
    said.demand(text("id").starts_with("ev_"), "id does not begin with ev_");
    said.demand(text("source").starts_with('/'), "source is not a path");
    said.demand(!said.kind.is_empty(), "type has not the prefix");
    said.demand(text("time").parse::<Timestamp>().is_ok(), "time is no instant");
    said.demand(text("datacontenttype") == "application/json", "datacontenttype is not application/json");
    let schema = format!("{SCHEMAS}{}.json", said.kind);
    said.demand(text("dataschema") == schema, "dataschema is not the type's");
    said.demand(body["data"].is_object(), "data is no object");
    said.demand(body["replayed"].is_null() || said.replayed, "replayed is there, and not true");
    let again = text("replayof");
    said.demand(body["replayof"].is_null() || said.replayed, "replayof is there without replayed");
    let another = again.starts_with("ev_") && again != said.id;
    said.demand(body["replayof"].is_null() || another, "replayof is not the id of another delivery");
    match said.kind.as_str() {
        "endpoint.verify" => {
            impersonal(&mut said, body);
            said.demand(body["data"]["challenge"].is_string(), "the challenge is missing");
        }
        "subscription.ended" => impersonal(&mut said, body),
        _ => personal(&mut said, body),
    }
    said
}

fn impersonal(said: &mut Said, body: &Value) {
    for member in ["subject", "partitionkey", "sequence"] {
        said.demand(body[member].is_null(), &format!("{member} is there, and nobody is meant"));
    }
}

fn personal(said: &mut Said, body: &Value) {
    let subject = body["subject"].as_str().unwrap_or_default();
    said.demand(subject.starts_with("p_"), "subject is not a reference");
    said.demand(body["partitionkey"] == subject, "partitionkey is not the subject");
    let digits = body["sequence"].as_str().unwrap_or_default();
    said.demand(digits.len() == SEQUENCE && said.sequence.is_some(), "sequence is not twenty digits");
    let grounds = body["data"]["grounds"].as_array().is_some_and(|grounds| !grounds.is_empty());
    said.demand(grounds, "no grounds");
}
