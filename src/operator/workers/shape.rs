//! How a resource's workers are to be: its `spec.workers`, checked against the ceilings of the platform. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;

use crate::api::workers::{ConsumerWorkers, NodeSelector, Resources, SourceWorkers, Toleration as Tolerated};
use crate::operator::refusal::Refusal;
use crate::settings::quantity::{Cpu, Memory};
use crate::settings::workers::WorkerSettings;

/// How workers are to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Fewest while there is anything to do.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// What one may use.
    pub amounts: Amounts,
    /// Labels that its node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints of its node that it puts up with.
    pub tolerations: Vec<Toleration>,
}

/// What one worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Set aside.
    pub cpu: Cpu,
    /// Set aside.
    pub memory: Memory,
    /// Not to be exceeded, if limited.
    pub cpu_limit: Option<Cpu>,
    /// Not to be exceeded.
    pub memory_limit: Memory,
}

impl Default for Amounts {
    /// What a worker has whose resource asks for nothing.
    fn default() -> Self {
        Self { cpu: Cpu(50), memory: Memory(128), cpu_limit: None, memory_limit: Memory(512) }
    }
}

/// How many read a source: one does, the other stands by.
const READERS: u32 = 2;

/// How many deliver to a consumer at least, and at most, where it does not say.
const DELIVERERS: (u32, u32) = (1, 4);

/// The shape of a worker that several share.
pub fn shared() -> Shape {
    Shape { min: 1, max: 1, amounts: Amounts::default(), node_selector: BTreeMap::new(), tolerations: Vec::new() }
}

/// The shape of the workers that read a source.
pub fn of_source(asked: Option<&SourceWorkers>, platform: &WorkerSettings) -> Result<Shape, Refusal> {
    let readers = READERS.min(platform.max_replicas);
    let asked = asked.cloned().unwrap_or_default();
    Ok(Shape {
        min: readers,
        max: readers,
        amounts: amounts(asked.resources.as_ref(), platform)?,
        node_selector: labels(&asked.node_selector),
        tolerations: tolerations(&asked.tolerations),
    })
}

/// The shape of the workers that deliver to a consumer alone.
pub fn of_consumer(asked: Option<&ConsumerWorkers>, platform: &WorkerSettings) -> Result<Shape, Refusal> {
    let asked = asked.cloned().unwrap_or_default();
    let (min, max) = replicas(asked.min, asked.max, platform.max_replicas)?;
    Ok(Shape {
        min,
        max,
        amounts: amounts(asked.resources.as_ref(), platform)?,
        node_selector: labels(&asked.node_selector),
        tolerations: tolerations(&asked.tolerations),
    })
}

fn replicas(min: Option<i32>, max: Option<i32>, ceiling: u32) -> Result<(u32, u32), Refusal> {
    let number = |asked: Option<i32>| asked.map(|n| u32::try_from(n).unwrap_or(0));
    let (asked_min, asked_max) = (number(min), number(max));
    // What is not asked for is no reason to refuse.
    let max = asked_max.unwrap_or(DELIVERERS.1.max(asked_min.unwrap_or(0)).min(ceiling));
    let min = asked_min.unwrap_or(DELIVERERS.0);
    if min == 0 || min > max && asked_max.is_some() {
        return Err(invalid("workers.min must be from 1 to workers.max: correct it"));
    }
    let most = min.max(max);
    if most > ceiling {
        return Err(exceeded("max", &most.to_string(), &ceiling.to_string(), "workers.max_replicas"));
    }
    Ok((min, max))
}

fn amounts(asked: Option<&Resources>, platform: &WorkerSettings) -> Result<Amounts, Refusal> {
    let (own, asked) = (Amounts::default(), asked.cloned().unwrap_or_default());
    let (requests, limits) = (asked.requests.unwrap_or_default(), asked.limits.unwrap_or_default());
    let cpu = |text: Option<_>, field| text.map(|t: crate::api::text::CpuAmount| parsed(t.as_str(), field)).transpose();
    let memory =
        |text: Option<_>, field| text.map(|t: crate::api::text::MemoryAmount| parsed(t.as_str(), field)).transpose();
    let cpu_limit: Option<Cpu> = cpu(limits.cpu, "limits.cpu")?;
    let memory_limit: Option<Memory> = memory(limits.memory, "limits.memory")?;
    let asked_cpu: Option<Cpu> = cpu(requests.cpu, "requests.cpu")?;
    let asked_memory: Option<Memory> = memory(requests.memory, "requests.memory")?;
    // A limit alone lowers what is set aside, and what is set aside alone raises the limit.
    let found = Amounts {
        cpu: asked_cpu.unwrap_or(cpu_limit.map_or(own.cpu, |limit| limit.min(own.cpu))),
        memory: asked_memory.unwrap_or(memory_limit.map_or(own.memory, |limit| limit.min(own.memory))),
        cpu_limit,
        memory_limit: memory_limit.unwrap_or(asked_memory.map_or(own.memory_limit, |m| m.max(own.memory_limit))),
    };
    check(&found, platform)?;
    Ok(found)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str, field: &str) -> Result<T, Refusal> {
    text.parse().map_err(|why| invalid(format!("workers.resources.{field}: {why}")))
}

