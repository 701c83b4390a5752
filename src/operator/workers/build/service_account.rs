//! The service account of a worker: without rights, without a token, and the owner of what else the worker has.

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;

use super::{Ground, metadata, sealed};
use crate::operator::workers::plan::Worker;

/// The service account of a worker.
pub fn build(worker: &Worker, ground: &Ground) -> ServiceAccount {
    let anchor = OwnerReference {
        api_version: ConfigMap::api_version(&()).into_owned(),
        kind: ConfigMap::kind(&()).into_owned(),
        name: ground.settings.anchor.clone(),
        uid: ground.anchor.clone(),
        ..OwnerReference::default()
    };
    let mut metadata = metadata(worker, ground, anchor);
    let annotations = metadata.annotations.get_or_insert_default();
    for (key, value) in &ground.settings.service_account_annotations {
        annotations.entry(key.clone()).or_insert_with(|| value.clone());
    }
    sealed(ServiceAccount { metadata, automount_service_account_token: Some(false), ..ServiceAccount::default() })
}
