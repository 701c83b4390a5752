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

/// What was read, each part from a Secret of its own. One that cannot be used takes nothing from the other.
pub struct Read {
    /// The client of the token endpoint, where the consumer names one.
    pub client: Result<Option<OAuthClient>, Refusal>,
    /// What is shown to the receiver, where it names any.
    pub certificate: Result<Option<Shown>, Refusal>,
}

/// A certificate, for delivery in this process and in a worker's file.
#[derive(Clone)]
pub struct Shown {
    /// For this process.
    pub identity: Identity,
    /// For a worker's file.
    pub file: ClientCertificate,
}

impl Read {
    /// What lets us in. Of a part that is spoilt what is `present` stays; one that is gone, or not meant for this any more, is left out.
    pub fn access(&self, present: Option<&Access>, fingerprints: &Fingerprints) -> Access {
        let client = or_last(self.client.clone(), || present?.oauth.clone());
        let identity = self.certificate.clone().map(|shown| shown.map(|shown| shown.identity));
        put_together(client, or_last(identity, || present?.identity.clone()), fingerprints)
    }
}

fn or_last<T>(read: Result<Option<T>, Refusal>, last: impl FnOnce() -> Option<T>) -> Option<T> {
    match read {
        Ok(read) => read,
        Err(refusal) if secrets::withdraws(&refusal) => None,
        Err(_) => last(),
    }
}

/// Reads both Secrets, where the consumer names any.
pub async fn read(delivery: &Delivery, namespace: &str, fleet: &Fleet) -> Result<Read, Error> {
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
    Ok(Read { client, certificate })
}

fn client(secret: &str, data: &Data) -> Result<OAuthClient, Refusal> {
    Ok(OAuthClient {
        id: secrets::text(data, secret, "clientId")?,
        secret: secrets::text(data, secret, "clientSecret")?,
    })
}

fn certificate(secret: &str, data: &Data, now: Timestamp) -> Result<Shown, Refusal> {
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
        _ => Ok(Shown { identity, file: ClientCertificate { certificates, key } }),
    }
}

fn put_together(client: Option<OAuthClient>, identity: Option<Identity>, fingerprints: &Fingerprints) -> Access {
    let texts = client.iter().flat_map(|client| [client.id.expose_secret(), client.secret.expose_secret()]);
    let digest = identity.as_ref().map(Identity::digest);
    let parts = texts.map(str::as_bytes).chain(digest.iter().map(<[u8; 32]>::as_slice));
    let fingerprint = fingerprints.of(parts);
    Access { oauth: client, identity, fingerprint }
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
    fn a_part_that_is_spoilt_stays_as_it_was_and_the_other_is_new() {
        let fingerprints = Fingerprints::new();
        let client = |secret: &str| Ok(Some(OAuthClient { id: "a".into(), secret: secret.into() }));
        let spoilt = || Refusal::by_others("CertificateMalformed", "");
        let gone = || Refusal::by_others("SecretNotFound", "");
        let made = rcgen::generate_simple_self_signed(["client.example.org".to_owned()]).unwrap();
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let shown = super::certificate("mtls", &data(&[(CERTIFICATE, &pem), (KEY, &key)]), Timestamp::now());
        let before = Read { client: client("old"), certificate: shown.map(Some) }.access(None, &fingerprints);
        let of = |client, certificate| Read { client, certificate }.access(Some(&before), &fingerprints);
        let said = |access: &Access| {
            let secret = access.oauth.as_ref().map(|client| client.secret.expose_secret().to_owned());
            (secret.unwrap_or_default(), access.identity.is_some())
        };
        let after = of(client("new"), Err(spoilt()));
        assert_eq!(said(&after), ("new".to_owned(), true));
        assert_ne!(after.fingerprint, before.fingerprint);
        assert_eq!(said(&of(Err(spoilt()), Err(gone()))), ("old".to_owned(), false));
        assert_eq!(of(Err(spoilt()), Err(spoilt())).fingerprint, before.fingerprint);
        let at_first = Read { client: client("new"), certificate: Err(spoilt()) }.access(None, &fingerprints);
        assert_eq!(said(&at_first), ("new".to_owned(), false));
    }

    #[test]
    fn a_change_of_either_changes_the_fingerprint() {
        let fingerprints = Fingerprints::new();
        let of = |secret: Option<&str>| {
            let client = secret.map(|secret| OAuthClient { id: "a".into(), secret: secret.into() });
            put_together(client, None, &fingerprints).fingerprint
        };
        assert_eq!(of(Some("one")), of(Some("one")));
        assert_ne!(of(Some("one")), of(Some("two")));
        assert_ne!(of(Some("one")), of(None));
    }
}
