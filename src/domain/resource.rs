//! How resources are named, and the choices that several of them share.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Namespace and name of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceKey {
    /// The tenant's namespace.
    pub namespace: String,
    /// The name within it.
    pub name: String,
}

impl ResourceKey {
    /// The key of `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A text that is not `NAMESPACE/NAME`.
#[derive(Debug, thiserror::Error)]
#[error("write it as NAMESPACE/NAME")]
pub struct NotAKey;

impl FromStr for ResourceKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(NotAKey),
        }
    }
}

/// Whether register and consumers are real or for trial. Never mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Environment {
    /// Trial: fictitious persons, plain HTTP permitted.
    Test,
    /// Real citizens.
    Production,
}

/// Whether an organisation is a public authority or a private party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Sector {
    /// A public authority.
    Public,
    /// A private party.
    Private,
}

impl ProtectedPersons {
    /// The one of both that gives less.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Mask, _) | (_, Self::Mask) => Self::Mask,
            (Self::Allow, Self::Allow) => Self::Allow,
        }
    }
}

/// What a consumer is given of persons under name and address protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ProtectedPersons {
    /// Events without the governed groups.
    Mask,
    /// Nothing: protected persons are not covered.
    Deny,
    /// Everything granted, with the protection said; public consumers only.
    Allow,
}
