//! The register credentials in use: handed over by whoever may read them, never stored.

use secrecy::SecretString;

use crate::runtime::handed::Handed;

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

/// The credentials of all sources.
pub type CredentialBook = Handed<SourceCredentials>;
