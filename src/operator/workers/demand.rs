//! What a source and a consumer ask of workers, from what was compiled of them. Pure.

use std::collections::BTreeSet;

use ipnet::IpNet;
use url::Url;

use super::hand;
use super::scaling::Need;
use super::shape;
use super::wish::{Demand, Reach, Secrets, Wish};
use crate::api::consumer::ConsumerSystemSpec;
use crate::api::source::CprSourceSpec;
use crate::api::workers::WorkerMode;
use crate::delivery::verify;
use crate::domain::compiled::Source;
use crate::settings::workers::WorkerSettings;
use crate::store::consumer::ConsumerRow;
use crate::store::source::SourceRow;

/// What waits for a consumer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Live subscriptions.
    pub subscriptions: i64,
    /// Deliveries that were not accepted yet.
    pub pending: u64,
    /// What its workers say of their number.
    pub need: Need,
}

/// What a source asks for. One that is not compiled, or has ended, asks for nothing.
pub fn of_source(spec: &CprSourceSpec, row: Option<&SourceRow>, secrets: Secrets, platform: &WorkerSettings) -> Wish {
    let live = row.filter(|row| row.ended_at.is_none());
    let Some((row, compiled)) = live.and_then(|row| Some((row, row.compiled.as_ref()?))) else { return Wish::Nothing };
    if let Err(refusal) = hand::check_name(&row.key) {
        return Wish::Refused(refusal);
    }
    Wish::Workers(Box::new(Demand {
        shape: shape::of_source(spec.workers.as_ref(), platform),
        is_shared: false,
        has_work: true,
        need: Need::NoMore,
        secrets,
        reach: reach(&register(compiled), &compiled.allowed_networks),
    }))
}

/// What a consumer asks for. Without a live subscription it has work as long as something is left to send: what was not accepted
/// yet, or the challenge by which a new address proves itself.
pub fn of_consumer(
    spec: &ConsumerSystemSpec,
    row: Option<&ConsumerRow>,
    work: Work,
    secrets: Secrets,
    platform: &WorkerSettings,
) -> Wish {
    let live = row.filter(|row| row.ended_at.is_none());
    let Some((row, compiled)) = live.and_then(|row| Some((row, row.compiled.as_ref()?))) else { return Wish::Nothing };
    if let Err(refusal) = hand::check_name(&row.key) {
        return Wish::Refused(refusal);
    }
    let is_proved = row.verified.as_ref() == Some(&verify::fingerprint(&compiled.delivery));
    let token = compiled.delivery.oauth2.as_ref().map(|oauth| &oauth.token_url);
    let addresses: Vec<&Url> = [&compiled.delivery.url].into_iter().chain(token).collect();
    let is_shared = spec.workers.as_ref().is_some_and(|workers| workers.mode == WorkerMode::Shared);
    Wish::Workers(Box::new(Demand {
        shape: shape::of_consumer(spec.workers.as_ref(), platform),
        is_shared,
        has_work: work.subscriptions > 0 || work.pending > 0 || !is_proved,
        need: work.need,
        secrets,
        reach: reach(&addresses, &compiled.delivery.allowed_networks),
    }))
}

/// Where the register is reached: at the proxy alone, where there is one.
fn register(source: &Source) -> Vec<&Url> {
    source.proxy.as_ref().map_or_else(|| vec![&source.graphql, &source.auth], |proxy| vec![proxy])
}

fn reach(addresses: &[&Url], networks: &[IpNet]) -> Reach {
    let ports: BTreeSet<u16> = addresses.iter().filter_map(|url| url.port_or_known_default()).collect();
    Reach { ports: ports.into_iter().collect(), networks: networks.to_vec() }
}
