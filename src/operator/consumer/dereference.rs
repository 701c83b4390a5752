//! Reads what a consumer refers to: the secrets of its deliveries, the certificates to trust.

use secrecy::{ExposeSecret, SecretString};

use super::access::{self, Read};
use crate::api::consumer::{ConsumerSystem, ConsumerSystemSpec};
use crate::api::names::USE_SIGNING;
use crate::delivery::credentials::{Access, SigningKeys};
use crate::domain::resource::ResourceKey;
use crate::domain::signing::SigningSecret;
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::secrets::{self, Data, Fingerprints};
use crate::operator::watch::Uses;
use crate::operator::workers::hand::{self, Consumer, File, OAuth};
use crate::operator::workers::wish::Secrets;

/// The most keys that may sign at the same time.
const MOST_KEYS: usize = 4;

/// What a consumer refers to.
pub struct Found {
    /// Namespace and name of the consumer.
    pub key: ResourceKey,
    /// What its deliveries are signed with.
    pub signing: Result<SigningKeys, Refusal>,
    /// What lets us in at its hosts.
    pub access: Result<Access, Refusal>,
    /// All of it for its workers.
    pub handed: Secrets,
    /// Certificates to trust beside the system's.
    pub ca_bundle: Result<Option<String>, Refusal>,
}

/// Reads what a consumer refers to.
pub async fn dereference(consumer: &ConsumerSystem, fleet: &Fleet) -> Result<Found, Error> {
    let key = key_of(consumer);
    let delivery = &consumer.spec.delivery;
    let name = delivery.signing_secret_ref.name.as_str();
    let data = secrets::read_kept(fleet, &key.namespace, name, USE_SIGNING).await?;
    let read = data.and_then(|data| signing_keys(name, &data, &fleet.process.fingerprints));
    let access = access::read(delivery, &key.namespace, fleet).await?;
    let (signing, access, handed) = for_workers(read, access, &fleet.process.fingerprints);
    let ca_bundle = match &delivery.ca_bundle_ref {
        Some(from) => secrets::read_ca_bundle(&fleet.client, &key.namespace, from).await?.map(Some),
        None => Ok(None),
    };
    Ok(Found { key, signing, access, handed, ca_bundle })
}

/// What was read, and the file that workers are handed of it. Without secrets that sign there is none; where anything is spoilt the
/// last one stays as a whole; what lets us in and is gone is left out.
fn for_workers(
    signing: Result<(SigningKeys, Vec<SecretString>), Refusal>,
    access: Result<Read, Refusal>,
    fingerprints: &Fingerprints,
) -> (Result<SigningKeys, Refusal>, Result<Access, Refusal>, Secrets) {
    let (keys, texts) = match signing {
        Ok(read) => read,
        Err(refusal) => {
            let handed = hand::handed(Err(&refusal));
            return (Err(refusal), access.map(|read| read.access), handed);
        }
    };
    let (access, client_certificate) = match access {
        Ok(Read { access, certificate }) => (Ok(access), certificate),
        Err(refusal) if secrets::withdraws(&refusal) => (Err(refusal), None),
        Err(refusal) => {
            let handed = hand::handed(Err(&refusal));
            return (Ok(keys), Err(refusal), handed);
        }
    };
    let oauth = access.as_ref().ok().and_then(|access| access.oauth.as_ref()).map(OAuth::from);
    let let_in = access.as_ref().map_or("", |access| &access.fingerprint);
    let fingerprint = fingerprints.of([keys.fingerprint.as_bytes(), let_in.as_bytes()]);
    let file = File::Consumer(Consumer { signing: texts, oauth, client_certificate });
    (Ok(keys), access, hand::handed(Ok((file, &fingerprint))))
}

/// The secrets of all keys, in the order of the keys. One that is malformed refuses all, so that the last good set stays.
fn signing_keys(
    name: &str,
    data: &Data,
    fingerprints: &Fingerprints,
) -> Result<(SigningKeys, Vec<SecretString>), Refusal> {
    if data.is_empty() {
        let message = format!("Secret {name} has no keys: add one that holds whsec_ and the base64 of 24 to 64 bytes");
        return Err(Refusal::by_others("KeyMissing", message));
    }
    if data.len() > MOST_KEYS {
        let message =
            format!("Secret {name} has more than {MOST_KEYS} keys: remove those that the receiver no longer needs");
        return Err(Refusal::by_others("TooManyKeys", message));
    }
    let mut texts = Vec::new();
    let mut parsed = Vec::new();
    for key in data.keys() {
        let text = secrets::text(data, name, key)?;
        parsed.push(SigningSecret::parse(text.expose_secret()).map_err(|why| {
            Refusal::by_others("KeyMalformed", format!("key {key} of Secret {name} {why}: correct it"))
        })?);
        texts.push(text);
    }
    let fingerprint = fingerprints.of(texts.iter().map(|t| t.expose_secret().as_bytes()));
    Ok((SigningKeys { secrets: parsed, fingerprint }, texts))
}

/// Names of the Secrets or ConfigMaps that a consumer refers to.
pub fn names(spec: &ConsumerSystemSpec, uses: Uses) -> Vec<&str> {
    match uses {
        Uses::Secret => {
            let delivery = &spec.delivery;
            let oauth = delivery.oauth2.iter().map(|oauth| &oauth.client_credentials_ref);
            let named = [&delivery.signing_secret_ref].into_iter().chain(oauth).chain(&delivery.client_certificate_ref);
            named.map(|secret| secret.name.as_str()).collect()
        }
        Uses::ConfigMap => spec.delivery.ca_bundle_ref.iter().map(|r| r.name.as_str()).collect(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use k8s_openapi::ByteString;

    use super::*;

    fn secret(byte: u8) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode([byte; 32]))
    }

    fn read(keys: &[(&str, &str)]) -> Result<SigningKeys, Refusal> {
        let data = keys.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect();
        signing_keys("signing", &data, &Fingerprints::new()).map(|(keys, _)| keys)
    }

    #[test]
    fn every_key_signs_and_one_bad_key_is_named_without_its_value() {
        let (a, b) = (secret(1), secret(2));
        assert_eq!(read(&[("old", &a), ("new", &b)]).unwrap().secrets.len(), 2);
        let refusal = read(&[("old", &a), ("new", "whsec_canary")]).unwrap_err();
        assert_eq!(refusal.reason, "KeyMalformed");
        assert!(refusal.message.contains("key new") && !refusal.message.contains("canary"));
        assert_eq!(read(&[("old", "")]).unwrap_err().reason, "KeyEmpty");
        assert_eq!(read(&[]).unwrap_err().reason, "KeyMissing");
        let many = ["a", "b", "c", "d", "e"].map(|key| (key, a.as_str()));
        assert_eq!(read(&many).unwrap_err().reason, "TooManyKeys");
    }
}
