//! The disruption budget of a worker with more than one replica. One alone has none: it would keep its node from being drained.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Ground, metadata, pods_of, sealed};
use crate::operator::workers::plan::Worker;

/// The disruption budget of a worker; none for one replica or none.
pub fn build(worker: &Worker, ground: &Ground, owner: OwnerReference) -> Option<PodDisruptionBudget> {
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(1)),
        selector: Some(pods_of(worker)),
        ..PodDisruptionBudgetSpec::default()
    };
    let budget = PodDisruptionBudget { metadata: metadata(worker, ground, owner), spec: Some(spec), status: None };
    (worker.replicas > 1).then(|| sealed(budget))
}
