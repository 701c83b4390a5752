//! What tests begin from: settings, manifests, Secrets, and findings of the other stages.

use std::time::Duration;

use cpr_operator::domain::field_group::FieldGroup;
use cpr_operator::settings::operator::OperatorSettings;
use cpr_operator::store::consumer::{ConsumerState, EndpointState, SendingState};
use cpr_operator::store::source::{Contact, FeedState, SchemaState, SourceState};
use jiff::civil::Date;
use serde_json::{Value, json};

/// Credentials as a Secret holds them.
pub const CREDENTIALS: &[(&str, &str)] = &[("clientId", "client"), ("clientSecret", "fictitious")];

/// A signing secret of nobody.
pub const SIGNING: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// What the consumer may have.
pub const FIELDS: &[&str] = &["Number", "Name", "Status"];

/// Settings by which only one namespace is looked at; its Lease is there too.
pub fn settings(namespace: &str) -> OperatorSettings {
    OperatorSettings {
        enabled: true,
        namespaces: vec![namespace.to_owned()],
        lease_namespace: namespace.to_owned(),
        lease_name: "cpr-operator".into(),
        lease_duration: Duration::from_secs(15),
        concurrency: 4,
        resync: Duration::from_secs(600),
        status_interval: Duration::from_secs(600),
        status_writes_per_second: 2,
    }
}

/// A source with the credentials of a Secret.
pub fn source(secret: &str) -> Value {
    json!({
        "environment": "Test",
        "datafordeler": {
            "endpoints": { "graphql": "http://127.0.0.1:1", "auth": "http://127.0.0.1:2" },
            "credentialsRef": { "name": secret },
        },
    })
}

/// A consumer that may have these groups.
pub fn consumer(fields: &[&str]) -> Value {
    json!({
        "displayName": "Sample",
        "owner": { "organisation": "Example", "cvr": "00000000", "contact": "it@example.org" },
        "sector": "Public",
        "environment": "Test",
        "purposes": [{ "id": "case-work", "legalBases": ["GDPR-6-1-e"], "description": "Case work" }],
        "fields": fields,
        "protectedPersons": "Mask",
        "delivery": { "url": "http://127.0.0.1:1/events", "signingSecretRef": { "name": "signing" } },
    })
}

/// A subscription of that consumer to names.
pub fn subscription(review_by: Date) -> Value {
    json!({
        "sourceRef": { "name": "register" },
        "consumerRef": { "name": "sample" },
        "purpose": "case-work",
        "select": { "municipalities": ["0851"] },
        "payload": { "level": "Fields", "fields": ["Name"] },
        "reviewBy": review_by.to_string(),
    })
}

/// What ingest finds at a register that works.
pub fn register_works() -> SourceState {
    let offered = FieldGroup::ALL.into_iter().collect();
    SourceState {
        contact: Some(Contact {
            reason: "Succeeded".into(),
            message: String::new(),
            reached: true,
            accepted: Some(true),
        }),
        import: Some(310),
        schema: Some(SchemaState { read: true, offered, message: "read".into() }),
        feed: Some(FeedState { reason: "Healthy".into(), message: "up to date".into() }),
        lookup_by_person_id: Some(true),
        unread: 0,
    }
}

/// What delivery finds at a receiver that works.
pub fn receiver_works() -> ConsumerState {
    ConsumerState {
        endpoint: Some(EndpointState { verified: true, reason: "Verified".into(), message: String::new() }),
        sending: Some(SendingState { reason: "Delivering".into(), message: String::new() }),
        dead_letters: false,
        backlog_expiring: false,
    }
}
