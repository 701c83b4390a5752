//! What status shows of a source: every error of the register as a reason and a message that says what to do.

use crate::net::proxy::Fault;
use crate::store::source::{Contact, SchemaState};
use crate::upstream::datafordeler::{Error as RegisterError, Understanding};

/// A conversation that went well.
pub fn succeeded() -> Contact {
    Contact { reason: "Succeeded".into(), message: String::new(), reached: true, accepted: Some(true) }
}

/// Waiting for the credentials' Secret.
pub fn without_credentials() -> Contact {
    Contact {
        reason: "NoCredentials".into(),
        message: "waits for the Secret with the register's credentials".into(),
        reached: false,
        accepted: None,
    }
}

/// A conversation that failed; none where nothing was said, for the register is left alone.
pub fn failed(error: &RegisterError) -> Option<Contact> {
    let (reason, reached, accepted) = match error {
        RegisterError::CredentialsWrong { .. } => ("CredentialsWrong", true, Some(false)),
        RegisterError::AddressNotWhiteListed { .. } => ("AddressNotWhiteListed", true, Some(false)),
        RegisterError::NotGranted { .. } => ("NotGranted", true, Some(false)),
        RegisterError::UnknownService => ("UnknownService", false, None),
        RegisterError::QueryRefused { .. } => ("QueryRefused", false, Some(true)),
        RegisterError::Busy { .. } => ("Busy", false, None),
        RegisterError::Down { .. } => ("Down", false, None),
        RegisterError::Paused { .. } => return None,
        RegisterError::NotUnderstood { .. } => ("NotUnderstood", false, None),
        RegisterError::Guarded { .. } => ("AddressRefused", false, None),
        RegisterError::Proxy { fault: Fault::Refused(_) } => ("AddressRefused", false, None),
        RegisterError::Proxy { fault: Fault::Status(_) } => ("ProxyRefused", false, None),
        RegisterError::Proxy { .. } => ("ProxyUnreachable", false, None),
        RegisterError::Address => ("AddressRefused", false, None),
        RegisterError::NoLookupById | RegisterError::NoLookupByNumber => ("NoLookup", false, Some(true)),
    };
    Some(Contact { reason: reason.into(), message: error.to_string(), reached, accepted })
}

/// What the schema offers, for status: names chosen among known candidates, and names missing.
pub fn schema(understanding: &Understanding) -> SchemaState {
    let list = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let said = [list("found under another name", &understanding.chosen), list("not offered", &understanding.missing)];
    let said: Vec<String> = said.into_iter().flatten().collect();
    SchemaState { read: understanding.from_schema, offered: understanding.offered, message: said.join("; ") }
}
