//! A receiver of the demo: what it was sent, what it has to hear of, and its lines on the screen.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::cli::say;
use crate::runtime::clock::copenhagen;
use crate::simulate::consumer::{Consumer, Options, Received};

/// A receiver.
pub struct Receiver {
    /// How the screen calls it.
    pub name: &'static str,
    /// What receives.
    pub consumer: Consumer,
    arrivals: broadcast::Receiver<Received>,
    expected: Vec<&'static str>,
    failed: Option<(Timestamp, Timestamp)>,
}

impl Receiver {
    /// Starts a receiver that verifies with this secret.
    pub async fn start(name: &'static str, secret: String) -> anyhow::Result<Self> {
        let listen = "127.0.0.1:0".parse().context("an address")?;
        let consumer = Consumer::start(Options { listen, secrets: vec![secret] }).await.context(name)?;
        let arrivals = consumer.subscribe();
        Ok(Self { name, consumer, arrivals, expected: Vec::new(), failed: None })
    }

    /// It has to hear of these types, in any order.
    pub fn expect(&mut self, types: &[&'static str]) {
        self.expected.extend_from_slice(types);
    }

    /// It failed on purpose from one instant to another.
    pub fn has_failed(&mut self, from: Timestamp, to: Timestamp) {
        self.failed = Some((from, to));
    }

    /// Whether a delivery was committed while it failed.
    pub fn failed_at(&self, one: &Received) -> bool {
        self.failed.zip(committed(one)).is_some_and(|((from, to), at)| (from..to).contains(&at))
    }

    /// All events that it accepted, the first of each.
    pub fn accepted(&self) -> Vec<Received> {
        let first = |one: &Received| one.accepted && !one.duplicate && one.kind != "endpoint.verify";
        self.consumer.received().into_iter().filter(first).collect()
    }

    /// Of the expected types those that have not arrived as often as they should.
    pub fn missing(&self) -> Vec<String> {
        let mut arrived: Vec<String> = self.accepted().into_iter().map(|one| one.kind).collect();
        let mut missing = Vec::new();
        for kind in &self.expected {
            match arrived.iter().position(|one| one == kind) {
                Some(at) => drop(arrived.swap_remove(at)),
                None => missing.push(format!("{kind} at {}", self.name)),
            }
        }
        missing
    }

    /// What arrived since it was last asked.
    fn news(&mut self) -> Vec<Received> {
        let mut news = Vec::new();
        while let Ok(one) = self.arrivals.try_recv() {
            news.push(one);
        }
        news.retain(|one| one.kind != "endpoint.verify");
        news
    }
}

/// When a delivery was committed.
pub fn committed(one: &Received) -> Option<Timestamp> {
    one.body["time"].as_str()?.parse().ok()
}

/// How long after its commit a delivery arrived.
pub fn lateness(one: &Received) -> Option<Duration> {
    Duration::try_from(one.at.duration_since(committed(one)?)).ok()
}

/// Says the headings of what [`show`] says.
pub fn show_headings() {
    say(&format!(
        "{:<13} {:>9}  {:<8}  {:<20} {:<30} {:>8}  signature",
        "arrived", "latency", "receiver", "type", "reference", "sequence"
    ));
}

/// Says what arrived since it was last asked, in the order of arrival.
pub fn show(receivers: [&mut Receiver; 2]) {
    let mut news: Vec<_> = receivers
        .into_iter()
        .flat_map(|one| one.news().into_iter().map(|new| (one.name, new)).collect::<Vec<_>>())
        .collect();
    news.sort_by_key(|(_, one)| one.at);
    news.iter().for_each(|(name, one)| say(&line(name, one)));
}

fn line(name: &str, one: &Received) -> String {
    let after = lateness(one).map(|late| format!("{:.0} ms", late.as_secs_f64() * 1000.0)).unwrap_or_default();
    let at = one.at.to_zoned(copenhagen()).strftime("%H:%M:%S%.3f").to_string();
    let reference = one.reference.as_deref().unwrap_or("-");
    let sequence = one.sequence.map(|number| number.to_string()).unwrap_or_default();
    let signature = if one.signature_valid { "valid" } else { "INVALID" };
    let beside = match (one.accepted, one.replayed) {
        (false, _) => ", refused",
        (true, true) => ", sent again",
        (true, false) => "",
    };
    format!("{at:<13} {after:>9}  {name:<8}  {:<20} {reference:<30} {sequence:>8}  {signature}{beside}", one.kind)
}
