//! Reading as the operator does: what the schema lets through can be turned into checked values.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::domain::grant::HostPattern;
use serde_json::Value;

/// Reads every text of a source.
pub fn source(manifest: Value) {
    let spec = serde_json::from_value::<CprSource>(manifest).unwrap().spec;
    let register = spec.datafordeler.unwrap();
    register.graphql().parse().unwrap();
    register.auth().parse().unwrap();
    for range in &register.allowed_networks {
        range.parse().unwrap();
    }
    spec.events.poll_interval.parse().unwrap();
    for grant in &spec.grants {
        for code in &grant.municipalities {
            code.parse().unwrap();
        }
        for host in &grant.hosts {
            HostPattern::parse(host.as_str()).unwrap();
        }
    }
    if let Some(access) = &spec.access {
        access.expires_at.parse().unwrap();
    }
}

/// Reads every text of a consumer.
pub fn consumer(manifest: Value) {
    let delivery = serde_json::from_value::<ConsumerSystem>(manifest).unwrap().spec.delivery;
    delivery.url.parse().unwrap();
    for range in &delivery.allowed_networks {
        range.parse().unwrap();
    }
    for duration in [delivery.timeout, delivery.retry.initial, delivery.retry.max, delivery.retry.give_up_after] {
        duration.parse().unwrap();
    }
}

/// Reads every text of a subscription.
pub fn subscription(manifest: Value) {
    let spec = serde_json::from_value::<CprSubscription>(manifest).unwrap().spec;
    for code in spec.select.municipalities.iter().flatten() {
        code.parse().unwrap();
    }
    spec.review_by.parse().unwrap();
    if let Some(end) = &spec.expires_at {
        end.parse().unwrap();
    }
    spec.follow_inactive.parse().unwrap();
}
