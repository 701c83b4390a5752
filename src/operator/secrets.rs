//! Reading Secrets and ConfigMaps that resources name. A Secret is read only if its label says that it is meant for the place.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, ResourceExt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::SecretString;

use super::fleet::Fleet;
use super::refusal::Refusal;
use crate::api::common::ConfigMapKeyRef;
use crate::api::names::USE_LABEL;
use crate::domain::resource::ResourceKey;
use crate::runtime::handed::Handed;

/// The API server did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A Secret could not be read.
    #[error("Secret {name}: {source}")]
    Secret {
        /// Its name.
        name: String,
        /// Cause.
        source: kube::Error,
    },
    /// A ConfigMap could not be read.
    #[error("ConfigMap {name}: {source}")]
    ConfigMap {
        /// Its name.
        name: String,
        /// Cause.
        source: kube::Error,
    },
}

/// What a Secret holds, by key.
pub type Data = BTreeMap<String, ByteString>;

/// Reads the Secret `name` of a namespace for the place that `usage`, a value of the label, stands for.
pub async fn read_secret(
    client: &Client,
    namespace: &str,
    name: &str,
    usage: &str,
) -> Result<Result<Data, Refusal>, Error> {
    judge(Api::namespaced(client.clone(), namespace).get_opt(name).await, name, usage)
}

/// The same of a small one that is used at each look: read anew only if it has changed.
pub async fn read_kept(
    fleet: &Fleet,
    namespace: &str,
    name: &str,
    usage: &str,
) -> Result<Result<Data, Refusal>, Error> {
    let key = ResourceKey::new(namespace, name);
    if let Some(secret) = fleet.kept.get(&key) {
        return Ok(usable(Some(secret), name, usage));
    }
    let read = Api::namespaced(fleet.client.clone(), namespace).get_opt(name).await;
    if let Ok(Some(secret)) = &read {
        fleet.kept.keep(&key, secret);
    }
    judge(read, name, usage)
}

fn judge(read: kube::Result<Option<Secret>>, name: &str, usage: &str) -> Result<Result<Data, Refusal>, Error> {
    match read {
        Ok(secret) => Ok(usable(secret, name, usage)),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Err(forbidden("Secret", name))),
        Err(source) => Err(Error::Secret { name: name.to_owned(), source }),
    }
}

/// Reads certificates in PEM form from a ConfigMap.
pub async fn read_ca_bundle(
    client: &Client,
    namespace: &str,
    from: &ConfigMapKeyRef,
) -> Result<Result<String, Refusal>, Error> {
    let name = from.name.as_str();
    match Api::<ConfigMap>::namespaced(client.clone(), namespace).get_opt(name).await {
        Ok(map) => Ok(certificates(map, name, from.key.as_str())),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Err(forbidden("ConfigMap", name))),
        Err(source) => Err(Error::ConfigMap { name: name.to_owned(), source }),
    }
}

/// Whether a refusal takes back what was read before: the Secret is gone, or not meant for the place any more. One that is
/// only spoilt leaves the last good values in use.
pub fn withdraws(refusal: &Refusal) -> bool {
    matches!(refusal.reason, "SecretNotFound" | "SecretNotLabelled" | "InvalidSpec")
}

/// Hands over what was read for a resource, told from what it had by a fingerprint. What `withdraws` takes it away, and where
/// nothing is known yet it is said that there is none, for whoever waits cannot know. Whether there is news.
pub fn hand_over<T: Clone>(
    book: &Handed<T>,
    of: &ResourceKey,
    read: &Result<T, Refusal>,
    fingerprint: impl Fn(&T) -> &str,
) -> bool {
    let present = book.get(of);
    let news = match (read, &present) {
        (Ok(given), Some(present)) if fingerprint(given) == fingerprint(present) => return false,
        (Ok(given), _) => Some(given.clone()),
        (Err(refusal), Some(_)) if withdraws(refusal) => None,
        (Err(_), None) if !book.is_known(of) => None,
        (Err(_), _) => return false,
    };
    book.set(of, news);
    true
}

fn forbidden(kind: &str, name: &str) -> Refusal {
    let reason = if kind == "Secret" { "SecretForbidden" } else { "ConfigMapForbidden" };
    let message = format!(
        "the operator may not read {kind} {name}: give its service account the verbs get, list and watch on {}s in this namespace",
        kind.to_lowercase()
    );
    Refusal::by_others(reason, message)
}

/// What the Secret holds, if it is there and meant for the place.
fn usable(secret: Option<Secret>, name: &str, usage: &str) -> Result<Data, Refusal> {
    let Some(secret) = secret else {
        let message =
            format!("Secret {name} does not exist in this namespace: create it with the label {USE_LABEL}: {usage}");
        return Err(Refusal::by_others("SecretNotFound", message));
    };
    if secret.labels().get(USE_LABEL).map(String::as_str) != Some(usage) {
        let message = format!(
            "Secret {name} is not meant for this place: if it is, label it with kubectl label --overwrite secret {name} {USE_LABEL}={usage}"
        );
        return Err(Refusal::by_others("SecretNotLabelled", message));
    }
    Ok(secret.data.unwrap_or_default())
}

