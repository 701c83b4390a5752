//! Reads what a consumer refers to: the secrets of its deliveries, the certificates to trust.

use secrecy::{ExposeSecret, SecretString};

use super::access::{self, Read};
use crate::api::consumer::{ConsumerSystem, ConsumerSystemSpec};
use crate::api::names::USE_SIGNING;
use crate::delivery::credentials::SigningKeys;
use crate::domain::resource::ResourceKey;
use crate::domain::signing::SigningSecret;
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::secrets::{self, Data, Fingerprints};
use crate::operator::watch::Uses;
use crate::operator::workers::hand::{self, Consumer, File, OAuth};
use crate::operator::workers::wish::{Part, Secrets};

/// The most keys that may sign at the same time.
const MOST_KEYS: usize = 4;

/// What a consumer refers to.
pub struct Found {
    /// Namespace and name of the consumer.
    pub key: ResourceKey,
    /// What its deliveries are signed with.
    pub signing: Result<SigningKeys, Refusal>,
    /// What lets us in at its hosts.
    pub access: Read,
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
    let handed = for_workers(read.as_ref().map(|(_, texts)| texts), &access, &fleet.process.fingerprints);
    let signing = read.map(|(keys, _)| keys);
    let ca_bundle = match &delivery.ca_bundle_ref {
        Some(from) => secrets::read_ca_bundle(&fleet.client, &key.namespace, from).await?.map(Some),
        None => Ok(None),
    };
    Ok(Found { key, signing, access, handed, ca_bundle })
}

/// The file that workers are handed of what was read. Without secrets that sign there is none; what is spoilt is named, so that the
/// last of it stays; what lets us in and is gone is left out.
fn for_workers(signing: Result<&Vec<SecretString>, &Refusal>, access: &Read, fingerprints: &Fingerprints) -> Secrets {
    if signing.is_err_and(secrets::withdraws) {
        return Secrets::Withdrawn;
    }
    let refused = [
        (Part::Signing, signing.err()),
        (Part::OAuth, access.client.as_ref().err()),
        (Part::ClientCertificate, access.certificate.as_ref().err()),
    ];
    let spoilt = refused.into_iter().filter(|(_, refusal)| refusal.is_some_and(|refusal| !secrets::withdraws(refusal)));
    let file = File::Consumer(Consumer {
        signing: signing.cloned().unwrap_or_default(),
        oauth: access.client.as_ref().ok().and_then(|client| client.as_ref()).map(OAuth::from),
        client_certificate: access.certificate.as_ref().ok().and_then(|shown| Some(shown.as_ref()?.file.clone())),
    });
    hand::lacking(spoilt.map(|(part, _)| part).collect(), &file, fingerprints)
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
    use crate::delivery::credentials::OAuthClient;

    fn secret(byte: u8) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode([byte; 32]))
    }

    fn read(keys: &[(&str, &str)]) -> Result<SigningKeys, Refusal> {
        let data = keys.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect();
        signing_keys("signing", &data, &Fingerprints::new()).map(|(keys, _)| keys)
    }

    #[test]
    fn a_part_that_cannot_be_used_holds_up_no_other() {
        let fingerprints = Fingerprints::new();
        let refusal = |reason| Refusal::by_others(reason, "");
        let (good, spoilt, gone) =
            (vec![SecretString::from("whsec_a")], refusal("KeyMalformed"), refusal("SecretNotFound"));
        let client = Some(OAuthClient { id: "a".into(), secret: "b".into() });
        let handed = |signing, client: Result<_, &Refusal>, certificate: Result<_, &Refusal>| {
            let (client, certificate) = (client.map_err(Clone::clone), certificate.map_err(Clone::clone));
            for_workers(signing, &Read { client, certificate }, &fingerprints)
        };
        let given = |secrets: Secrets| match secrets {
            Secrets::Given { content, spoilt, .. } => (content.expose_secret().to_owned(), spoilt),
            other => panic!("{other:?}"),
        };
        let (content, named) = given(handed(Ok(&good), Ok(client.clone()), Err(&spoilt)));
        assert_eq!(content, r#"{"signing":["whsec_a"],"oauth":{"id":"a","secret":"b"}}"#);
        assert_eq!(named, [Part::ClientCertificate]);
        let (content, named) = given(handed(Err(&spoilt), Err(&spoilt), Err(&gone)));
        assert_eq!((content.as_str(), named), (r#"{"signing":[]}"#, vec![Part::Signing, Part::OAuth]));
        assert_eq!(handed(Err(&gone), Ok(client), Ok(None)), Secrets::Withdrawn);
        assert_ne!(handed(Ok(&good), Ok(None), Ok(None)), handed(Ok(&good), Ok(None), Err(&spoilt)));
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
