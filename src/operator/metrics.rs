//! What the operator measures, under the names that dashboards for controllers already know.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::domain::resource::ResourceKey;
use crate::store::connections::Demand;

/// A controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Controller {
    controller: &'static str,
}

/// A controller and how a reconcile of it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reconciled {
    controller: &'static str,
    result: &'static str,
}

/// A kind of request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    code: String,
    method: String,
    host: String,
}

/// An election.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Lease {
    name: String,
}

/// A source, as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Source {
    source: String,
}

/// Workers that do one thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Workers {
    role: &'static str,
}

/// Workers that do one thing and are in one state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WorkersIn {
    role: &'static str,
    state: &'static str,
}

/// Connections to a database's server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Connections {
    database: &'static str,
    state: &'static str,
}

/// How many workers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Pods that there are to be.
    pub desired: u32,
    /// Pods that are ready.
    pub ready: u32,
    /// Deployments whose pods are being replaced.
    pub rolling: u32,
    /// Deployments that wait for their turn.
    pub waiting: u32,
}

impl WorkerCounts {
    /// These and others.
    pub fn add(&mut self, more: Self) {
        self.desired += more.desired;
        self.ready += more.ready;
        self.rolling += more.rolling;
        self.waiting += more.waiting;
    }
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// As it should.
    Success,
    /// With an error; it is tried again.
    Error,
    /// With a panic; it is tried again.
    Panic,
}

/// The operator's metrics. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    reconciles: Family<Reconciled, Counter>,
    errors: Family<Controller, Counter>,
    panics: Family<Controller, Counter>,
    seconds: Family<Controller, Histogram>,
    active: Family<Controller, Gauge>,
    most: Family<Controller, Gauge>,
    requests: Family<Request, Counter>,
    leading: Family<Lease, Gauge>,
    status_writes: Family<Controller, Counter>,
    grants: Family<Source, Gauge>,
    workers: Family<WorkersIn, Gauge>,
    rolling: Family<Workers, Gauge>,
    waiting: Family<Workers, Gauge>,
    connections: Family<Connections, Gauge>,
    events_left_out: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            reconciles: Family::default(),
            errors: Family::default(),
            panics: Family::default(),
            seconds: Family::new_with_constructor(|| {
                Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
            }),
            active: Family::default(),
            most: Family::default(),
            requests: Family::default(),
            leading: Family::default(),
            status_writes: Family::default(),
            grants: Family::default(),
            workers: Family::default(),
            rolling: Family::default(),
            waiting: Family::default(),
            connections: Family::default(),
            events_left_out: Counter::default(),
        }
    }
}

