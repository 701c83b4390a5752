//! The one container of a worker's pods: its command, its probes, what it may use.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, HTTPGetAction, Probe, ResourceRequirements, SecurityContext,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::operator::workers::plan::Worker;
use crate::operator::workers::shape::{Amounts, Shape};
use crate::settings::workers::{PullPolicy, WorkerSettings};

/// Port of probes and metrics.
pub const METRICS_PORT: u16 = 8080;

/// Where the settings are mounted.
const SETTINGS_FILE: &str = "/etc/cpr-operator/settings/settings.toml";

/// Where the worker's Secret is mounted.
const SECRETS: &str = "/etc/cpr-operator/secrets";

/// The container of a worker of this shape.
pub fn build(worker: &Worker, shape: &Shape, settings: &WorkerSettings) -> Container {
    Container {
        name: worker.role.name().to_owned(),
        image: Some(settings.image.clone()),
        image_pull_policy: Some(pull_policy(settings.pull_policy).to_owned()),
        args: Some(arguments(worker)),
        env: Some(environment()),
        ports: Some(vec![ContainerPort {
            name: Some("metrics".to_owned()),
            container_port: METRICS_PORT.into(),
            ..ContainerPort::default()
        }]),
        liveness_probe: Some(probe("/livez", 20)),
        readiness_probe: Some(probe("/readyz", 10)),
        resources: Some(resources(&shape.amounts)),
        security_context: Some(security_context()),
        volume_mounts: Some(mounts(settings)),
        ..Container::default()
    }
}

fn pull_policy(policy: PullPolicy) -> &'static str {
    match policy {
        PullPolicy::Always => "Always",
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Never => "Never",
    }
}

/// The role, and a flag for each resource that it serves.
fn arguments(worker: &Worker) -> Vec<String> {
    let flag = format!("--{}", worker.role.serves());
    let served = worker.members.keys().flat_map(|key| [flag.clone(), key.to_string()]);
    let role = worker.role.name().to_owned();
    let files = ["--secrets", SECRETS, "--config", SETTINGS_FILE].map(str::to_owned);
    [role].into_iter().chain(served).chain(files).collect()
}

/// What is settled by how the pod is made, whatever the settings say.
fn environment() -> Vec<EnvVar> {
    let listen = format!("0.0.0.0:{METRICS_PORT}");
    let pairs = [
        // For tools that are run in the pod: they find the running process by its settings.
        ("CPR_CONFIG", SETTINGS_FILE),
        ("CPR_HTTP__LISTEN", &listen),
        ("CPR_STORE__PATH", "/var/lib/cpr-operator/store"),
        ("CPR_ADMIN__SOCKET", "/run/cpr-operator/admin.sock"),
    ];
    pairs.map(|(name, value)| EnvVar { name: name.into(), value: Some(value.into()), value_from: None }).into()
}

fn probe(path: &str, period: i32) -> Probe {
    let get = HTTPGetAction {
        path: Some(path.to_owned()),
        port: IntOrString::String("metrics".to_owned()),
        ..HTTPGetAction::default()
    };
    Probe { http_get: Some(get), period_seconds: Some(period), timeout_seconds: Some(5), ..Probe::default() }
}

fn resources(amounts: &Amounts) -> ResourceRequirements {
    let cpu_limit = amounts.cpu_limit.map(|cpu| ("cpu", cpu.to_string()));
    let limits = [("memory", amounts.memory_limit.to_string())].into_iter().chain(cpu_limit);
    ResourceRequirements {
        requests: Some(quantities([("cpu", amounts.cpu.to_string()), ("memory", amounts.memory.to_string())])),
        limits: Some(quantities(limits)),
        ..ResourceRequirements::default()
    }
}

fn quantities(of: impl IntoIterator<Item = (&'static str, String)>) -> BTreeMap<String, Quantity> {
    of.into_iter().map(|(name, amount)| (name.to_owned(), Quantity(amount))).collect()
}

fn security_context() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

/// Whether the database's server is trusted by certificates of its own.
pub fn has_database_ca(settings: &WorkerSettings) -> bool {
    !settings.database_ca_config_map.is_empty()
}

fn mounts(settings: &WorkerSettings) -> Vec<VolumeMount> {
    let read = |name: &str, path: &str| VolumeMount { read_only: Some(true), ..write(name, path) };
    let mut all = vec![
        read("settings", "/etc/cpr-operator/settings"),
        read("secrets", SECRETS),
        read("root-key", "/etc/cpr-operator/keys"),
        read("database", "/etc/cpr-operator/database"),
        write("store", "/var/lib/cpr-operator"),
        write("run", "/run/cpr-operator"),
        write("tmp", "/tmp"),
    ];
    if has_database_ca(settings) {
        all.push(read("database-ca", "/etc/cpr-operator/database-ca"));
    }
    all
}

fn write(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}
