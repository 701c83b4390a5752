//! `CprSource`: one connection to one register service, its credentials and rhythm.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{ConfigMapKeyRef, SecretKeyRef, SecretRef, conditions_schema, duration_between};
use super::grant::Grant;
use super::text::{GoDuration, HttpUrl, Instant, PrivateRange, ProxyUrl};
use super::workers::{SourceWorkers, WorkersStatus};
use crate::domain::resource::Environment;

/// What a user says of a source.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "cpr-operator.dev",
    version = "v1alpha1",
    kind = "CprSource",
    plural = "cprsources",
    singular = "cprsource",
    shortname = "cprsrc",
    category = "cpr",
    namespaced,
    status = "CprSourceStatus",
    derive = "PartialEq",
    doc = "CprSource is one connection to one register service: its credentials, its rhythm and whether it works.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the source is read as it should be"
    ),
    printcolumn(
        name = "Waiting",
        type_ = "string",
        json_path = ".status.waiting",
        description = "What it waits for; empty when all is well"
    ),
    printcolumn(
        name = "Credentials",
        type_ = "string",
        json_path = ".spec.datafordeler.credentialsRef.name",
        description = "Secret with the register's credentials"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment", priority = "1"),
    printcolumn(
        name = "Import",
        type_ = "integer",
        json_path = ".status.cursor.importSequence",
        description = "Last import of the register that was taken in whole",
        priority = "1"
    ),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = "1")
)]
#[x_kube(
    validation = Rule::new("has(self.datafordeler)")
        .message("must name exactly one register, one of: datafordeler"),
    validation = Rule::new("self.environment != 'Test' || !has(self.datafordeler) || (self.?datafordeler.endpoints.graphql.hasValue() && self.?datafordeler.endpoints.auth.hasValue())")
        .message("with environment Test, set datafordeler.endpoints.graphql and datafordeler.endpoints.auth to a test environment of the register or to a simulator")
        .field_path(".datafordeler"),
    validation = Rule::new("self.environment != 'Test' || ![self.?datafordeler.endpoints.graphql.orValue(''), self.?datafordeler.endpoints.auth.orValue('')].exists(u, u.matches('(?i)^https?://(graphql|auth|auth-oces|api)[.]datafordeler[.]dk[.]?(:[0-9]*)?(/|$)'))")
        .message("with environment Test, endpoints must not name a host of the register's production: use a test host, or set environment to Production")
        .field_path(".datafordeler"),
    validation = Rule::new("self.environment != 'Production' || ![self.?datafordeler.endpoints.graphql.orValue(''), self.?datafordeler.endpoints.auth.orValue('')].exists(u, u.startsWith('http://'))")
        .message("with environment Production, endpoints must start with https://")
        .field_path(".datafordeler"),
)]
#[serde(rename_all = "camelCase")]
pub struct CprSourceSpec {
    /// `Test` for fictitious persons, `Production` for real ones. Must equal that of each consumer served from this source.
    pub environment: Environment,

    /// The Datafordeler (the Danish data distributor): GraphQL services for events and persons. Exactly one register is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datafordeler: Option<Datafordeler>,

    /// How the register's events are read.
    #[serde(default)]
    pub events: SourceEvents,

    /// What the register granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,

    /// Who beyond this namespace may use the source, and the most that they may ask. What is removed or narrowed here ends at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["namespace".into()]))]
    #[schemars(length(max = 64))]
    pub grants: Vec<Grant>,

    /// The workers that read the register, where the platform makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<SourceWorkers>,

    /// `true`: nothing is read. On resuming, everything in between is caught up with.
    #[serde(default)]
    pub suspend: bool,
}

