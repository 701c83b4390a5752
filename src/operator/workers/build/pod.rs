//! The pods of a worker: where they run, what they mount, and as whom.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, LocalObjectReference, PodSecurityContext, PodSpec,
    PodTemplateSpec, ProjectedVolumeSource, SeccompProfile, SecretProjection, SecretVolumeSource,
    TopologySpreadConstraint, Volume, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ObjectMeta;

use super::{Ground, container, pods_of};
use crate::operator::workers::login;
use crate::operator::workers::names::{self, Role, SETTINGS};
use crate::operator::workers::plan::Worker;
use crate::operator::workers::shape::Shape;
use crate::settings::workers::WorkerSettings;

/// The longest that a delivery takes, and time to write its result.
const LONGEST_DELIVERY: i64 = 60 + 30;

/// Time to write what was read.
const WRITING: i64 = 30;

/// The pods of a worker of this shape.
pub fn build(worker: &Worker, shape: &Shape, ground: &Ground) -> PodTemplateSpec {
    PodTemplateSpec { metadata: Some(metadata(worker, ground)), spec: Some(spec(worker, shape, ground)) }
}

/// The platform's labels and annotations, and ours, which win where objects are found by them.
fn metadata(worker: &Worker, ground: &Ground) -> ObjectMeta {
    let settings = &ground.settings;
    let mut labels = names::labels(&settings.anchor, worker.role, &worker.of);
    let is_free = |key: &str| key.starts_with("app.kubernetes.io/") || !labels.contains_key(key);
    let of_platform: Vec<_> = settings.pod_labels.iter().filter(|(key, _)| is_free(key)).collect();
    labels.extend(of_platform.into_iter().map(|(key, value)| (key.clone(), value.clone())));
    let mut annotations = settings.pod_annotations.clone();
    let hash = ground.settings_hash.get(&worker.role).cloned().unwrap_or_default();
    // A process reads its settings once, so it has to be another where they are.
    annotations.insert(SETTINGS.to_owned(), hash);
    ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() }
}

fn spec(worker: &Worker, shape: &Shape, ground: &Ground) -> PodSpec {
    let settings = &ground.settings;
    let pull_secrets: Vec<_> =
        settings.pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect();
    PodSpec {
        service_account_name: Some(worker.name()),
        automount_service_account_token: Some(false),
        // Variables that begin with the program's name are taken for settings.
        enable_service_links: Some(false),
        image_pull_secrets: some(pull_secrets),
        priority_class_name: Some(settings.priority_class.clone()).filter(|name| !name.is_empty()),
        termination_grace_period_seconds: Some(match worker.role {
            Role::Ingest => ground.longest_reading + WRITING,
            Role::Deliver => LONGEST_DELIVERY,
        }),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        node_selector: Some(shape.node_selector.clone()).filter(|labels| !labels.is_empty()),
        tolerations: some(shape.tolerations.clone()),
        topology_spread_constraints: Some(spread(worker)),
        containers: vec![container::build(worker, shape, settings)],
        volumes: Some(volumes(worker, ground)),
        ..PodSpec::default()
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// Over nodes and zones, as far as that can be had.
fn spread(worker: &Worker) -> Vec<TopologySpreadConstraint> {
    let over = |topology: &str| TopologySpreadConstraint {
        topology_key: topology.to_owned(),
        max_skew: 1,
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(pods_of(worker)),
        ..TopologySpreadConstraint::default()
    };
    vec![over("kubernetes.io/hostname"), over("topology.kubernetes.io/zone")]
}

fn volumes(worker: &Worker, ground: &Ground) -> Vec<Volume> {
    let settings = &ground.settings;
    let mut all = vec![
        config_map("settings", &settings.settings_config_map, None),
        secret("secrets", &worker.name(), None),
        secret("root-key", &settings.root_key_secret, Some("root")),
        database(worker, ground),
        scratch("store", "64Mi", None),
        // The admin socket: not every kind of volume can hold one.
        scratch("run", "1Mi", Some("Memory")),
        scratch("tmp", "64Mi", None),
    ];
    if container::has_database_ca(settings) {
        let file =
            KeyToPath { key: settings.database_ca_key.clone(), path: "ca.crt".to_owned(), ..KeyToPath::default() };
        all.push(config_map("database-ca", &settings.database_ca_config_map, Some(vec![file])));
    }
    all
}

fn config_map(volume: &str, name: &str, items: Option<Vec<KeyToPath>>) -> Volume {
    let source = ConfigMapVolumeSource { name: name.to_owned(), items, ..ConfigMapVolumeSource::default() };
    Volume { name: volume.to_owned(), config_map: Some(source), ..Volume::default() }
}

fn secret(volume: &str, name: &str, key: Option<&str>) -> Volume {
    let items = key.map(|key| vec![file(key)]);
    let source = SecretVolumeSource { secret_name: Some(name.to_owned()), items, ..SecretVolumeSource::default() };
    Volume { name: volume.to_owned(), secret: Some(source), ..Volume::default() }
}

fn file(key: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: key.to_owned(), ..KeyToPath::default() }
}

/// The addresses of the databases, with the worker's own login where there is one.
fn database(worker: &Worker, ground: &Ground) -> Volume {
    let logins = ground.logins.as_ref().filter(|_| login::is_for(worker.role));
    let sources = match logins {
        Some(logins) => {
            let renamed =
                |name: &&str| KeyToPath { key: login::key(name), path: (*name).to_owned(), ..KeyToPath::default() };
            vec![addresses(&worker.name(), Some(logins.files.iter().map(renamed).collect()))]
        }
        None => shared_addresses(worker.role, &ground.settings),
    };
    let projected = ProjectedVolumeSource { sources: Some(sources), ..ProjectedVolumeSource::default() };
    Volume { name: login::VOLUME.to_owned(), projected: Some(projected), ..Volume::default() }
}

fn addresses(secret: &str, keys: Option<Vec<KeyToPath>>) -> VolumeProjection {
    VolumeProjection {
        secret: Some(SecretProjection { name: secret.to_owned(), items: keys, optional: None }),
        ..VolumeProjection::default()
    }
}

/// With the role's own login where there is one. All keys of the Secret, for which of them there are is said by the settings.
fn shared_addresses(role: Role, settings: &WorkerSettings) -> Vec<VolumeProjection> {
    let own = match role {
        Role::Ingest => &settings.ingest_database_secret,
        Role::Deliver => &settings.deliver_database_secret,
    };
    let mut sources = vec![addresses(if own.is_empty() { &settings.database_secret } else { own }, None)];
    if !settings.keys_database_secret.is_empty() {
        sources.push(addresses(&settings.keys_database_secret, Some(vec![file("keysUrl")])));
    }
    sources
}

fn scratch(volume: &str, most: &str, medium: Option<&str>) -> Volume {
    let source = EmptyDirVolumeSource {
        medium: medium.map(str::to_owned),
        size_limit: Some(Quantity(most.to_owned())),
        ..EmptyDirVolumeSource::default()
    };
    Volume { name: volume.to_owned(), empty_dir: Some(source), ..Volume::default() }
}
