//! The `delivery` part of a `ConsumerSystem`: where and how events go, and how that stands.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{ConfigMapKeyRef, SecretRef, duration_between};
use super::text::{GoDuration, HttpUrl, PrivateRange};

/// Where and how a consumer's events go.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("!has(self.clientCertificateRef) || self.url.startsWith('https://')")
        .message("a client certificate is shown over TLS only: let delivery.url start with https://, or remove clientCertificateRef")
        .field_path(".clientCertificateRef"),
)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Address that receives signed POST requests, such as `https://casework.example.org/cpr/events`. `https`; `http` only with
    /// environment `Test`. It has to answer a signed challenge before the first event is sent.
    pub url: HttpUrl,

    /// Secret labelled `cpr-operator.dev/use: signing`. Each of its keys, at most four, is one secret that begins with `whsec_`; all of
    /// them sign, so that an old and a new one can overlap.
    pub signing_secret_ref: SecretRef,

    /// How the address proves that it is the receiver: `Echo` (it returns the challenge) or, with environment `Test` only, `Status`
    /// (it answers 2xx).
    #[serde(default)]
    pub verification: Verification,

    /// Certificates in PEM form to trust beside the system's, such as those of an internal authority. Also for the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<ConfigMapKeyRef>,

    /// Secret labelled `cpr-operator.dev/use: client-certificate`, such as one of type `kubernetes.io/tls`: `tls.crt` holds the
    /// certificate that is shown to the receiver, its own first and then its chain, and `tls.key` the key of the first, both in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretRef>,

    /// A bearer token goes along with each request, had by OAuth 2.0 client credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,

    /// Time for connecting, sending and the answer together, `100ms` to `60s`. A token is had before, in 10 s at most.
    #[serde(default = "Delivery::default_timeout")]
    #[x_kube(validation = duration_between("100ms", "60s"))]
    pub timeout: GoDuration,

    /// Most requests at the same time, 1 to 1024. The real number grows and shrinks below this.
    #[serde(default = "Delivery::default_max_in_flight")]
    #[schemars(range(min = 1, max = 1024))]
    pub max_in_flight: i32,

    /// Most requests a second, 1 to 100000. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100000))]
    pub rate_per_second: Option<i32>,

    /// When a delivery that failed is tried again.
    #[serde(default)]
    pub retry: Retry,

    /// Private ranges that the address, and that of the token endpoint, may resolve to, such as `10.20.0.0/16`, within what the platform's settings allow. Empty:
    /// public addresses only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub allowed_networks: Vec<PrivateRange>,
}

impl Delivery {
    fn default_timeout() -> GoDuration {
        "10s".into()
    }

    fn default_max_in_flight() -> i32 {
        32
    }
}

/// Where and for what a token is had (RFC 6749, section 4.4).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2 {
    /// Token endpoint, such as `https://login.example.org/oauth2/token`. `https`; `http` only with environment `Test`. The client's
    /// id and secret are sent by HTTP Basic.
    pub token_url: HttpUrl,

    /// Secret labelled `cpr-operator.dev/use: oauth` with the keys `clientId` and `clientSecret`.
    pub client_credentials_ref: SecretRef,

    /// Scopes to ask for, with a space between. Absent: what the endpoint gives by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^[!#-[\\\\]-~]+( [!#-[\\\\]-~]+)*$')").message("must be scopes with one space between, such as: events.write"))]
    pub scope: Option<String>,

    /// For whom the token is meant, where the endpoint wants to know: sent as `audience`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub audience: Option<String>,
}

/// How an address proves that it is the receiver.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// It returns the challenge.
    #[default]
    Echo,
    /// It answers 2xx.
    Status,
}

/// When a delivery that failed is tried again: exponentially from `initial` to `max`, until `giveUpAfter`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("!self.initial.matches('^([0-9]{1,6}(ms|s|m)|[0-9]{1,5}h)+$') || !self.max.matches('^([0-9]{1,6}(ms|s|m)|[0-9]{1,5}h)+$') || duration(self.max) >= duration(self.initial)")
        .message("max must be at least initial")
        .field_path(".max"),
)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Wait after the first failure, `1s` to `1h`.
    #[serde(default = "Retry::default_initial")]
    #[x_kube(validation = duration_between("1s", "1h"))]
    pub initial: GoDuration,

    /// Longest wait, `1s` to `24h`.
    #[serde(default = "Retry::default_max")]
    #[x_kube(validation = duration_between("1s", "24h"))]
    pub max: GoDuration,

    /// Time after which an event that cannot be delivered becomes a dead letter, `1s` to `720h`. Only time counts in which the event
    /// itself was refused, not an outage of the whole receiver.
    #[serde(default = "Retry::default_give_up_after")]
    #[x_kube(validation = duration_between("1s", "720h"))]
    pub give_up_after: GoDuration,
}

impl Retry {
    fn default_initial() -> GoDuration {
        "5s".into()
    }

    fn default_max() -> GoDuration {
        "1h".into()
    }

    fn default_give_up_after() -> GoDuration {
        "168h".into()
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial: Self::default_initial(),
            max: Self::default_max(),
            give_up_after: Self::default_give_up_after(),
        }
    }
}

/// How a consumer's deliveries stand. Numbers are written along with a change of a condition, else at most every ten minutes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// Deliveries that wait for their first attempt.
    #[serde(default)]
    pub pending: i64,

    /// Persons whose next delivery waits for another attempt.
    #[serde(default)]
    pub parked: i64,

    /// Deliveries that were given up and neither retried nor dropped since: see `cpr-operator deadletters`.
    #[serde(default)]
    pub dead_lettered: i64,

    /// When a delivery was last accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at: Option<Time>,

    /// `Closed`: deliveries flow. `Open`: the receiver fails as a whole and is left alone, but for one delivery now and then that
    /// tries whether it is back.
    #[serde(default)]
    pub circuit: Circuit,
}

/// Whether deliveries flow to a consumer.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Circuit {
    /// Deliveries flow.
    #[default]
    Closed,
    /// The receiver fails as a whole and is left alone, but for one delivery now and then.
    Open,
}
