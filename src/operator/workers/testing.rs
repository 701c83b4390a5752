//! What tests of workers begin from.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::build::Ground;
use super::names::Role;
use super::plan::Worker;
use super::scaling::Need;
use super::shape::{self, Shape};
use super::wish::{Demand, Reach, Secrets};
use crate::domain::resource::ResourceKey;
use crate::settings::workers::WorkerSettings;

/// Settings with which workers are made.
pub fn settings() -> WorkerSettings {
    WorkerSettings {
        image: "registry.example.org/cpr-operator:1".into(),
        pull_secrets: vec!["registry".into()],
        anchor: "release-anchor".into(),
        settings_config_map: "release-settings".into(),
        database_secret: "database".into(),
        root_key_secret: "root-key".into(),
        ..WorkerSettings::default()
    }
}

/// The ground of an installation.
pub fn ground() -> Ground {
    Ground {
        settings: settings(),
        namespace: "platform".into(),
        anchor: "uid-of-the-anchor".into(),
        database_ports: vec![5432],
        settings_hash: [(Role::Ingest, "one".to_owned()), (Role::Deliver, "other".to_owned())].into(),
        longest_reading: 60,
        logins: None,
    }
}

/// The shape of a worker that asks for nothing.
pub fn shape() -> Shape {
    shape::of_consumer(None, &settings()).unwrap()
}

/// What a consumer with work asks for.
pub fn demand() -> Demand {
    Demand {
        shape: Ok(shape()),
        is_shared: false,
        has_work: true,
        need: Need::NoMore,
        secrets: given(r#"{"signing":["whsec_canary"]}"#, "one"),
        reach: Reach { ports: vec![443], networks: vec![] },
    }
}

/// A file of this content.
pub fn given(content: &str, fingerprint: &str) -> Secrets {
    Secrets::Given { content: content.into(), fingerprint: fingerprint.into(), spoilt: vec![] }
}

/// The worker of a consumer of this name.
pub fn worker(name: &str) -> Worker {
    let of = ResourceKey::new("tenant", name);
    Worker { role: Role::Deliver, of: of.clone(), members: [(of, demand())].into(), shape: Ok(shape()), replicas: 1 }
}
