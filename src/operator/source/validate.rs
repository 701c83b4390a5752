//! Checks a source with all that it refers to. Repeats the rules that matter for safety: the schema in the cluster may be older.

use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::dereference::Found;
use super::grants;
use crate::api::source::{CprSource, CprSourceSpec, Datafordeler, LoadingDays, MunicipalityCodeForm};
use crate::api::text::{HttpUrl, ProxyUrl};
use crate::domain::grant::Grant;
use crate::domain::resource::{Environment, ResourceKey};
use crate::operator::fleet::Fleet;
use crate::operator::network::{self, Cut};
use crate::operator::refusal::Refusal;
use crate::operator::report;

/// Reason of the refusal of a root key that is not kept apart.
pub const ROOT_KEY_LOCAL: &str = "RootKeyLocal";

/// What the platform allows.
#[derive(Clone, Debug, Default)]
pub struct Platform {
    /// Ranges that it opens.
    pub networks: Vec<IpNet>,
    /// Whether the root key lies where real citizens' data must not depend on it.
    pub root_key_is_local: bool,
}

impl Platform {
    /// What the platform of this process allows.
    pub fn of(fleet: &Fleet) -> Self {
        let context = fleet.context();
        Self {
            networks: context.network.allowed_networks.clone(),
            root_key_is_local: context.store.root_key_is_local && !context.accept_local_root_key,
        }
    }
}

/// A source that may be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Namespace and name.
    pub key: ResourceKey,
    /// Test or production.
    pub environment: Environment,
    /// Base address of the GraphQL services.
    pub graphql: Url,
    /// Base address of the token service.
    pub auth: Url,
    /// Certificates to trust beside the system's.
    pub ca_bundle: Option<String>,
    /// The forward proxy by which they are reached.
    pub proxy: Option<Url>,
    /// Private ranges that may be reached.
    pub networks: Cut,
    /// Form of municipality codes.
    pub municipality_codes: MunicipalityCodeForm,
    /// Time between two readings.
    pub poll_interval: Duration,
    /// On which days the register loads.
    pub calendar: LoadingDays,
    /// Whether reading is suspended.
    pub suspended: bool,
    /// The last wish that it be read now.
    pub asked_at: Option<String>,
    /// What other namespaces may have of it.
    pub grants: Vec<Grant>,
}