impl Metrics {
    /// Makes the metrics part of what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("controller_runtime_reconcile", "Reconciles by result", self.reconciles.clone());
        registry.register("controller_runtime_reconcile_errors", "Reconciles that failed", self.errors.clone());
        registry.register("controller_runtime_reconcile_panics", "Reconciles that panicked", self.panics.clone());
        registry.register("controller_runtime_reconcile_time_seconds", "Time of a reconcile", self.seconds.clone());
        registry.register("controller_runtime_active_workers", "Reconciles under way", self.active.clone());
        let most = "Most reconciles at the same time";
        registry.register("controller_runtime_max_concurrent_reconciles", most, self.most.clone());
        registry.register("rest_client_requests", "Requests to the API server", self.requests.clone());
        let leading = "Whether this process reconciles: 1, else 0";
        registry.register("leader_election_master_status", leading, self.leading.clone());
        registry.register("cpr_operator_status_writes", "Writes of a status", self.status_writes.clone());
        registry.register("cpr_operator_grants", "Namespaces that a source grants something", self.grants.clone());
        registry.register(
            "cpr_operator_workers",
            "Pods of workers that there are to be and that are ready",
            self.workers.clone(),
        );
        registry.register(
            "cpr_operator_workers_rolling",
            "Workers whose pods are being replaced",
            self.rolling.clone(),
        );
        registry.register(
            "cpr_operator_workers_waiting",
            "Workers that wait for their turn to be replaced",
            self.waiting.clone(),
        );
        registry.register(
            "cpr_operator_database_connections",
            "Connections that workers and operators may open to a database's server, and that it takes",
            self.connections.clone(),
        );
        let left_out = "Kubernetes Events that were not written because there were too many at once";
        registry.register("cpr_operator_kubernetes_events_left_out", left_out, self.events_left_out.clone());
    }

    /// Counts a Kubernetes Event that was not written because there were too many.
    pub fn count_event_left_out(&self) {
        self.events_left_out.inc();
    }

    /// Says how many workers there are of a role.
    pub fn set_workers(&self, role: &'static str, counts: WorkerCounts) {
        for (state, count) in [("desired", counts.desired), ("ready", counts.ready)] {
            self.workers.get_or_create(&WorkersIn { role, state }).set(count.into());
        }
        self.rolling.get_or_create(&Workers { role }).set(counts.rolling.into());
        self.waiting.get_or_create(&Workers { role }).set(counts.waiting.into());
    }

    /// Says what is demanded of the database's servers.
    pub fn set_connections(&self, demands: &[Demand]) {
        self.connections.clear();
        for Demand { database, possible, allowed, .. } in demands {
            for (state, count) in [("possible", *possible), ("allowed", *allowed)] {
                self.connections.get_or_create(&Connections { database, state }).set(count.into());
            }
        }
    }

    /// Forgets workers: another process looks after them.
    pub fn forget_workers(&self) {
        self.workers.clear();
        self.rolling.clear();
        self.waiting.clear();
        self.connections.clear();
    }

    /// Says how many namespaces a source grants something.
    pub fn set_grants(&self, source: &ResourceKey, count: usize) {
        self.grants.get_or_create(&Source { source: source.to_string() }).set(count as i64);
    }

    /// Forgets a source.
    pub fn forget_source(&self, source: &ResourceKey) {
        self.grants.remove(&Source { source: source.to_string() });
    }

    /// Says how many reconciles of a controller may run at the same time.
    pub fn set_concurrency(&self, controller: &'static str, most: u16) {
        self.most.get_or_create(&Controller { controller }).set(i64::from(most));
    }

    /// Counts a reconcile as under way for as long as the answer lives.
    pub fn begin(&self, controller: &'static str) -> Active {
        let gauge = self.active.get_or_create(&Controller { controller }).clone();
        gauge.inc();
        Active(gauge)
    }

    /// Counts a reconcile that ended after `took`.
    pub fn count(&self, controller: &'static str, result: Result, took: Duration) {
        let label = Controller { controller };
        let name = match result {
            Result::Success => "success",
            Result::Error | Result::Panic => "error",
        };
        self.reconciles.get_or_create(&Reconciled { controller, result: name }).inc();
        self.seconds.get_or_create(&label).observe(took.as_secs_f64());
        if result != Result::Success {
            self.errors.get_or_create(&label).inc();
        }
        if result == Result::Panic {
            self.panics.get_or_create(&label).inc();
        }
    }

    /// Counts a write of a status.
    pub fn count_status_write(&self, controller: &'static str) {
        self.status_writes.get_or_create(&Controller { controller }).inc();
    }

    /// Counts a request to the API server.
    pub fn count_request(&self, code: &str, method: &str, host: &str) {
        let request = Request { code: code.to_owned(), method: method.to_owned(), host: host.to_owned() };
        self.requests.get_or_create(&request).inc();
    }

    /// Says whether this process leads.
    pub fn set_leading(&self, lease: &str, leads: bool) {
        self.leading.get_or_create(&Lease { name: lease.to_owned() }).set(i64::from(leads));
    }
}

/// A reconcile under way.
pub struct Active(Gauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}
