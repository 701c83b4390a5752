//! What several kinds share: references, ranges of durations, and the schema of conditions.

use kube::KubeSchema;
use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::text::{DataKey, NamespaceName, ObjectName};
use crate::domain::resource::ResourceKey;

/// A Secret in the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the Secret. It must carry the label `cpr-operator.dev/use` with the value that fits this place.
    pub name: ObjectName,
}

/// One key of a Secret in the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// Name of the Secret. It must carry the label `cpr-operator.dev/use` with the value that fits this place.
    pub name: ObjectName,
    /// Key in its data.
    pub key: DataKey,
}

/// One key of a ConfigMap in the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    pub name: ObjectName,
    /// Key in its data.
    pub key: DataKey,
}

/// A resource of ours in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct ResourceRef {
    /// Name of the resource.
    pub name: ObjectName,
}

/// A source: of this namespace, or of another that grants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct SourceRef {
    /// Name of the source.
    pub name: ObjectName,
    /// Namespace of the source, which has to grant it to this one. Absent: this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<NamespaceName>,
}

impl SourceRef {
    /// Namespace and name of the source, as seen from a subscription in namespace `own`.
    pub fn key(&self, own: &str) -> ResourceKey {
        ResourceKey::new(self.namespace.as_ref().map_or(own, NamespaceName::as_str), self.name.as_str())
    }
}

/// The rule of a duration from `least` to `most`. The form comes first, since a text of another form cannot be compared.
pub(super) fn duration_between(least: &str, most: &str) -> Rule {
    let form = "self.matches('^([0-9]{1,6}(ms|s|m)|[0-9]{1,5}h)+$')";
    let range = format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')");
    let message = format!("must be a duration from {least} to {most}, written like 500ms, 30s, 10m, 72h or 1h30m");
    Rule::new(format!("{form} && {range}")).message(message.as_str())
}

/// The schema of a list of conditions: a map by type, bounded.
pub(super) fn conditions_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": { "type": "string", "maxLength": 316, "description": "Name of the condition." },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds." },
                "reason": { "type": "string", "minLength": 1, "maxLength": 1024, "description": "Why, in one stable word." },
                "message": { "type": "string", "maxLength": 32768, "description": "Why, for people, and what to do." },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "When the status last changed."
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "Generation of the resource that it speaks of."
                }
            }
        }
    })
}