/// Checks a source.
pub fn validate(source: &CprSource, found: &Found, platform: &Platform) -> Result<Checked, Refusal> {
    let spec = &source.spec;
    let register =
        spec.datafordeler.as_ref().ok_or_else(|| invalid("must name exactly one register: set datafordeler"))?;
    if spec.environment == Environment::Production && platform.root_key_is_local {
        return Err(root_key_local());
    }
    Ok(Checked {
        key: found.key.clone(),
        environment: spec.environment,
        graphql: endpoint(spec, register, &register.graphql(), "graphql")?,
        auth: endpoint(spec, register, &register.auth(), "auth")?,
        ca_bundle: found.ca_bundle.clone()?,
        proxy: register.proxy_url.as_ref().map(proxy).transpose()?,
        networks: network::cut(&register.allowed_networks, &platform.networks)?,
        municipality_codes: register.municipality_codes,
        poll_interval: poll_interval(spec)?,
        calendar: spec.events.calendar,
        suspended: spec.suspend,
        asked_at: report::asked_at(&source.metadata),
        grants: grants::of(&found.key.namespace, &spec.grants)?,
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::by_author("InvalidSpec", message)
}

fn root_key_local() -> Refusal {
    let message = "the root key lies beside the database, where whoever copies one has both: move it and set store.root_key_file, or accept this with store.accept_local_root_key";
    Refusal::by_others(ROOT_KEY_LOCAL, message)
}

fn poll_interval(spec: &CprSourceSpec) -> Result<Duration, Refusal> {
    match spec.events.poll_interval.parse() {
        Ok(interval) if interval >= Duration::from_secs(1) => Ok(interval),
        _ => Err(invalid("events.pollInterval must be a duration from 1s to 24h: correct it")),
    }
}

fn endpoint(spec: &CprSourceSpec, register: &Datafordeler, text: &HttpUrl, which: &str) -> Result<Url, Refusal> {
    let url = address(text.as_str()).ok_or_else(|| {
        invalid(format!("datafordeler.endpoints.{which} must be an address such as https://{which}.example.org, without user info, query and fragment: correct it"))
    })?;
    let production = is_production_host(&url);
    match spec.environment {
        Environment::Production if url.scheme() != "https" => Err(invalid(format!(
            "with environment Production, datafordeler.endpoints.{which} must start with https://"
        ))),
        Environment::Test if production || register.endpoints.is_none() => Err(invalid(format!(
            "with environment Test, datafordeler.endpoints.{which} must name a test environment of the register or a simulator, not a production host"
        ))),
        _ => Ok(url),
    }
}

fn proxy(text: &ProxyUrl) -> Result<Url, Refusal> {
    // A port that is the scheme's own is left out of what was parsed.
    let plain = address(text.as_str()).filter(|url| url.scheme() == "http" && url.path() == "/");
    plain.ok_or_else(|| {
        invalid("datafordeler.proxyUrl must be http, host and port of a forward proxy, such as http://egress.example.org:3128, without user and password: correct it")
    })
}

fn is_production_host(url: &Url) -> bool {
    let hosts = [Datafordeler::GRAPHQL, Datafordeler::AUTH].map(|known| known.trim_start_matches("https://"));
    url.host_str().is_some_and(|host| hosts.contains(&host.trim_end_matches('.')))
}

/// An absolute http or https address without user info, query and fragment.
pub fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (plain && matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A source whose spec is the smallest that passes with `change` merged in.
    pub fn source(change: &Value) -> CprSource {
        let mut spec = json!({
            "environment": "Test",
            "datafordeler": {
                "endpoints": { "graphql": "http://127.0.0.1:1", "auth": "http://127.0.0.1:2" },
                "credentialsRef": { "name": "client" },
            },
        });
        merge(&mut spec, change);
        let mut source = CprSource::new("register", serde_json::from_value(spec).unwrap());
        source.metadata.namespace = Some("aalborg".to_owned());
        source
    }

    fn merge(into: &mut Value, change: &Value) {
        match (into, change) {
            (Value::Object(into), Value::Object(change)) => {
                for (key, value) in change {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, change) => *into = change.clone(),
        }
    }

    fn found() -> Found {
        let credentials = Err(Refusal::by_others("SecretNotFound", ""));
        Found { key: ResourceKey::new("aalborg", "register"), credentials, ca_bundle: Ok(None) }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let production = json!({ "environment": "Production", "datafordeler": { "endpoints": null } });
        let open = Platform { networks: vec![], root_key_is_local: false };
        let local = Platform { networks: vec![], root_key_is_local: true };
        let cases = [
            (json!({}), &local, None),
            (production.clone(), &open, None),
            (production, &local, Some("RootKeyLocal")),
            (json!({ "datafordeler": null }), &open, Some("InvalidSpec")),
            (json!({ "datafordeler": { "endpoints": null } }), &open, Some("InvalidSpec")),
            (
                json!({ "datafordeler": { "endpoints": { "auth": "https://auth.datafordeler.dk" } } }),
                &open,
                Some("InvalidSpec"),
            ),
            (
                json!({ "datafordeler": { "endpoints": { "auth": "http://a:b@127.0.0.1" } } }),
                &open,
                Some("InvalidSpec"),
            ),
            (json!({ "environment": "Production" }), &open, Some("InvalidSpec")),
            (json!({ "datafordeler": { "proxyUrl": "http://egress.example.org:3128" } }), &open, None),
            (json!({ "datafordeler": { "proxyUrl": "https://egress.example.org:3128" } }), &open, Some("InvalidSpec")),
            (
                json!({ "datafordeler": { "proxyUrl": "http://a:b@egress.example.org:3128" } }),
                &open,
                Some("InvalidSpec"),
            ),
            (json!({ "datafordeler": { "proxyUrl": "http://egress.example.org:99999" } }), &open, Some("InvalidSpec")),
            (json!({ "events": { "pollInterval": "0s" } }), &open, Some("InvalidSpec")),
        ];
        for (change, platform, reason) in cases {
            let checked = validate(&source(&change), &found(), platform);
            assert_eq!(checked.err().map(|r| r.reason), reason, "{change}");
        }
    }

    #[test]
    fn a_range_that_the_platform_does_not_open_is_complained_of_and_left_out() {
        let asks = source(&json!({ "datafordeler": { "allowedNetworks": ["10.1.0.0/16"] } }));
        let checked = validate(&asks, &found(), &Platform::default()).unwrap();
        assert!(checked.networks.networks.is_empty());
        assert_eq!(checked.networks.complaint.unwrap().reason, "NetworkNotAllowed");
    }

    #[test]
    fn missing_certificates_refuse_the_source() {
        let refusal = Refusal::by_others("ConfigMapNotFound", "");
        let found = Found { ca_bundle: Err(refusal), ..found() };
        assert_eq!(
            validate(&source(&json!({})), &found, &Platform::default()).unwrap_err().reason,
            "ConfigMapNotFound"
        );
    }
}
