//! Reads what a source refers to: its credentials, its schema key, its certificates.

use secrecy::ExposeSecret;

use crate::api::names::USE_SOURCE;
use crate::api::source::{CprSource, CprSourceSpec, Datafordeler};
use crate::domain::resource::ResourceKey;
use crate::ingest::credentials::SourceCredentials;
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::secrets::{self, Data, Fingerprints};
use crate::operator::watch::Uses;
use crate::operator::workers::hand::{self, Credentials, File};
use crate::operator::workers::wish::Secrets;

/// What a source refers to.
pub struct Found {
    /// Namespace and name of the source.
    pub key: ResourceKey,
    /// What the register is spoken to with.
    pub credentials: Result<SourceCredentials, Refusal>,
    /// Certificates to trust beside the system's.
    pub ca_bundle: Result<Option<String>, Refusal>,
}

impl Found {
    /// What its workers are handed.
    pub fn handed(&self) -> Secrets {
        hand::handed(self.credentials.as_ref().map(|given| (file(given), given.fingerprint.as_str())))
    }
}

fn file(given: &SourceCredentials) -> File {
    let SourceCredentials { client_id, client_secret, schema_api_key, .. } = given.clone();
    File::Source(Credentials { client_id, client_secret, schema_api_key })
}

/// Reads what a source refers to.
pub async fn dereference(source: &CprSource, fleet: &Fleet) -> Result<Found, Error> {
    let key = key_of(source);
    let Some(register) = &source.spec.datafordeler else {
        let refusal = Refusal::by_author("InvalidSpec", "must name exactly one register: set datafordeler");
        return Ok(Found { key, credentials: Err(refusal), ca_bundle: Ok(None) });
    };
    let credentials = read_credentials(register, &key, fleet).await?;
    let ca_bundle = match &register.ca_bundle_ref {
        Some(from) => secrets::read_ca_bundle(&fleet.client, &key.namespace, from).await?.map(Some),
        None => Ok(None),
    };
    Ok(Found { key, credentials, ca_bundle })
}

async fn read_credentials(
    register: &Datafordeler,
    key: &ResourceKey,
    fleet: &Fleet,
) -> Result<Result<SourceCredentials, Refusal>, Error> {
    let name = register.credentials_ref.name.as_str();
    let own = secrets::read_kept(fleet, &key.namespace, name, USE_SOURCE).await?;
    let schema = match &register.schema_api_key_ref {
        Some(from) => Some(secrets::read_kept(fleet, &key.namespace, from.name.as_str(), USE_SOURCE).await?),
        None => None,
    };
    Ok(credentials(register, own, schema, &fleet.process.fingerprints))
}

fn credentials(
    register: &Datafordeler,
    own: Result<Data, Refusal>,
    schema: Option<Result<Data, Refusal>>,
    fingerprints: &Fingerprints,
) -> Result<SourceCredentials, Refusal> {
    let (name, own) = (register.credentials_ref.name.as_str(), own?);
    let client_id = secrets::text(&own, name, "clientId")?;
    let client_secret = secrets::text(&own, name, "clientSecret")?;
    let schema_api_key = match (&register.schema_api_key_ref, schema) {
        (Some(from), Some(data)) => Some(secrets::text(&data?, from.name.as_str(), from.key.as_str())?),
        _ => None,
    };
    let parts = [Some(&client_id), Some(&client_secret), schema_api_key.as_ref()];
    let fingerprint = fingerprints.of(parts.into_iter().flatten().map(|s| s.expose_secret().as_bytes()));
    Ok(SourceCredentials { client_id, client_secret, schema_api_key, fingerprint })
}

/// Names of the Secrets or ConfigMaps that a source refers to.
pub fn names(spec: &CprSourceSpec, uses: Uses) -> Vec<&str> {
    let Some(register) = &spec.datafordeler else { return Vec::new() };
    match uses {
        Uses::Secret => {
            let schema = register.schema_api_key_ref.as_ref().map(|r| r.name.as_str());
            std::iter::once(register.credentials_ref.name.as_str()).chain(schema).collect()
        }
        Uses::ConfigMap => register.ca_bundle_ref.iter().map(|r| r.name.as_str()).collect(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn register() -> Datafordeler {
        serde_json::from_value(serde_json::json!({
            "credentialsRef": { "name": "client" },
            "schemaApiKeyRef": { "name": "schema", "key": "apiKey" },
        }))
        .unwrap()
    }

    fn data(keys: &[(&str, &str)]) -> Result<Data, Refusal> {
        Ok(keys.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect())
    }

    #[test]
    fn every_part_has_to_be_there_and_changes_the_fingerprint() {
        let fingerprints = Fingerprints::new();
        let read = |own, schema| credentials(&register(), own, Some(schema), &fingerprints);
        let own = || data(&[("clientId", "a"), ("clientSecret", "b")]);
        let good = read(own(), data(&[("apiKey", "c")])).unwrap();
        let other = read(own(), data(&[("apiKey", "d")])).unwrap();
        assert_ne!(good.fingerprint, other.fingerprint);
        assert_eq!(read(data(&[("clientId", "a")]), data(&[("apiKey", "c")])).unwrap_err().reason, "KeyMissing");
        assert_eq!(read(own(), data(&[("apiKey", " ")])).unwrap_err().reason, "KeyEmpty");
        let missing = Refusal::by_others("SecretNotFound", "");
        assert_eq!(read(Err(missing), data(&[])).unwrap_err().reason, "SecretNotFound");
    }
}
