//! The register credentials in use: handed over by whoever may read them, never stored.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use secrecy::SecretString;

use crate::domain::resource::ResourceKey;

/// What a source is read with.
#[derive(Clone, Debug)]
pub struct SourceCredentials {
    /// OAuth client.
    pub client_id: SecretString,
    /// Its secret.
    pub client_secret: SecretString,
    /// Key for services that give their schema to API keys only.
    pub schema_api_key: Option<SecretString>,
    /// Changes when any of these does, and tells nothing more.
    pub fingerprint: String,
}

/// The credentials of all sources. Clones share one book.
#[derive(Clone, Debug, Default)]
pub struct CredentialBook(Arc<RwLock<HashMap<ResourceKey, Option<SourceCredentials>>>>);

impl CredentialBook {
    /// Puts a source's credentials in, or takes them out.
    pub fn set(&self, source: &ResourceKey, credentials: Option<SourceCredentials>) {
        self.0.write().expect("no holder of the book panics").insert(source.clone(), credentials);
    }

    /// A source's credentials, if they are there.
    pub fn get(&self, source: &ResourceKey) -> Option<SourceCredentials> {
        self.0.read().expect("no holder of the book panics").get(source).cloned().flatten()
    }

    /// Whether anybody has said yet whether a source has any; after a start that takes a moment.
    pub fn is_known(&self, source: &ResourceKey) -> bool {
        self.0.read().expect("no holder of the book panics").contains_key(source)
    }
}
