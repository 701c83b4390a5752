//! What lets us in at a consumer's hosts: the client of its token endpoint, and the certificate that is shown to its receiver.

use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::api::delivery::Delivery;
use crate::api::names::{USE_CLIENT_CERTIFICATE, USE_OAUTH};
use crate::delivery::credentials::{Access, OAuthClient};
use crate::net::identity::Identity;
use crate::operator::fleet::Fleet;
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::secrets::{self, Data, Fingerprints};
use crate::operator::workers::hand::ClientCertificate;

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// What was read, for delivery in this process and in a worker's file.
pub struct Read {
    /// For this process.
    pub access: Access,
    /// For a worker's file, beside the client.
    pub certificate: Option<ClientCertificate>,
}

/// Reads both Secrets, where the consumer names any.
pub async fn read(delivery: &Delivery, namespace: &str, fleet: &Fleet) -> Result<Result<Read, Refusal>, Error> {
    let client = match &delivery.oauth2 {
        Some(oauth) => {
            let name = oauth.client_credentials_ref.name.as_str();
            let data = secrets::read_kept(fleet, namespace, name, USE_OAUTH).await?;
            data.and_then(|data| client(name, &data)).map(Some)
        }
        None => Ok(None),
    };
    let certificate = match &delivery.client_certificate_ref {
        Some(from) => {
            let name = from.name.as_str();
            let data = secrets::read_kept(fleet, namespace, name, USE_CLIENT_CERTIFICATE).await?;
            data.and_then(|data| certificate(name, &data, fleet.now())).map(Some)
        }
        None => Ok(None),
    };
    Ok(client.and_then(|client| Ok(put_together(client, certificate?, &fleet.process.fingerprints))))
}

fn client(secret: &str, data: &Data) -> Result<OAuthClient, Refusal> {
    Ok(OAuthClient {
        id: secrets::text(data, secret, "clientId")?,
        secret: secrets::text(data, secret, "clientSecret")?,
    })
}

fn certificate(secret: &str, data: &Data, now: Timestamp) -> Result<(Identity, ClientCertificate), Refusal> {
    let certificates = secrets::text(data, secret, CERTIFICATE)?.expose_secret().to_owned();
    let key = secrets::text(data, secret, KEY)?;
    let identity = Identity::parse(certificates.as_bytes(), key.expose_secret().as_bytes());
    let identity = identity.map_err(|unfit| {
        let message = format!("Secret {secret} {unfit}: write {CERTIFICATE} and {KEY} anew, from one issuance");
        Refusal::by_others("CertificateMalformed", message)
    })?;
    let refusal =
        |reason, said: String| Err(Refusal::by_others(reason, format!("the certificate in Secret {secret} {said}")));
    match (identity.not_before, identity.not_after) {
        (_, until) if until <= now => refusal("CertificateExpired", format!("ended at {until}: renew it")),
        (from, _) if from > now => {
            refusal("CertificateNotYetValid", format!("begins at {from}: wait, or use another; check the clock too"))
        }
        _ => Ok((identity, ClientCertificate { certificates, key })),
    }
}

fn put_together(
    client: Option<OAuthClient>,
    certificate: Option<(Identity, ClientCertificate)>,
    fingerprints: &Fingerprints,
) -> Read {
    let (identity, certificate) = certificate.unzip();
    let texts = client.iter().flat_map(|client| [client.id.expose_secret(), client.secret.expose_secret()]);
    let digest = identity.as_ref().map(Identity::digest);
    let parts = texts.map(str::as_bytes).chain(digest.iter().map(<[u8; 32]>::as_slice));
    let fingerprint = fingerprints.of(parts);
    Read { access: Access { oauth: client, identity, fingerprint }, certificate }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn data(entries: &[(&str, &str)]) -> Data {
        entries.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
    }

    #[test]
    fn a_certificate_that_cannot_be_shown_is_refused_with_what_to_do() {
        let made = || rcgen::generate_simple_self_signed(["client.example.org".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        let (pem, key, wrong) = (one.cert.pem(), one.signing_key.serialize_pem(), other.signing_key.serialize_pem());
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let read = |certificate: &str, key: &str, now| {
            let read = super::certificate("mtls", &data(&[(CERTIFICATE, certificate), (KEY, key)]), now);
            read.map_or_else(|refusal| (refusal.reason, refusal.message), |_| ("none", String::new()))
        };
        assert_eq!(read(&pem, &key, now).0, "none");
        let (reason, message) = read(&pem, &wrong, now);
        assert_eq!(reason, "CertificateMalformed");
        assert!(message.contains("is not that of the first certificate") && !message.contains("BEGIN"), "{message}");
        assert_eq!(read(&pem, &key, "4097-01-01T00:00:00Z".parse().unwrap()).0, "CertificateExpired");
        assert_eq!(read(&pem, &key, "1960-01-01T00:00:00Z".parse().unwrap()).0, "CertificateNotYetValid");
        assert_eq!(read("", &key, now).0, "KeyEmpty");
        assert_eq!(client("oauth", &data(&[("clientId", "a")])).unwrap_err().reason, "KeyMissing");
    }

    #[test]
    fn a_change_of_either_changes_the_fingerprint() {
        let fingerprints = Fingerprints::new();
        let of = |secret: Option<&str>| {
            let client = secret.map(|secret| OAuthClient { id: "a".into(), secret: secret.into() });
            put_together(client, None, &fingerprints).access.fingerprint
        };
        assert_eq!(of(Some("one")), of(Some("one")));
        assert_ne!(of(Some("one")), of(Some("two")));
        assert_ne!(of(Some("one")), of(None));
    }
}
