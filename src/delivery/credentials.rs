//! The signing secrets in use: handed over by whoever may read them, never stored.

use crate::domain::signing::SigningSecret;
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
