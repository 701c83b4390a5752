//! What delivery measures, by consumer.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::resource::ResourceKey;

/// A consumer, as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Consumer {
    consumer: String,
}

/// A consumer and how an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    consumer: String,
    outcome: String,
}

/// All metrics of delivery. Clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    lag: Family<Consumer, Gauge<f64, std::sync::atomic::AtomicU64>>,
    waiting: Family<Consumer, Gauge>,
    parked: Family<Consumer, Gauge>,
    dead_letters: Family<Consumer, Counter>,
    replayed: Family<Consumer, Counter>,
    circuit_open: Family<Consumer, Gauge>,
    in_flight: Family<Consumer, Gauge>,
    attempts: Family<Ended, Counter>,
    duration: Family<Consumer, Histogram>,
    tokens: Family<Ended, Counter>,
    certificate: Family<Consumer, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            lag: Family::default(),
            waiting: Family::default(),
            parked: Family::default(),
            dead_letters: Family::default(),
            replayed: Family::default(),
            circuit_open: Family::default(),
            in_flight: Family::default(),
            attempts: Family::default(),
            tokens: Family::default(),
            certificate: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.002, 2.0, 14))),
        }
    }
}

/// A consumer's present numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Age of the oldest event in memory that is neither delivered nor parked.
    pub lag: Duration,
    /// Events in memory.
    pub waiting: usize,
    /// Persons parked.
    pub parked: usize,
    /// Whether the circuit is open.
    pub circuit_open: bool,
    /// Requests under way.
    pub in_flight: usize,
}

/// Where one consumer's accepted deliveries are counted: found once, for there are many.
#[derive(Clone, Debug)]
pub struct Accepted {
    attempts: Counter,
    duration: Histogram,
}

impl Accepted {
    /// A delivery was accepted after `took`.
    pub fn count(&self, took: Duration) {
        self.attempts.inc();
        self.duration.observe(took.as_secs_f64());
    }
}

impl Metrics {
    /// Where a consumer's accepted deliveries are counted.
    pub fn accepted(&self, consumer: &ResourceKey) -> Accepted {
        let ended = Ended { consumer: consumer.to_string(), outcome: "Accepted".into() };
        Accepted {
            attempts: self.attempts.get_or_create_owned(&ended),
            duration: self.duration.get_or_create_owned(&label(consumer)),
        }
    }

    /// Makes the metrics known under `cpr_delivery_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("cpr_delivery");
        let lag = "Age of the oldest event that is neither delivered nor parked";
        registry.register_with_unit("lag", lag, Unit::Seconds, self.lag.clone());
        registry.register("waiting", "Events in memory that wait for their delivery", self.waiting.clone());
        registry.register("parked_persons", "Persons whose delivery failed and is tried again", self.parked.clone());
        registry.register("dead_letters", "Events given up", self.dead_letters.clone());
        registry.register("replayed", "Deliveries accepted that somebody had asked for", self.replayed.clone());
        registry.register("circuit_open", "1 while the consumer takes nothing", self.circuit_open.clone());
        registry.register("in_flight", "Requests under way", self.in_flight.clone());
        registry.register("attempts", "Attempts by how they ended", self.attempts.clone());
        registry.register("tokens", "Requests to the consumer's token endpoint by how they ended", self.tokens.clone());
        let (until, certificate) = ("When the certificate that is shown ends, in Unix time", self.certificate.clone());
        registry.register_with_unit("client_certificate_expires_timestamp", until, Unit::Seconds, certificate);
        registry.register_with_unit("duration", "Time to the answer", Unit::Seconds, self.duration.clone());
    }

    /// An attempt ended as `outcome`, a short name, after `took`.
    pub fn attempted(&self, consumer: &ResourceKey, outcome: &str, took: Duration) {
        let name = consumer.to_string();
        self.attempts.get_or_create(&Ended { consumer: name.clone(), outcome: outcome.into() }).inc();
        self.duration.get_or_create(&Consumer { consumer: name }).observe(took.as_secs_f64());
    }

    /// The consumer's token endpoint was asked, which ended as `outcome`, a short name.
    pub fn asked_for_token(&self, consumer: &ResourceKey, outcome: &str) {
        self.tokens.get_or_create(&Ended { consumer: consumer.to_string(), outcome: outcome.into() }).inc();
    }

    /// Until when the certificate is valid that is shown to the consumer; none where there is none.
    pub fn set_certificate(&self, consumer: &ResourceKey, until: Option<Timestamp>) {
        match until {
            Some(until) => {
                self.certificate.get_or_create(&label(consumer)).set(until.as_second());
            }
            None => {
                self.certificate.remove(&label(consumer));
            }
        }
    }

    /// An event was given up.
    pub fn gave_up(&self, consumer: &ResourceKey) {
        self.dead_letters.get_or_create(&label(consumer)).inc();
    }

    /// A delivery was accepted that somebody had asked for.
    pub fn replayed(&self, consumer: &ResourceKey) {
        self.replayed.get_or_create(&label(consumer)).inc();
    }

    /// The consumer's numbers now.
    pub fn set(&self, consumer: &ResourceKey, gauges: &Gauges) {
        let label = label(consumer);
        self.lag.get_or_create(&label).set(gauges.lag.as_secs_f64());
        self.waiting.get_or_create(&label).set(gauges.waiting as i64);
        self.parked.get_or_create(&label).set(gauges.parked as i64);
        self.circuit_open.get_or_create(&label).set(i64::from(gauges.circuit_open));
        self.in_flight.get_or_create(&label).set(gauges.in_flight as i64);
    }

    /// The consumer is gone.
    pub fn forget(&self, consumer: &ResourceKey) {
        let label = label(consumer);
        self.lag.remove(&label);
        self.waiting.remove(&label);
        self.parked.remove(&label);
        self.circuit_open.remove(&label);
        self.in_flight.remove(&label);
        self.certificate.remove(&label);
    }
}

fn label(consumer: &ResourceKey) -> Consumer {
    Consumer { consumer: consumer.to_string() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_consumer_leaves_no_gauges() {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        let consumer = ResourceKey::new("aalborg", "acadre");
        metrics.set(&consumer, &Gauges { parked: 3, ..Gauges::default() });
        let text = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        assert!(text().contains("cpr_delivery_parked_persons{consumer=\"aalborg/acadre\"} 3"), "{}", text());
        metrics.forget(&consumer);
        assert!(!text().contains("aalborg/acadre"));
    }
}
