//! `CprSubscription`: whose events go to one consumer, for one purpose, until when.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::common::{ResourceRef, SecretKeyRef, SourceRef, conditions_schema, duration_between};
use super::text::{DayOrInstant, GoDuration, Instant, MunicipalityCode, PurposeId};
use crate::domain::event_type::EventType;
use crate::domain::field_group::FieldGroup;

/// What a user says of a subscription.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("!has(self.followOnMove) || has(self.select.municipalities)")
        .message("followOnMove needs select.municipalities: only who lives in a municipality can move out of it")
        .field_path(".followOnMove"),
)]
#[kube(
    group = "cpr-operator.dev",
    version = "v1alpha1",
    kind = "CprSubscription",
    plural = "cprsubscriptions",
    singular = "cprsubscription",
    shortname = "cprsub",
    category = "cpr",
    namespaced,
    status = "CprSubscriptionStatus",
    derive = "PartialEq",
    doc = "CprSubscription says whose events go to one consumer, for one purpose, until when.",
    selectable = ".spec.sourceRef.name",
    selectable = ".spec.consumerRef.name",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether events are routed to the consumer"
    ),
    printcolumn(
        name = "Waiting",
        type_ = "string",
        json_path = ".status.waiting",
        description = "What it waits for; empty when all is well"
    ),
    printcolumn(
        name = "Consumer",
        type_ = "string",
        json_path = ".spec.consumerRef.name",
        description = "Consumer that hears"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.sourceRef.name", priority = "1"),
    printcolumn(name = "Purpose", type_ = "string", json_path = ".spec.purpose", priority = "1"),
    printcolumn(
        name = "Subjects",
        type_ = "integer",
        json_path = ".status.subjects",
        description = "Known persons covered",
        priority = "1"
    ),
    printcolumn(name = "Review", type_ = "string", json_path = ".spec.reviewBy", priority = "1"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = "1")
)]
#[serde(rename_all = "camelCase")]
pub struct CprSubscriptionSpec {
    /// Source whose events are heard: in this namespace, or in one that grants it to this one; cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("cannot be changed: make another subscription").reason(Reason::FieldValueForbidden))]
    pub source_ref: SourceRef,

    /// Consumer in this namespace that hears them; cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("cannot be changed: make another subscription").reason(Reason::FieldValueForbidden))]
    pub consumer_ref: ResourceRef,

    /// Id of one of the consumer's purposes: why these persons' data go there. Its field groups are the most that the subscription gives.
    pub purpose: PurposeId,

    /// Who is covered. At least one selector; they add up, and none of them ever means everyone.
    pub select: Select,

    /// Which events are heard. Absent: all whose field group the purpose has, as with `types` absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<SubscribedEvents>,

    /// How much a delivery says.
    #[serde(default)]
    pub payload: Payload,

    /// When somebody has to decide anew whether this is still needed: a date such as `2027-06-01`, at most two years ahead. Afterwards
    /// the condition `ReviewDue` is True; 30 days later the subscription stops.
    pub review_by: DayOrInstant,

    /// When the subscription ends by itself, such as `2028-01-01T00:00:00Z`. Absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Instant>,

    /// How long those who died, emigrated or disappeared stay covered by their last municipality, up to `17520h`.
    #[serde(default = "CprSubscriptionSpec::default_follow_inactive")]
    #[x_kube(validation = duration_between("0s", "17520h"))]
    pub follow_inactive: GoDuration,

    /// How long those who move out of the municipalities stay covered, up to `17520h`. Absent: they leave at once, with
    /// `scope.left`. Who moves back in the meantime was never away; at the end comes `scope.left` with `FollowEnded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration_between("0s", "17520h"))]
    pub follow_on_move: Option<GoDuration>,

    /// What is told when the subscription begins.
    #[serde(default)]
    pub start: Start,

    /// `true`: nothing is routed. On resuming, one snapshot is sent for each person who changed meanwhile.
    #[serde(default)]
    pub suspend: bool,
}

