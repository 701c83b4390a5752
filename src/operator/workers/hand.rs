//! The files by which workers are handed their secrets: written here, read by each worker from the Secret that it mounts.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::wish::{Part, Secrets};
use crate::delivery::credentials::OAuthClient;
use crate::domain::resource::ResourceKey;
use crate::operator::refusal::Refusal;
use crate::operator::secrets::{Fingerprints, withdraws};

/// What a consumer's file holds where there is nothing to sign with.
pub const NO_SIGNING: &str = r#"{"signing":[]}"#;

/// The longest name of a file and of a key in a Secret.
const LONGEST: usize = 253;

/// What a file holds: of a consumer its secrets, of a source what its register knows it by.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum File {
    /// Of a consumer.
    Consumer(Consumer),
    /// Of a source.
    Source(Credentials),
}

/// The secrets of a consumer's deliveries.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consumer {
    /// Those that sign, each with its `whsec_`.
    #[serde(serialize_with = "exposed_each")]
    pub signing: Vec<SecretString>,
    /// The client for whom the token endpoint gives tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
    /// What is shown to the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

/// A client of a token endpoint.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OAuth {
    /// Its id.
    #[serde(serialize_with = "exposed")]
    pub id: SecretString,
    /// Its secret.
    #[serde(serialize_with = "exposed")]
    pub secret: SecretString,
}

impl From<&OAuthClient> for OAuth {
    fn from(client: &OAuthClient) -> Self {
        Self { id: client.id.clone(), secret: client.secret.clone() }
    }
}

/// A certificate with its key, both in PEM.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientCertificate {
    /// The chain, our own first.
    pub certificates: String,
    /// The key of the first.
    #[serde(serialize_with = "exposed")]
    pub key: SecretString,
}

/// What a register knows us by.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// OAuth client.
    #[serde(serialize_with = "exposed")]
    pub client_id: SecretString,
    /// Its secret.
    #[serde(serialize_with = "exposed")]
    pub client_secret: SecretString,
    /// Key for services that give their schema to API keys only.
    #[serde(default, serialize_with = "exposed_if_any", skip_serializing_if = "Option::is_none")]
    pub schema_api_key: Option<SecretString>,
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn exposed_each<S: Serializer>(secrets: &[SecretString], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(ExposeSecret::expose_secret))
}

fn exposed_if_any<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

/// The name of a resource's file. No namespace has an underscore.
pub fn file_name(of: &ResourceKey) -> String {
    format!("{}_{}.json", of.namespace, of.name)
}

/// Whether a file can have a resource's name.
pub fn check_name(of: &ResourceKey) -> Result<(), Refusal> {
    let length = file_name(of).len();
    if length <= LONGEST {
        return Ok(());
    }
    let message = format!(
        "namespace and name together are {} characters too long for a worker: make the resource anew under a shorter name",
        length - LONGEST
    );
    Err(Refusal::by_author("NameTooLong", message))
}

/// What a worker is handed of what was read: a file with a fingerprint, or why there is none.
pub fn handed(read: Result<(File, &str), &Refusal>) -> Secrets {
    match read {
        Ok((file, fingerprint)) => {
            Secrets::Given { content: text(&file).into(), fingerprint: fingerprint.to_owned(), spoilt: Vec::new() }
        }
        Err(refusal) if withdraws(refusal) => Secrets::Withdrawn,
        Err(_) => Secrets::Spoilt,
    }
}

/// A file that lacks what is spoilt.
pub fn lacking(spoilt: Vec<Part>, file: &File, fingerprints: &Fingerprints) -> Secrets {
    let content = text(file);
    let fingerprint = fingerprints.of([content.as_bytes(), format!("{spoilt:?}").as_bytes()]);
    Secrets::Given { content: content.into(), fingerprint, spoilt }
}

fn text(file: &File) -> String {
    serde_json::to_string(file).expect("it is plain data")
}

