//! `ConsumerSystem`: one receiving system, who owns it, why it may see data, where its events go.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::conditions_schema;
use super::delivery::{Delivery, DeliveryStatus};
use super::text::{Cvr, LegalBasis, PurposeId};
use super::workers::{ConsumerWorkers, WorkersStatus};
use crate::domain::field_group::FieldGroup;
use crate::domain::resource::{Environment, ProtectedPersons, Sector};

/// What a user says of a consumer.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "cpr-operator.dev",
    version = "v1alpha1",
    kind = "ConsumerSystem",
    plural = "consumersystems",
    singular = "consumersystem",
    shortname = "cprcon",
    category = "cpr",
    namespaced,
    status = "ConsumerSystemStatus",
    derive = "PartialEq",
    doc = "ConsumerSystem is one receiving system: who owns it, why it may see data, where and how its events go.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether events can be delivered"
    ),
    printcolumn(
        name = "Waiting",
        type_ = "string",
        json_path = ".status.waiting",
        description = "What it waits for; empty when all is well"
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".spec.delivery.url",
        description = "Address that receives the events"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment", priority = "1"),
    printcolumn(name = "Subscriptions", type_ = "integer", json_path = ".status.subscriptions", priority = "1"),
    printcolumn(name = "Pending", type_ = "integer", json_path = ".status.delivery.pending", priority = "1"),
    printcolumn(name = "Dead", type_ = "integer", json_path = ".status.delivery.deadLettered", priority = "1"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = "1")
)]
#[x_kube(
    validation = Rule::new("self.environment != 'Production' || self.delivery.url.startsWith('https://')")
        .message("with environment Production, delivery.url must start with https://")
        .field_path(".delivery.url"),
    validation = Rule::new("self.environment != 'Production' || !has(self.delivery.oauth2) || self.delivery.oauth2.tokenUrl.startsWith('https://')")
        .message("with environment Production, delivery.oauth2.tokenUrl must start with https://")
        .field_path(".delivery.oauth2.tokenUrl"),
    validation = Rule::new("self.environment == 'Test' || self.delivery.verification != 'Status'")
        .message("verification Status is for environment Test only: let the receiver return the challenge and use Echo")
        .field_path(".delivery.verification"),
    validation = Rule::new("self.protectedPersons != 'Allow' || self.sector == 'Public'")
        .message("Allow needs sector Public: use Mask or Deny")
        .field_path(".protectedPersons"),
    validation = Rule::new("self.sector != 'Private' || !('PersonId' in self.fields)")
        .message("PersonId may not be given to sector Private: remove it")
        .field_path(".fields"),
    validation = Rule::new("self.purposes.all(p, !has(p.fields) || p.fields.all(f, f in self.fields))")
        .message("the fields of a purpose must lie within spec.fields: add the group there or remove it from the purpose")
        .field_path(".purposes"),
    validation = Rule::new("self.purposes.all(p, !(has(p.fields) ? p.fields : self.fields).exists(f, f in ['Church', 'ChurchHistory']) || p.legalBases.exists(b, b.startsWith('GDPR-9-2-')))")
        .message("Church and ChurchHistory are a special category of data: each purpose that has them needs a legal basis GDPR-9-2-a to GDPR-9-2-j; add it, or leave them out of the purpose's fields")
        .field_path(".purposes"),
    validation = Rule::new("self.sector != 'Private' || self.purposes.all(p, !('Number' in (has(p.fields) ? p.fields : self.fields)) || p.legalBases.exists(b, b.matches('^DBL-11-2(-|$)')))")
        .message("with sector Private, each purpose that has Number needs a legal basis DBL-11-2, such as DBL-11-2-1; add it, or leave Number out of the purpose's fields")
        .field_path(".purposes"),
)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerSystemSpec {
    /// Name of the system for people.
    #[schemars(length(min = 1, max = 128))]
    pub display_name: String,

    /// Who answers for the system.
    pub owner: Owner,

    /// `Public` for a public authority, `Private` for a private party. A private party is never told where a protected person lives,
    /// never given the register's permanent identifier, and gets CPR numbers only with a legal basis for it.
    pub sector: Sector,

    /// `Test` for fictitious persons, `Production` for real ones. Must equal that of the source.
    pub environment: Environment,

    /// Why the system may see data. A subscription quotes one of these by its id.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    #[schemars(length(min = 1, max = 32))]
    pub purposes: Vec<Purpose>,

    /// Field groups: the most that the system may ever be given.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 64))]
    pub fields: Vec<FieldGroup>,

    /// What the system gets of persons under name and address protection: `Mask` (events without the protected groups), `Deny` (no
    /// events) or `Allow` (everything, with the protection said; sector `Public` only).
    pub protected_persons: ProtectedPersons,

    /// Where and how events go.
    pub delivery: Delivery,

    /// The workers that deliver, where the platform makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<ConsumerWorkers>,

    /// `true`: nothing is sent. What arrives meanwhile is kept, and sent in order on resuming.
    #[serde(default)]
    pub suspend: bool,
}

/// Who answers for a consumer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Name of the organisation.
    #[schemars(length(min = 1, max = 256))]
    pub organisation: String,

    /// The organisation's CVR number: eight digits, in quotation marks.
    pub cvr: Cvr,

    /// Where to ask about the system: an address of a function rather than of a person, such as `it-operations@example.org`.
    #[schemars(length(min = 1, max = 320))]
    pub contact: String,
}

/// Why a consumer may see data.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Purpose {
    /// Id that subscriptions quote, such as `case-work`.
    pub id: PurposeId,

    /// Legal bases, such as `GDPR-6-1-e` or `DBL-11-1`. `Church` and `ChurchHistory` need a `GDPR-9-2-…`; `Number` for sector
    /// `Private` needs a `DBL-11-2-…`.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 16))]
    pub legal_bases: Vec<LegalBasis>,

    /// Field groups for this purpose, within those of the consumer. Absent: all of the consumer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 64))]
    pub fields: Option<Vec<FieldGroup>>,

    /// The purpose in words.
    #[schemars(length(min = 1, max = 1024))]
    pub description: String,
}

/// What the operator says of a consumer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerSystemStatus {
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

    /// How its deliveries stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryStatus>,

    /// How many workers deliver. Absent where the platform makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkersStatus>,

    /// Number of subscriptions that deliver to it. It may be ten minutes old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<i64>,

    /// How it stands, point by point. `Ready` sums up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
}
