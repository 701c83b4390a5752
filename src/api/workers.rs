//! The `workers` of a source and of a consumer: what their pods may use and where they may run, and how many there are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::text::{CpuAmount, MemoryAmount, TaintKey, TaintValue};

/// The workers that read a source.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SourceWorkers {
    /// What one worker may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "NodeSelector::is_empty")]
    pub node_selector: NodeSelector,

    /// Taints of nodes that are put up with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
}

/// The workers that deliver to a consumer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("!has(self.min) || !has(self.max) || self.min <= self.max")
        .message("min must be at most max: lower min, or raise max")
        .field_path(".min"),
    validation = Rule::new("self.mode != 'Shared' || ![has(self.min), has(self.max), has(self.resources), has(self.nodeSelector), has(self.tolerations)].exists(h, h)")
        .message("a shared worker takes no min, max, resources, nodeSelector and tolerations of one consumer: remove them, or use Dedicated")
        .field_path(".mode"),
)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerWorkers {
    /// `Dedicated`: workers of its own. `Shared`: one worker with the other consumers of the namespace that say so, for those that
    /// are sent little.
    #[serde(default)]
    pub mode: WorkerMode,

    /// Fewest workers while there is a live subscription, 1 to 100. Absent: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min: Option<i32>,

    /// Most workers, 1 to 100. Absent: 4, or `min` where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max: Option<i32>,

    /// What one worker may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "NodeSelector::is_empty")]
    pub node_selector: NodeSelector,

    /// Taints of nodes that are put up with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,
}

/// Whether a consumer has workers of its own.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkerMode {
    /// Workers of its own.
    #[default]
    Dedicated,
    /// One with other consumers of the namespace.
    Shared,
}

/// What one worker may use. What is absent is the product's own choice: requests of 50m and 128Mi, a limit of 512Mi.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("!self.?requests.cpu.hasValue() || !self.?limits.cpu.hasValue() || !isQuantity(self.requests.cpu) || !isQuantity(self.limits.cpu) || quantity(self.requests.cpu).compareTo(quantity(self.limits.cpu)) <= 0")
        .message("requests.cpu must not exceed limits.cpu: lower it, or raise the limit")
        .field_path(".requests"),
    validation = Rule::new("!self.?requests.memory.hasValue() || !self.?limits.memory.hasValue() || !isQuantity(self.requests.memory) || !isQuantity(self.limits.memory) || quantity(self.requests.memory).compareTo(quantity(self.limits.memory)) <= 0")
        .message("requests.memory must not exceed limits.memory: lower it, or raise the limit")
        .field_path(".requests"),
)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What is set aside for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Amounts>,

    /// What it may not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Amounts>,
}

/// Processor time and memory.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// Processor time, such as `250m` or `1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuAmount>,

    /// Memory, such as `256Mi` or `2Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryAmount>,
}

/// A taint of nodes that is put up with.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.operator != 'Exists' || !has(self.value)")
        .message("Exists takes no value: remove it, or use Equal")
        .field_path(".value"),
    validation = Rule::new("self.operator == 'Exists' || has(self.key)")
        .message("Equal needs a key: name it, or use Exists")
        .field_path(".key"),
    validation = Rule::new("!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')")
        .message("tolerationSeconds needs effect NoExecute: set it, or remove tolerationSeconds")
        .field_path(".tolerationSeconds"),
)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint. Absent, with `Exists`: every taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<TaintKey>,

    /// `Equal`: the taint has this value. `Exists`: whatever its value.
    #[serde(default)]
    pub operator: TolerationOperator,

    /// Value of the taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<TaintValue>,

    /// What the taint does. Absent: whatever it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,

    /// How long a worker stays on a node that has got the taint, at most a day. Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub toleration_seconds: Option<i32>,
}

/// How a toleration is compared with a taint.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TolerationOperator {
    /// The same value.
    #[default]
    Equal,
    /// Any value.
    Exists,
}

/// What a taint does.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaintEffect {
    /// No pod is put there.
    NoSchedule,
    /// Others are preferred.
    PreferNoSchedule,
    /// Pods are removed, too.
    NoExecute,
}

/// Labels that a node must have.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(transparent)]
pub struct NodeSelector(pub BTreeMap<String, String>);

impl NodeSelector {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl JsonSchema for NodeSelector {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NodeSelector".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": 16,
            "x-kubernetes-map-type": "atomic",
            "additionalProperties": { "type": "string", "maxLength": 63 },
            "x-kubernetes-validations": [
                {
                    "rule": "self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
                    "message": "must have labels of nodes as keys, such as kubernetes.io/arch",
                },
                {
                    "rule": "self.all(k, self[k].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$'))",
                    "message": "must have values of labels: at most 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit",
                },
            ],
        })
    }
}

/// How many workers there are.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WorkersStatus {
    /// How many there are to be; of a shared one, for all who share it.
    #[serde(default)]
    pub desired: i32,

    /// How many are ready.
    #[serde(default)]
    pub ready: i32,
}
