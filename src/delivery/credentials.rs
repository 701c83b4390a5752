//! The secrets in use: those that sign, and those by which a consumer's hosts let us in. Handed over by whoever may read them,
//! never stored.

use secrecy::SecretString;

use crate::domain::signing::SigningSecret;
use crate::net::identity::Identity;
use crate::runtime::handed::Handed;

/// All valid secrets of one consumer; each signs. The fingerprint tells one set from another and nothing more.
#[derive(Clone, Debug)]
pub struct SigningKeys {
    /// One to four secrets.
    pub secrets: Vec<SigningSecret>,
    /// Changes when the set does.
    pub fingerprint: String,
}

/// The secrets of all consumers.
pub type SigningBook = Handed<SigningKeys>;

/// What a consumer's hosts know us by, beside signatures. The fingerprint tells one set from another and nothing more.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The client for whom its token endpoint gives tokens.
    pub oauth: Option<OAuthClient>,
    /// The certificate that is shown to the receiver.
    pub identity: Option<Identity>,
    /// Changes when either does.
    pub fingerprint: String,
}

/// A client of an OAuth2 token endpoint.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Its id.
    pub id: SecretString,
    /// Its secret.
    pub secret: SecretString,
}

/// What is known of all consumers.
pub type AccessBook = Handed<Access>;
