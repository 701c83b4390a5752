//! The objects of a worker, one file for each. Pure: the same worker on the same ground gives the same objects, to the byte.

pub mod container;
pub mod deployment;
pub mod disruption_budget;
pub mod network_policy;
pub mod pod;
pub mod secret;
pub mod service_account;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use kube::Resource;
use kube::api::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use super::login::Logins;
use super::names::{self, APPLIED, OF, WORKER};
use super::plan::Worker;
use crate::operator::workers::names::Role;
use crate::settings::workers::WorkerSettings;

/// What all workers of an installation have in common.
#[derive(Clone, Debug)]
pub struct Ground {
    /// What the platform says of workers.
    pub settings: WorkerSettings,
    /// Where they run.
    pub namespace: String,
    /// Uid of the object that owns everything.
    pub anchor: String,
    /// Ports of the databases.
    pub database_ports: Vec<u16>,
    /// Hash of the settings that each role works by.
    pub settings_hash: BTreeMap<Role, String>,
    /// The longest that a request to a register may take, in seconds.
    pub longest_reading: i64,
    /// What logins of workers' own are made from; none where they share one.
    pub logins: Option<Logins>,
}

/// Metadata of an object that belongs to a worker.
fn metadata(worker: &Worker, ground: &Ground, owner: OwnerReference) -> ObjectMeta {
    ObjectMeta {
        name: Some(worker.name()),
        namespace: Some(ground.namespace.clone()),
        labels: Some(names::labels(&ground.settings.anchor, worker.role, &worker.of)),
        annotations: Some([(OF.to_owned(), worker.of.to_string())].into()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}

/// The reference to the service account, which owns what else a worker has.
pub fn owner(account: &ServiceAccount) -> OwnerReference {
    OwnerReference {
        api_version: ServiceAccount::api_version(&()).into_owned(),
        kind: ServiceAccount::kind(&()).into_owned(),
        name: account.metadata.name.clone().unwrap_or_default(),
        uid: account.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }
}

/// What selects a worker's pods. Never changed, for the selector of a Deployment cannot be.
fn pods_of(worker: &Worker) -> LabelSelector {
    LabelSelector { match_labels: Some([(WORKER.to_owned(), worker.name())].into()), ..LabelSelector::default() }
}

/// The object with a hash of all that it says, by which it is seen that something was taken out of it. What a Secret holds is
/// left out: it is compared itself.
fn sealed<K: Resource + Serialize>(mut object: K) -> K {
    let mut content = serde_json::to_value(&object).expect("it is plain data");
    if let Some(members) = content.as_object_mut() {
        members.remove("data");
    }
    note(&mut object, APPLIED, hash_of(&content));
    object
}

fn note<K: Resource>(object: &mut K, key: &str, value: String) {
    object.meta_mut().annotations.get_or_insert_default().insert(key.to_owned(), value);
}

/// The hash of plain data, whose members are in the order of their names.
fn hash_of(content: &Value) -> String {
    names::hash(content.to_string().as_bytes())
}

#[cfg(test)]
mod tests;
