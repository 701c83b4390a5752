//! Manifests with names in them, as `${name}`.

use anyhow::{Result, ensure};

pub const PLATFORM: &str = include_str!("manifests/platform.yaml");
pub const DATABASE: &str = include_str!("manifests/database.yaml");
pub const OUTSIDE: &str = include_str!("manifests/outside.yaml");
pub const SOURCE: &str = include_str!("manifests/source.yaml");
pub const SIGNING: &str = include_str!("manifests/signing.yaml");
pub const CONSUMER: &str = include_str!("manifests/consumer.yaml");

/// A manifest in which each name is replaced by its value.
pub fn fill(manifest: &str, values: &[(&str, &str)]) -> Result<String> {
    let replace = |text: String, (name, value): &(&str, &str)| text.replace(&format!("${{{name}}}"), value);
    let filled = values.iter().fold(manifest.to_owned(), replace);
    ensure!(!filled.contains("${"), "a name without a value:\n{filled}");
    Ok(filled)
}