impl CprSubscriptionSpec {
    fn default_follow_inactive() -> GoDuration {
        "2160h".into()
    }
}

/// Who is covered by a subscription.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("self.everyone || has(self.municipalities) || has(self.persons) || has(self.personsSecretRef)")
        .message("must have at least one selector: list municipalities, write persons: Managed, name a personsSecretRef, or write everyone: true"),
    validation = Rule::new("!self.everyone || !(has(self.municipalities) || has(self.persons) || has(self.personsSecretRef))")
        .message("everyone must stand alone: remove the other selectors, or everyone"),
    validation = Rule::new("!(has(self.persons) && has(self.personsSecretRef))")
        .message("a subscription has one list: remove persons, or personsSecretRef"),
)]
#[serde(rename_all = "camelCase")]
pub struct Select {
    /// Four-digit codes of municipalities, such as `0851`: who lives there, who moves in, and who moves out (once).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 128))]
    pub municipalities: Option<Vec<MunicipalityCode>>,

    /// How the list is kept, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persons: Option<Persons>,

    /// The persons on a list in a Secret with the label `cpr-operator.dev/use: persons`: one CPR number a line, with or without a
    /// hyphen, at most 10000; blank lines and lines that begin with `#` are passed over. Who is added to or missing from the
    /// Secret enters or leaves the list. A Secret that is gone, empty or malformed takes nobody off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persons_secret_ref: Option<SecretKeyRef>,

    /// `true`: everyone whom the register tells of. It has to be written out, and stands alone.
    #[serde(default)]
    pub everyone: bool,
}

/// `Managed`: the persons on a list that is kept with `cpr-operator persons`, wherever they live. The list is never in the manifest.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persons {
    /// With `cpr-operator persons`.
    Managed,
}

/// What is told when a subscription begins.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// `None`: nothing; a person known before is first told of when something happens. `Snapshot`: one `snapshot` of each person
    /// covered who is known when the subscription begins; not when it is made again after a deletion, nor when it resumes.
    #[serde(default)]
    pub announce: Announcement,
}

/// What is told of persons known when a subscription begins.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announcement {
    /// Nothing.
    #[default]
    None,
    /// One snapshot of each.
    Snapshot,
}

/// Which events a subscription hears.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SubscribedEvents {
    /// Types of event, such as `address.changed`. Absent: all whose field group the purpose has, but `address.technical` and
    /// `church.changed`, which have to be named. Events about the subscription itself (`scope.entered`, `protection.started`, …)
    /// come in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "event_types_schema")]
    pub types: Option<Vec<EventType>>,
}

/// The schema of a list of event types that may be asked for.
fn event_types_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = EventType::selectable().map(EventType::name).collect();
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
        "items": { "type": "string", "enum": names }
    })
}

/// How much a delivery says.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("self.level != 'Fields' || has(self.fields)")
        .message("level Fields needs fields: name the field groups that a delivery shall hold")
        .field_path(".fields"),
    validation = Rule::new("self.level == 'Fields' || !has(self.fields)")
        .message("fields need level Fields: set it, or remove fields")
        .field_path(".fields"),
)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// `Reference`: that it happened, and to whom. `ChangedGroups`: and which field groups changed. `Fields`: and what the field
    /// groups of `fields` hold now.
    #[serde(default)]
    pub level: Level,

    /// Field groups that a delivery holds at level `Fields`. They must lie within the purpose's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 64))]
    pub fields: Option<Vec<FieldGroup>>,
}

/// How much a delivery says.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// That it happened, and to whom.
    #[default]
    Reference,
    /// And which field groups changed.
    ChangedGroups,
    /// And what they hold now.
    Fields,
}

/// What the operator says of a subscription.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CprSubscriptionStatus {
    /// Generation of the spec that the status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Value of the annotation `cpr-operator.dev/reconcile-at` that was last acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,

    /// Reason of the first condition that is not as it should be. Absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting: Option<String>,

    /// Number of known persons covered. It may be ten minutes old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<i64>,

    /// How it stands, point by point. `Ready` sums up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
}