/// One key of a Secret as text, without white space around it.
pub fn text(data: &Data, secret: &str, key: &str) -> Result<SecretString, Refusal> {
    let Some(bytes) = data.get(key) else {
        let message = format!("Secret {secret} has no key {key}: add it");
        return Err(Refusal::by_others("KeyMissing", message));
    };
    let Ok(text) = std::str::from_utf8(&bytes.0) else {
        let message = format!("key {key} of Secret {secret} is no text: write it anew");
        return Err(Refusal::by_others("KeyMalformed", message));
    };
    match text.trim() {
        "" => Err(Refusal::by_others("KeyEmpty", format!("key {key} of Secret {secret} is empty: fill it"))),
        text => Ok(SecretString::from(text)),
    }
}

/// The certificates in a ConfigMap's key, checked to be some.
fn certificates(map: Option<ConfigMap>, name: &str, key: &str) -> Result<String, Refusal> {
    let Some(map) = map else {
        let message = format!("ConfigMap {name} does not exist in this namespace: create it, or remove caBundleRef");
        return Err(Refusal::by_others("ConfigMapNotFound", message));
    };
    let Some(pem) = map.data.unwrap_or_default().remove(key) else {
        let message = format!("ConfigMap {name} has no key {key}: add it");
        return Err(Refusal::by_others("KeyMissing", message));
    };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(pem),
        _ => {
            let message = format!("key {key} of ConfigMap {name} must hold certificates in PEM form");
            Err(Refusal::by_others("KeyMalformed", message))
        }
    }
}

/// Tells one set of secrets from another within this process, and nothing to anyone else.
#[derive(Clone)]
pub struct Fingerprints(hmac::Key);

impl Fingerprints {
    /// With a salt of this process.
    pub fn new() -> Self {
        let salt = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
        Self(hmac::Key::new(hmac::HMAC_SHA256, &salt))
    }

    /// The fingerprint of several values in their order.
    pub fn of<'a>(&self, values: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut mac = hmac::Context::with_key(&self.0);
        for value in values {
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value);
        }
        hex::encode(&mac.sign().as_ref()[..16])
    }
}

impl Default for Fingerprints {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn secret(label: Option<&str>, data: &[(&str, &[u8])]) -> Secret {
        let labels = label.map(|l| BTreeMap::from([(USE_LABEL.to_owned(), l.to_owned())]));
        let data = data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.to_vec()))).collect();
        Secret {
            metadata: kube::api::ObjectMeta { labels, ..Default::default() },
            data: Some(data),
            ..Default::default()
        }
    }

    fn reason<T>(result: Result<T, Refusal>) -> &'static str {
        result.err().map_or("none", |r| r.reason)
    }

    #[test]
    fn a_secret_is_used_only_where_its_label_says() {
        assert_eq!(reason(usable(None, "a", "source")), "SecretNotFound");
        assert_eq!(reason(usable(Some(secret(None, &[])), "a", "source")), "SecretNotLabelled");
        assert_eq!(reason(usable(Some(secret(Some("signing"), &[])), "a", "source")), "SecretNotLabelled");
        assert_eq!(reason(usable(Some(secret(Some("source"), &[])), "a", "source")), "none");
    }

    #[test]
    fn a_key_is_named_for_what_is_wrong_with_it() {
        let data = secret(None, &[("empty", b" \n"), ("binary", &[0xff]), ("good", b"canary\n")]).data.unwrap();
        for (key, expected) in
            [("absent", "KeyMissing"), ("empty", "KeyEmpty"), ("binary", "KeyMalformed"), ("good", "none")]
        {
            let read = text(&data, "s", key);
            assert!(read.as_ref().err().is_none_or(|r| r.message.contains(key)));
            assert_eq!(reason(read), expected, "{key}");
        }
    }

    #[test]
    fn a_bundle_without_certificates_is_malformed() {
        let map = |text: &str| {
            let data = Some(BTreeMap::from([("ca.crt".to_owned(), text.to_owned())]));
            Some(ConfigMap { data, ..Default::default() })
        };
        let made = rcgen::generate_simple_self_signed(["a.example.org".to_owned()]).unwrap();
        assert_eq!(reason(certificates(map(&made.cert.pem()), "m", "ca.crt")), "none");
        assert_eq!(reason(certificates(map("no certificate"), "m", "ca.crt")), "KeyMalformed");
        assert_eq!(reason(certificates(map(""), "m", "other")), "KeyMissing");
        assert_eq!(reason(certificates(None, "m", "ca.crt")), "ConfigMapNotFound");
    }

    #[test]
    fn fingerprints_differ_by_value_and_by_process() {
        let (here, there) = (Fingerprints::new(), Fingerprints::new());
        assert_eq!(here.of([b"ab".as_slice()]), here.of([b"ab".as_slice()]));
        assert_ne!(here.of([b"a".as_slice(), b"b"]), here.of([b"ab".as_slice()]));
        assert_ne!(here.of([b"ab".as_slice()]), there.of([b"ab".as_slice()]));
    }
}