/// The content of a file, with what is spoilt as `present`, the file there is, has it.
pub fn filled(content: &str, spoilt: &[Part], present: Option<&[u8]>) -> String {
    let parsed = |bytes: &[u8]| match serde_json::from_slice(bytes) {
        Ok(File::Consumer(consumer)) => Some(consumer),
        _ => None,
    };
    let both = present.filter(|_| !spoilt.is_empty()).and_then(parsed).zip(parsed(content.as_bytes()));
    let Some((old, mut new)) = both else { return content.to_owned() };
    if spoilt.contains(&Part::Signing) {
        new.signing = old.signing;
    }
    if spoilt.contains(&Part::OAuth) {
        new.oauth = old.oauth;
    }
    if spoilt.contains(&Part::ClientCertificate) {
        new.client_certificate = old.client_certificate;
    }
    text(&File::Consumer(new))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn content(file: File) -> String {
        match handed(Ok((file, "a"))) {
            Secrets::Given { content, .. } => content.expose_secret().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let signing = vec!["whsec_a".into(), "whsec_b".into()];
        let plain = |signing| Consumer { signing, oauth: None, client_certificate: None };
        let text = content(File::Consumer(plain(signing)));
        assert_eq!(text, r#"{"signing":["whsec_a","whsec_b"]}"#);
        let File::Consumer(read) = serde_json::from_str(&text).unwrap() else { panic!("a consumer's") };
        assert_eq!(read.signing.len(), 2);
        let oauth = Some(OAuth { id: "a".into(), secret: "b".into() });
        let client_certificate = Some(ClientCertificate { certificates: "c".into(), key: "d".into() });
        let text = content(File::Consumer(Consumer { oauth, client_certificate, ..plain(Vec::new()) }));
        let File::Consumer(read) = serde_json::from_str(&text).unwrap() else { panic!("a consumer's") };
        assert_eq!(read.oauth.unwrap().secret.expose_secret(), "b");
        assert_eq!(read.client_certificate.unwrap().key.expose_secret(), "d");
        let client = |schema_api_key| Credentials { client_id: "a".into(), client_secret: "b".into(), schema_api_key };
        assert_eq!(content(File::Source(client(None))), r#"{"clientId":"a","clientSecret":"b"}"#);
        let text = content(File::Source(client(Some("c".into()))));
        let File::Source(read) = serde_json::from_str(&text).unwrap() else { panic!("a source's") };
        assert_eq!(read.schema_api_key.unwrap().expose_secret(), "c");
        assert!(matches!(serde_json::from_str(NO_SIGNING), Ok(File::Consumer(none)) if none.signing.is_empty()));
    }

    #[test]
    fn what_is_spoilt_is_as_it_was_and_the_rest_is_new() {
        let oauth = |secret: &str| Some(OAuth { id: "a".into(), secret: secret.into() });
        let shown = || Some(ClientCertificate { certificates: "c".into(), key: "d".into() });
        let old = Consumer { signing: vec!["whsec_old".into()], oauth: oauth("old"), client_certificate: shown() };
        let old = content(File::Consumer(old));
        let new = Consumer { signing: vec!["whsec_new".into()], oauth: oauth("new"), client_certificate: None };
        let new = content(File::Consumer(new));
        let with = |spoilt: &[Part], present: Option<&str>| filled(&new, spoilt, present.map(str::as_bytes));
        let expected = r#"{"signing":["whsec_new"],"oauth":{"id":"a","secret":"new"},"clientCertificate":{"certificates":"c","key":"d"}}"#;
        assert_eq!(with(&[Part::ClientCertificate], Some(&old)), expected);
        let all = [Part::Signing, Part::OAuth, Part::ClientCertificate];
        assert_eq!((with(&all, Some(&old)), with(&[], Some(&old))), (old.clone(), new.clone()));
        for nothing in [None, Some("no file"), Some(r#"{"clientId":"a","clientSecret":"b"}"#)] {
            assert_eq!(with(&all, nothing), new);
        }
    }

    #[test]
    fn a_name_that_no_file_can_have_is_refused() {
        let named = |length: usize| check_name(&ResourceKey::new("tenant", "x".repeat(length)));
        assert!(named(241).is_ok());
        let refusal = named(253).unwrap_err();
        assert!(refusal.message.contains("12 characters too long"), "{}", refusal.message);
    }
}