fn check(amounts: &Amounts, platform: &WorkerSettings) -> Result<(), Refusal> {
    if amounts.memory > amounts.memory_limit || amounts.cpu_limit.is_some_and(|limit| amounts.cpu > limit) {
        return Err(invalid("workers.resources.requests must not exceed workers.resources.limits: lower them"));
    }
    let cpu = amounts.cpu_limit.unwrap_or(amounts.cpu);
    if cpu > platform.max_cpu {
        return Err(exceeded("resources cpu", &cpu.to_string(), &platform.max_cpu.to_string(), "workers.max_cpu"));
    }
    let (memory, most) = (amounts.memory_limit, platform.max_memory);
    if memory > most {
        return Err(exceeded("resources memory", &memory.to_string(), &most.to_string(), "workers.max_memory"));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::by_author("InvalidSpec", message)
}

fn exceeded(what: &str, asked: &str, ceiling: &str, setting: &str) -> Refusal {
    let message = format!(
        "workers.{what} {asked} is above the platform's {ceiling}: lower it, or have the platform's setting {setting} raised; the workers stay as they were"
    );
    Refusal::by_author("CeilingExceeded", message)
}

fn labels(asked: &NodeSelector) -> BTreeMap<String, String> {
    asked.0.clone()
}

fn tolerations(asked: &[Tolerated]) -> Vec<Toleration> {
    asked.iter().map(toleration).collect()
}

/// The variants are called as the cluster calls them.
fn toleration(asked: &Tolerated) -> Toleration {
    Toleration {
        key: asked.key.as_ref().map(ToString::to_string),
        operator: Some(format!("{:?}", asked.operator)),
        value: asked.value.as_ref().map(ToString::to_string),
        effect: asked.effect.map(|effect| format!("{effect:?}")),
        toleration_seconds: asked.toleration_seconds.map(i64::from),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::workers::testing;

    fn shape_of(asked: Value) -> Result<Shape, Refusal> {
        of_consumer(Some(&serde_json::from_value(asked).unwrap()), &testing::settings())
    }

    #[test]
    fn what_is_not_asked_for_is_chosen_and_fits() {
        let shape = of_consumer(None, &testing::settings()).unwrap();
        assert_eq!((shape.min, shape.max, shape.amounts), (1, 4, Amounts::default()));
        assert_eq!(of_source(None, &testing::settings()).unwrap().min, 2);
        let shape = shape_of(json!({"min": 6})).unwrap();
        assert_eq!((shape.min, shape.max), (6, 6));
        let small = WorkerSettings { max_replicas: 1, ..testing::settings() };
        assert_eq!(of_consumer(None, &small).unwrap().max, 1);
        assert_eq!(of_source(None, &small).unwrap().min, 1);
    }

    #[test]
    fn one_of_request_and_limit_gives_way_to_the_other() {
        let amounts = |asked| shape_of(json!({ "resources": asked })).unwrap().amounts;
        assert_eq!(amounts(json!({"limits": {"memory": "64Mi"}})).memory, Memory(64));
        assert_eq!(amounts(json!({"limits": {"cpu": "20m"}})).cpu, Cpu(20));
        assert_eq!(amounts(json!({"requests": {"memory": "1Gi"}})).memory_limit, Memory(1024));
        assert_eq!(amounts(json!({"requests": {"memory": "256Mi"}})).memory_limit, Memory(512));
    }

    #[test]
    fn what_exceeds_a_ceiling_is_named_with_its_setting() {
        for (asked, reason, setting) in [
            (json!({"max": 11}), "CeilingExceeded", "workers.max_replicas"),
            (json!({"min": 11}), "CeilingExceeded", "workers.max_replicas"),
            (json!({"resources": {"limits": {"cpu": "2.5"}}}), "CeilingExceeded", "workers.max_cpu"),
            (json!({"resources": {"requests": {"cpu": "3"}}}), "CeilingExceeded", "workers.max_cpu"),
            (json!({"resources": {"limits": {"memory": "3Gi"}}}), "CeilingExceeded", "workers.max_memory"),
            (json!({"resources": {"requests": {"memory": "3Gi"}}}), "CeilingExceeded", "workers.max_memory"),
            (json!({"min": 3, "max": 2}), "InvalidSpec", "workers.min"),
            (json!({"min": 0}), "InvalidSpec", "workers.min"),
            (json!({"resources": {"limits": {"cpu": "many"}}}), "InvalidSpec", "limits.cpu"),
            (
                json!({"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}}),
                "InvalidSpec",
                "resources.limits",
            ),
        ] {
            let refusal = shape_of(asked.clone()).unwrap_err();
            assert_eq!(refusal.reason, reason, "{asked}");
            assert!(refusal.message.contains(setting), "{}", refusal.message);
        }
    }

    #[test]
    fn a_toleration_is_written_as_the_cluster_knows_it() {
        let asked = json!({"tolerations": [
            {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5}, {"operator": "Exists"}]});
        let shape = shape_of(asked).unwrap();
        let expected = json!([
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5},
            {"operator": "Exists"},
        ]);
        assert_eq!(serde_json::to_value(&shape.tolerations).unwrap(), expected);
    }
}
