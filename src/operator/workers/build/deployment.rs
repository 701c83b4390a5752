//! The Deployment of a worker. The number of replicas is not in it: it is written apart, so that it can change at any time.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Ground, hash_of, metadata, note, pod, pods_of, sealed};
use crate::operator::workers::names::TEMPLATE;
use crate::operator::workers::plan::Worker;
use crate::operator::workers::shape::Shape;

/// How many earlier forms are kept, to see what was before.
const HISTORY: i32 = 2;

/// The Deployment of a worker of this shape.
pub fn build(worker: &Worker, shape: &Shape, ground: &Ground, owner: OwnerReference) -> Deployment {
    let (template, hash) = template(worker, shape, ground);
    let spec = DeploymentSpec {
        selector: pods_of(worker),
        strategy: Some(strategy()),
        revision_history_limit: Some(HISTORY),
        template,
        ..DeploymentSpec::default()
    };
    let mut deployment = Deployment { metadata: metadata(worker, ground, owner), spec, ..Deployment::default() };
    note(&mut deployment, TEMPLATE, hash);
    sealed(deployment)
}

/// The template of its pods, and the template's hash.
pub fn template(worker: &Worker, shape: &Shape, ground: &Ground) -> (PodTemplateSpec, String) {
    let template = pod::build(worker, shape, ground);
    let hash = hash_of(&serde_json::to_value(&template).expect("it is plain data"));
    (template, hash)
}

/// A new pod is ready before an old one goes.
fn strategy() -> DeploymentStrategy {
    let one_more =
        RollingUpdateDeployment { max_surge: Some(IntOrString::Int(1)), max_unavailable: Some(IntOrString::Int(0)) };
    DeploymentStrategy { type_: Some("RollingUpdate".to_owned()), rolling_update: Some(one_more) }
}
