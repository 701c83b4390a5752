//! Checks a consumer with all that it refers to.

use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::dereference::Found;
use super::rights::{self, Rights};
use crate::api::consumer::ConsumerSystem;
use crate::api::delivery::{self, Delivery, Verification};
use crate::api::text::{GoDuration, HttpUrl};
use crate::domain::compiled::{OAuth2, Retry};
use crate::domain::resource::{Environment, ResourceKey};
use crate::operator::network::{self, Cut};
use crate::operator::refusal::Refusal;
use crate::operator::source::validate::address;

/// A consumer that may receive.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Namespace and name.
    pub key: ResourceKey,
    /// Name for people.
    pub display_name: String,
    /// The organisation that owns it.
    pub organisation: String,
    /// Its organisation number.
    pub cvr: String,
    /// What it may have.
    pub rights: Rights,
    /// The address that receives.
    pub url: Url,
    /// How the address proves itself.
    pub verification: Verification,
    /// Certificates to trust beside the system's.
    pub ca_bundle: Option<String>,
    /// For connect, headers and body together.
    pub timeout: Duration,
    /// Most requests at the same time.
    pub max_in_flight: u32,
    /// Most requests a second, if limited.
    pub rate_per_second: Option<u32>,
    /// When a failed delivery is tried again.
    pub retry: Retry,
    /// Private ranges that may be reached.
    pub networks: Cut,
    /// Where a token is had that goes along.
    pub oauth2: Option<OAuth2>,
    /// Whether a certificate of ours is shown.
    pub client_certificate: bool,
    /// Whether sending is suspended.
    pub suspended: bool,
}