/// A connection to the Datafordeler.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Datafordeler {
    /// Which custom person service the approval covers: `Public`, that for public authorities.
    #[serde(default)]
    pub sector: ServiceSector,

    /// Where its services are. Required with environment `Test`; with `Production` each defaults to the register's own host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,

    /// Secret with the keys `clientId` and `clientSecret` of our IT system, labelled `cpr-operator.dev/use: source`.
    pub credentials_ref: SecretRef,

    /// Key of a Secret, labelled `cpr-operator.dev/use: source`, that holds an API key with which the services' schemas are read. For
    /// services that give their schema to API keys only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_api_key_ref: Option<SecretKeyRef>,

    /// Certificates in PEM form to trust beside the system's, such as those of a test environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<ConfigMapKeyRef>,

    /// HTTP forward proxy by which the register's services are reached, such as `http://egress.example.org:3128`, for a register that
    /// knows our addresses. It is asked by CONNECT, for http addresses too, and resolves the register's names; TLS goes through it
    /// to the register. User and password are not supported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<ProxyUrl>,

    /// Private ranges that the register's addresses, or the proxy's, may resolve to, such as `10.30.0.0/16`, within what the
    /// platform's settings allow. Empty: public addresses only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub allowed_networks: Vec<PrivateRange>,

    /// Form of municipality code that the service expects in filters: `FourDigits` (`0101`), `ThreeDigits` (`101`), or `Both` where
    /// that is not known.
    #[serde(default)]
    pub municipality_codes: MunicipalityCodeForm,
}

/// Which custom person service is used.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceSector {
    /// The service for public authorities.
    #[default]
    Public,
}

/// Form of municipality code in filters.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MunicipalityCodeForm {
    /// Not known: both forms are sent.
    #[default]
    Both,
    /// `0101`.
    FourDigits,
    /// `101`.
    ThreeDigits,
}

/// Addresses of the Datafordeler's services.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Base address of the GraphQL services. With `Production` it defaults to `https://graphql.datafordeler.dk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphql: Option<HttpUrl>,

    /// Base address of the token service. With `Production` it defaults to `https://auth.datafordeler.dk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<HttpUrl>,
}

impl Datafordeler {
    /// Production host of the GraphQL services.
    pub const GRAPHQL: &str = "https://graphql.datafordeler.dk";

    /// Production host of the token service.
    pub const AUTH: &str = "https://auth.datafordeler.dk";

    /// Base address of the GraphQL services: the one given, else the production host. A source of environment Test names its own.
    pub fn graphql(&self) -> HttpUrl {
        self.endpoints.as_ref().and_then(|e| e.graphql.clone()).unwrap_or_else(|| Self::GRAPHQL.into())
    }

    /// Base address of the token service: the one given, else the production host. A source of environment Test names its own.
    pub fn auth(&self) -> HttpUrl {
        self.endpoints.as_ref().and_then(|e| e.auth.clone()).unwrap_or_else(|| Self::AUTH.into())
    }
}

/// How a register's events are read.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SourceEvents {
    /// Time between two questions whether there is anything new, `1s` to `24h`.
    #[serde(default = "SourceEvents::default_poll_interval")]
    #[x_kube(validation = duration_between("1s", "24h"))]
    pub poll_interval: GoDuration,

    /// On which days the register loads, and so when silence is an alarm: `Weekdays` (Monday to Friday, not on Danish holidays) or
    /// `Daily`.
    #[serde(default)]
    pub calendar: LoadingDays,
}

impl SourceEvents {
    fn default_poll_interval() -> GoDuration {
        "60s".into()
    }
}

impl Default for SourceEvents {
    fn default() -> Self {
        Self { poll_interval: Self::default_poll_interval(), calendar: LoadingDays::default() }
    }
}

/// On which days a register loads.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadingDays {
    /// Monday to Friday, not on Danish holidays.
    #[default]
    Weekdays,
    /// Every day.
    Daily,
}

/// What the register granted.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// When the register's approval ends, such as `2027-05-11T00:00:00Z`. The condition `AccessExpiring` warns 60, 30 and 7 days ahead.
    pub expires_at: Instant,
}

/// What the operator says of a source.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CprSourceStatus {
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

    /// How far the register's events have been taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,

    /// What the register's services, as their schemas say, can be used for: reading events, reading persons by CPR number, reading
    /// persons by the register's PersonID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub capabilities: Vec<Capability>,

    /// How many workers read it. Absent where the platform makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkersStatus>,

    /// How it stands, point by point. `Ready` sums up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
}

/// How far a register's events have been taken in.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// Number of the last import that was taken in whole.
    pub import_sequence: i64,
}

/// Something that a register's services can be used for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Reading events.
    Events,
    /// Reading persons by CPR number.
    ReadByNumber,
    /// Reading persons by the register's permanent identifier.
    ReadByPersonId,
}
