//! Whose turn it is to be replaced, so that an upgrade does not touch all workers at once. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::ResourceExt;
use serde_json::Value;

use super::covers::covers;
use super::names::TEMPLATE;
use crate::settings::workers::Share;

/// A worker that is there, as far as its turn is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Whether its pods would be replaced.
    pub is_outdated: bool,
    /// Whether pods are being replaced at present.
    pub is_rolling: bool,
    /// Whether it has any pods.
    pub is_running: bool,
}

/// How many more may be replaced now, so that at most `share` of all that are there are at the same time.
pub fn free(present: &[Arc<Deployment>], share: Share) -> usize {
    let rolling = present.iter().filter(|deployment| is_rolling(deployment)).count();
    share.of(present.len()).saturating_sub(rolling)
}

/// The names of those that may be replaced now: the first `free` in the order of their names. One that is being replaced already
/// takes the newest form at once: it counts anyway, and what it waits for may be just that. One without pods takes it too, for
/// nothing is replaced.
pub fn turns(candidates: &[Candidate], free: usize) -> BTreeSet<String> {
    let outdated = || candidates.iter().filter(|candidate| candidate.is_outdated);
    let at_once = outdated().filter(|candidate| candidate.is_rolling || !candidate.is_running);
    let mut waiting: Vec<_> = outdated().filter(|candidate| candidate.is_running && !candidate.is_rolling).collect();
    waiting.sort_by(|a, b| a.name.cmp(&b.name));
    at_once.chain(waiting.into_iter().take(free)).map(|candidate| candidate.name.clone()).collect()
}

impl Candidate {
    /// A worker whose pods are to be like `template`, which has this hash.
    pub fn new(name: &str, live: &Deployment, template: &PodTemplateSpec, hash: &str) -> Self {
        let written = live.annotations().get(TEMPLATE).map(String::as_str);
        let says = covers(&json_of(&live.spec.template), &json_of(template));
        Self {
            name: name.to_owned(),
            is_outdated: !says || written != Some(hash),
            is_rolling: is_rolling(live),
            is_running: live.spec.replicas != Some(0),
        }
    }
}

fn json_of(template: &PodTemplateSpec) -> Value {
    serde_json::to_value(template).expect("it is plain data")
}

/// Whether pods of a Deployment are being replaced: old ones are still there. Not one whose new pods have failed to become
/// ready for so long that the cluster gave up: its old ones go on working, and others must not wait for it for ever.
pub fn is_rolling(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    if wanted == 0 {
        return false;
    }
    let Some(status) = &deployment.status else { return true };
    let is_seen = status.observed_generation.unwrap_or_default() >= deployment.metadata.generation.unwrap_or_default();
    let has_old = status.replicas.unwrap_or_default() > status.updated_replicas.unwrap_or_default();
    !is_seen || has_old && !is_given_up(deployment)
}

/// Whether the cluster has waited too long for new pods to become ready.
pub fn is_given_up(deployment: &Deployment) -> bool {
    let conditions = deployment.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let is_so = |condition: &DeploymentCondition| {
        let said = (condition.type_.as_deref(), condition.reason.as_deref());
        said == (Some("Progressing"), Some("ProgressDeadlineExceeded"))
    };
    conditions.into_iter().any(is_so)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    /// A worker by its letters: `o`utdated, `r`olling, `s`topped.
    fn candidate(name: &str, is: &str) -> Candidate {
        Candidate {
            name: name.to_owned(),
            is_outdated: is.contains('o'),
            is_rolling: is.contains('r'),
            is_running: !is.contains('s'),
        }
    }

    fn turns_of(candidates: &[(&str, &str)], free: usize) -> Vec<String> {
        let candidates: Vec<_> = candidates.iter().map(|(name, is)| candidate(name, is)).collect();
        turns(&candidates, free).into_iter().collect()
    }

    #[test]
    fn as_many_as_are_free_go_and_in_order() {
        let five = [("e", "o"), ("d", "o"), ("c", "o"), ("b", ""), ("a", "o")];
        assert_eq!(turns_of(&five, 2), ["a", "c"]);
        assert_eq!(turns_of(&five, 0), Vec::<String>::new());
        assert_eq!(turns_of(&five, 9), ["a", "c", "d", "e"]);
    }

    #[test]
    fn those_that_are_being_replaced_take_the_newest_form() {
        assert_eq!(turns_of(&[("a", "o"), ("b", "or")], 0), ["b"]);
        assert_eq!(turns_of(&[("a", "o"), ("b", "or"), ("c", "r")], 1), ["a", "b"]);
    }

    #[test]
    fn one_that_has_no_pods_waits_for_nobody() {
        assert_eq!(turns_of(&[("a", "r"), ("b", "os")], 0), ["b"]);
    }

    fn deployment(replicas: i32, status: Value) -> Deployment {
        let metadata = json!({"generation": 2});
        let pods = json!({"replicas": replicas, "selector": {}, "template": {}});
        serde_json::from_value(json!({"metadata": metadata, "spec": pods, "status": status})).unwrap()
    }

    #[test]
    fn pods_are_being_replaced_while_old_ones_are_there() {
        let given_up = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        for (replicas, status, expected) in [
            (1, json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}), false),
            (1, json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}), true),
            (1, json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 1}), true),
            (1, json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}), false),
            (1, json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "conditions": given_up}), false),
            (0, json!({"observedGeneration": 1}), false),
            (1, json!(null), true),
        ] {
            assert_eq!(is_rolling(&deployment(replicas, status.clone())), expected, "{status}");
        }
    }

    #[test]
    fn those_that_are_being_replaced_count() {
        let still = deployment(1, json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}));
        let rolling = deployment(1, json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1}));
        let present = [still.clone(), still, rolling.clone(), rolling].map(Arc::new);
        for (share, expected) in [(Share::Count(1), 0), (Share::Count(3), 1), (Share::Percent(100), 2)] {
            assert_eq!(free(&present, share), expected, "{share:?}");
        }
        assert_eq!(free(&[], Share::Percent(10)), 1);
    }
}
