//! Secrets of a worker: files in a folder, one for each resource, taken in again whenever they change.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::delivery::credentials::{Access, AccessBook, OAuthClient, SigningBook, SigningKeys};
use crate::domain::resource::ResourceKey;
use crate::domain::signing::SigningSecret;
use crate::ingest::credentials::{CredentialBook, SourceCredentials};
use crate::net::identity::Identity;
use crate::operator::workers::hand::{Consumer, Credentials, File};
use crate::runtime::bell::Bells;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Where secrets go.
pub(super) struct Books {
    pub(super) signing: SigningBook,
    pub(super) access: AccessBook,
    pub(super) credentials: CredentialBook,
}

/// Takes secrets in until `stop`. A file that cannot be used leaves what was used before.
pub(super) async fn watch(folder: PathBuf, books: Books, bells: Bells, stop: CancellationToken) {
    let mut seen = HashMap::new();
    while !stop.is_cancelled() {
        match read(&folder) {
            Ok(files) => take_in(files, &mut seen, &books, &bells),
            Err(error) => tracing::warn!(folder = %folder.display(), %error, "secrets cannot be read"),
        }
        tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = stop.cancelled() => {} }
    }
}

/// The files by the resource that each is about.
fn read(folder: &Path) -> std::io::Result<HashMap<ResourceKey, Zeroizing<Vec<u8>>>> {
    let mut files = HashMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
        if let Some((namespace, name)) = name.and_then(|name| name.split_once('_')) {
            files.insert(ResourceKey::new(namespace, name), Zeroizing::new(std::fs::read(&path)?));
        }
    }
    Ok(files)
}

fn take_in(
    files: HashMap<ResourceKey, Zeroizing<Vec<u8>>>,
    seen: &mut HashMap<ResourceKey, String>,
    books: &Books,
    bells: &Bells,
) {
    for gone in seen.keys().filter(|key| !files.contains_key(key)).cloned().collect::<Vec<_>>() {
        seen.remove(&gone);
        books.signing.set(&gone, None);
        books.access.set(&gone, None);
        books.credentials.set(&gone, None);
    }
    for (key, content) in files {
        let fingerprint = hex::encode(digest::digest(&digest::SHA256, &content));
        if seen.get(&key) == Some(&fingerprint) {
            continue;
        }
        match hand_over(&key, &content, &fingerprint, books) {
            Ok(()) => tracing::info!(resource = %key, "secrets were taken in"),
            Err(problem) => tracing::error!(resource = %key, problem, "secrets cannot be used; those before stay"),
        }
        seen.insert(key, fingerprint);
        bells.ingest.ring_here();
        bells.delivery.ring_here();
    }
}

/// Why not, in words that hold nothing of the content.
fn hand_over(key: &ResourceKey, content: &[u8], fingerprint: &str, books: &Books) -> Result<(), &'static str> {
    let fingerprint = fingerprint.to_owned();
    match serde_json::from_slice(content).map_err(|_| "the file is not in the form that the operator writes")? {
        File::Consumer(consumer) => {
            let secrets = consumer.signing.iter().map(|text| SigningSecret::parse(text.expose_secret()));
            let secrets = secrets.collect::<Result<Vec<_>, _>>().map_err(|_| "a signing secret is malformed")?;
            let access = access(&consumer, &fingerprint)?;
            books.access.set(key, Some(access));
            books.signing.set(key, (!secrets.is_empty()).then_some(SigningKeys { secrets, fingerprint }));
        }
        File::Source(Credentials { client_id, client_secret, schema_api_key }) => {
            let credentials = SourceCredentials { client_id, client_secret, schema_api_key, fingerprint };
            books.credentials.set(key, Some(credentials));
        }
    }
    Ok(())
}

/// What lets us in at the consumer's hosts.
fn access(consumer: &Consumer, fingerprint: &str) -> Result<Access, &'static str> {
    let identity = consumer.client_certificate.as_ref().map(|given| {
        Identity::parse(given.certificates.as_bytes(), given.key.expose_secret().as_bytes())
            .map_err(|_| "the client certificate cannot be used")
    });
    let oauth = consumer.oauth.as_ref();
    Ok(Access {
        oauth: oauth.map(|client| OAuthClient { id: client.id.clone(), secret: client.secret.clone() }),
        identity: identity.transpose()?,
        fingerprint: fingerprint.to_owned(),
    })
}
