//! What ingest measures: feed age, imports, notices, persons fetched, what was not understood.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::lists::Counts;
use crate::domain::resource::ResourceKey;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    source: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListLabel {
    subscription: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LineLabel {
    subscription: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// The measures of all sources. Clones count together.
#[derive(Clone, Default)]
pub struct Metrics {
    import: Family<SourceLabel, Gauge>,
    changed: Family<SourceLabel, Gauge>,
    notices: Family<SourceLabel, Counter>,
    skipped: Family<SourceLabel, Counter>,
    spared: Family<SourceLabel, Counter>,
    persons: Family<OutcomeLabel, Counter>,
    identities: Family<OutcomeLabel, Counter>,
    oddities: Family<SourceLabel, Counter>,
    readings: Family<OutcomeLabel, Counter>,
    events: Family<SourceLabel, Counter>,
    healthy: Family<SourceLabel, Gauge>,
    additions: Family<ListLabel, Counter>,
    lines: Family<LineLabel, Gauge>,
    jobs: Family<KindLabel, Gauge>,
}

impl Metrics {
    /// Makes the measures part of what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let mut add = |name: &str, help: &str, metric: &Family<SourceLabel, Counter>| {
            registry.register(name, help, metric.clone());
        };
        add("cpr_ingest_notices", "Notices of committed imports", &self.notices);
        add(
            "cpr_ingest_notices_not_understood",
            "Notices left out: about something else, or not understood",
            &self.skipped,
        );
        add("cpr_ingest_persons_spared", "Persons in notices whom no subscription can cover", &self.spared);
        add(
            "cpr_ingest_values_not_understood",
            "Fields, values and rows of the register that we do not know",
            &self.oddities,
        );
        add("cpr_ingest_events", "Events committed", &self.events);
        registry.register("cpr_list_additions", "Persons put on subscriptions' lists", self.additions.clone());
        registry.register("cpr_list_lines", "Persons and lines of subscriptions' lists, by state", self.lines.clone());
        registry.register("cpr_ingest_persons", "Persons asked of the register, by outcome", self.persons.clone());
        registry.register(
            "cpr_ingest_identities",
            "Entries of the register that turned out to be one person with another, were kept apart from another, or are gone",
            self.identities.clone(),
        );
        registry.register("cpr_ingest_readings", "Readings of the feed, by outcome", self.readings.clone());
        registry.register("cpr_ingest_jobs", "Jobs that somebody asked for and that have not ended", self.jobs.clone());
        registry.register("cpr_ingest_import", "Number of the last import wholly committed", self.import.clone());
        registry.register("cpr_ingest_feed_healthy", "1 while the feed is whole and fresh", self.healthy.clone());
        registry.register(
            "cpr_ingest_feed_changed_timestamp_seconds",
            "When the register last told of a new import, by our clock",
            self.changed.clone(),
        );
    }

    /// So many jobs of a kind have not ended.
    pub fn jobs(&self, kind: &'static str, open: usize) {
        self.jobs.get_or_create(&KindLabel { kind }).set(open as i64);
    }

    /// An import was committed.
    pub fn import(&self, source: &ResourceKey, number: u32, notices: u64) {
        self.import.get_or_create(&label(source)).set(i64::from(number));
        self.notices.get_or_create(&label(source)).inc_by(notices);
    }

    /// Notices were left out.
    pub fn skipped_notices(&self, source: &ResourceKey, count: u64) {
        self.skipped.get_or_create(&label(source)).inc_by(count);
    }

    /// Persons in notices were not fetched, for nobody can cover them.
    pub fn skipped_persons(&self, source: &ResourceKey, count: u64) {
        self.spared.get_or_create(&label(source)).inc_by(count);
    }

    /// Entries turned out to be one person with another, were kept apart from another that claims the same number, or are
    /// not known to the register any more.
    pub fn identities(&self, source: &ResourceKey, merged: u64, apart: u64, vanished: u64) {
        for (outcome, count) in [("merged", merged), ("apart", apart), ("vanished", vanished)] {
            let label = OutcomeLabel { source: source.to_string(), outcome };
            self.identities.get_or_create(&label).inc_by(count);
        }
    }

    /// Persons were asked for.
    pub fn persons(&self, source: &ResourceKey, found: usize, unknown: usize, unreadable: usize, oddities: u64) {
        for (outcome, count) in [("found", found), ("unknown", unknown), ("unreadable", unreadable)] {
            self.persons.get_or_create(&outcome_label(source, outcome)).inc_by(count as u64);
        }
        self.oddities.get_or_create(&label(source)).inc_by(oddities);
    }

    /// A reading ended.
    pub fn reading(&self, source: &ResourceKey, outcome: &'static str, events: u64) {
        self.readings.get_or_create(&outcome_label(source, outcome)).inc();
        self.events.get_or_create(&label(source)).inc_by(events);
    }

    /// Persons were put on a subscription's list.
    pub fn list_additions(&self, subscription: &ResourceKey, count: usize) {
        let label = ListLabel { subscription: subscription.to_string() };
        self.additions.get_or_create(&label).inc_by(count as u64);
    }

    /// A subscription's list was counted.
    pub fn list(&self, subscription: &ResourceKey, counts: Counts) {
        let states = [
            ("listed", counts.listed),
            ("waiting", counts.waiting),
            ("unknown", counts.unknown),
            ("failed", counts.failed),
        ];
        for (state, count) in states {
            let label = LineLabel { subscription: subscription.to_string(), state };
            self.lines.get_or_create(&label).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A subscription has no list any more.
    pub fn forget_list(&self, subscription: &ResourceKey) {
        for state in ["listed", "waiting", "unknown", "failed"] {
            self.lines.remove(&LineLabel { subscription: subscription.to_string(), state });
        }
    }

    /// The feed was judged.
    pub fn feed(&self, source: &ResourceKey, healthy: bool, changed_at: Option<jiff::Timestamp>) {
        self.healthy.get_or_create(&label(source)).set(i64::from(healthy));
        if let Some(at) = changed_at {
            self.changed.get_or_create(&label(source)).set(at.as_second());
        }
    }
}

fn label(source: &ResourceKey) -> SourceLabel {
    SourceLabel { source: source.to_string() }
}

fn outcome_label(source: &ResourceKey, outcome: &'static str) -> OutcomeLabel {
    OutcomeLabel { source: source.to_string(), outcome }
}