/// Checks a consumer. `platform` are the ranges that the platform opens.
pub fn validate(consumer: &ConsumerSystem, found: &Found, platform: &[IpNet]) -> Result<Checked, Refusal> {
    let (spec, delivery) = (&consumer.spec, &consumer.spec.delivery);
    let rights = rights::rights(spec)?;
    if spec.environment == Environment::Production && delivery.verification == Verification::Status {
        return Err(invalid("delivery.verification: Status is for environment Test only: use Echo"));
    }
    Ok(Checked {
        key: found.key.clone(),
        display_name: spec.display_name.clone(),
        organisation: spec.owner.organisation.clone(),
        cvr: spec.owner.cvr.as_str().to_owned(),
        rights,
        url: url(&delivery.url, "delivery.url", spec.environment)?,
        verification: delivery.verification,
        ca_bundle: found.ca_bundle.clone()?,
        timeout: at_least(&delivery.timeout, Duration::from_millis(100), "delivery.timeout")?,
        max_in_flight: count(delivery.max_in_flight, "delivery.maxInFlight")?,
        rate_per_second: delivery.rate_per_second.map(|rate| count(rate, "delivery.ratePerSecond")).transpose()?,
        retry: retry(delivery)?,
        networks: network::cut(&delivery.allowed_networks, platform)?,
        oauth2: delivery.oauth2.as_ref().map(|oauth| oauth2(oauth, spec.environment)).transpose()?,
        client_certificate: client_certificate(delivery)?,
        suspended: spec.suspend,
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::by_author("InvalidSpec", message)
}

fn url(text: &HttpUrl, field: &str, environment: Environment) -> Result<Url, Refusal> {
    let form = "must be an address such as https://receiver.example.org/events, without user info, query and fragment";
    let url = address(text.as_str()).ok_or_else(|| invalid(format!("{field} {form}: correct it")))?;
    if environment == Environment::Production && url.scheme() != "https" {
        return Err(invalid(format!("with environment Production, {field} must start with https://")));
    }
    Ok(url)
}

fn oauth2(oauth: &delivery::OAuth2, environment: Environment) -> Result<OAuth2, Refusal> {
    Ok(OAuth2 {
        token_url: url(&oauth.token_url, "delivery.oauth2.tokenUrl", environment)?,
        scope: oauth.scope.clone(),
        audience: oauth.audience.clone(),
    })
}

fn client_certificate(delivery: &Delivery) -> Result<bool, Refusal> {
    let is_shown = delivery.client_certificate_ref.is_some();
    if is_shown && !delivery.url.as_str().starts_with("https://") {
        return Err(invalid("with delivery.clientCertificateRef, delivery.url must start with https://"));
    }
    Ok(is_shown)
}

fn at_least(text: &GoDuration, least: Duration, field: &str) -> Result<Duration, Refusal> {
    match text.parse() {
        Ok(duration) if duration >= least => Ok(duration),
        _ => Err(invalid(format!("{field} must be a duration such as 30s or 1h30m, and not too short: correct it"))),
    }
}

fn count(number: i32, field: &str) -> Result<u32, Refusal> {
    u32::try_from(number)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| invalid(format!("{field} must be at least 1: correct it")))
}

fn retry(delivery: &Delivery) -> Result<Retry, Refusal> {
    let second = Duration::from_secs(1);
    let initial = at_least(&delivery.retry.initial, second, "delivery.retry.initial")?;
    let max = at_least(&delivery.retry.max, second, "delivery.retry.max")?;
    let give_up_after = at_least(&delivery.retry.give_up_after, second, "delivery.retry.giveUpAfter")?;
    if max < initial {
        return Err(invalid("delivery.retry.max must be at least delivery.retry.initial"));
    }
    Ok(Retry { initial, max, give_up_after })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::super::access::Read;
    use super::*;
    use crate::domain::field_group::FieldGroup;
    use crate::operator::workers::wish::Secrets;

    /// A consumer whose spec is the smallest that passes, with members replaced.
    pub fn consumer(replaced: &[(&str, Value)]) -> ConsumerSystem {
        let mut spec = json!({
            "displayName": "Sample",
            "owner": { "organisation": "Example", "cvr": "12345678", "contact": "it@example.org" },
            "sector": "Public",
            "environment": "Test",
            "purposes": [{ "id": "case-work", "legalBases": ["GDPR-6-1-e"], "description": "Case work" }],
            "fields": ["Number", "Status", "Name", "Address"],
            "protectedPersons": "Mask",
            "delivery": { "url": "http://127.0.0.1:1/events", "signingSecretRef": { "name": "signing" } },
        });
        for (pointer, value) in replaced {
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[member] = value.clone();
        }
        let mut consumer = ConsumerSystem::new("sample", serde_json::from_value(spec).unwrap());
        consumer.metadata.namespace = Some("aalborg".to_owned());
        consumer
    }

    fn found() -> Found {
        let signing = Err(Refusal::by_others("SecretNotFound", ""));
        let (access, handed) = (Read { client: Ok(None), certificate: Ok(None) }, Secrets::Withdrawn);
        Found { key: ResourceKey::new("aalborg", "sample"), signing, access, handed, ca_bundle: Ok(None) }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let church = json!([{ "id": "a", "legalBases": ["GDPR-6-1-e"], "description": "d", "fields": ["Church"] }]);
        let beyond = json!([{ "id": "a", "legalBases": ["GDPR-6-1-e"], "description": "d", "fields": ["Birth"] }]);
        let twice = json!([
            { "id": "a", "legalBases": ["GDPR-6-1-e"], "description": "d" },
            { "id": "a", "legalBases": ["GDPR-6-1-e"], "description": "d" },
        ]);
        let private = ("/sector", json!("Private"));
        let oauth = json!({ "tokenUrl": "http://a:b@login.example.org/", "clientCredentialsRef": { "name": "a" } });
        for (replaced, message) in [
            (vec![("/environment", json!("Production"))], "https://"),
            (vec![("/delivery/url", json!("http://a:b@127.0.0.1/"))], "delivery.url"),
            (vec![("/delivery/oauth2", oauth)], "delivery.oauth2.tokenUrl"),
            (vec![("/delivery/clientCertificateRef", json!({ "name": "a" }))], "clientCertificateRef"),
            (vec![("/delivery/timeout", json!("0s"))], "delivery.timeout"),
            (vec![("/delivery/maxInFlight", json!(0))], "delivery.maxInFlight"),
            (vec![("/delivery/retry", json!({ "initial": "10s", "max": "1s" }))], "delivery.retry.max"),
            (vec![("/delivery/allowedNetworks", json!(["all"]))], "allowedNetworks"),
            (vec![("/protectedPersons", json!("Allow")), private.clone()], "Allow"),
            (vec![("/fields", json!(["PersonId"])), private.clone()], "PersonId"),
            (vec![private], "DBL-11-2"),
            (vec![("/fields", json!(["Church"])), ("/purposes", church)], "GDPR-9-2"),
            (vec![("/purposes", beyond)], "Birth"),
            (vec![("/purposes", twice)], "twice"),
        ] {
            let refusal = validate(&consumer(&replaced), &found(), &[]).unwrap_err();
            assert_eq!(refusal.reason, "InvalidSpec");
            assert!(refusal.message.contains(message), "{}", refusal.message);
        }
    }

    #[test]
    fn a_purpose_without_fields_has_the_consumers() {
        let checked = validate(&consumer(&[]), &found(), &[]).unwrap();
        assert_eq!(checked.rights.purposes["case-work"].granted, checked.rights.fields);
        assert!(checked.rights.fields.contains(FieldGroup::Name));
    }

    #[test]
    fn missing_certificates_refuse_the_consumer() {
        let found = Found { ca_bundle: Err(Refusal::by_others("ConfigMapNotFound", "")), ..found() };
        assert_eq!(validate(&consumer(&[]), &found, &[]).unwrap_err().reason, "ConfigMapNotFound");
    }
}
