//! How workers and all that is theirs are called and labelled.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use kube::ResourceExt;

use crate::domain::resource::ResourceKey;

/// Who writes what is made, to server-side apply.
pub const MANAGER: &str = "cpr-operator-workers";

/// Who writes the number of replicas alone, so that it can change while the rest waits for its turn.
pub const SCALER: &str = "cpr-operator-workers-scale";

/// Label with the anchor's name: by it an installation knows its own.
pub const ANCHOR: &str = "cpr-operator.dev/anchor";

/// Label of what belongs to one worker, with its name.
pub const WORKER: &str = "cpr-operator.dev/worker";

/// Label with the tenant's namespace.
pub const TENANT: &str = "cpr-operator.dev/tenant";

/// Annotation with what a worker is for: `NAMESPACE/NAME`, or `NAMESPACE/` where it is shared.
pub const OF: &str = "cpr-operator.dev/of";

/// Annotation with a hash of what was applied.
pub const APPLIED: &str = "cpr-operator.dev/applied";

/// Annotation of a Deployment with a hash of its pod template.
pub const TEMPLATE: &str = "cpr-operator.dev/template";

/// Annotation of a pod with a hash of the settings that it was started with.
pub const SETTINGS: &str = "cpr-operator.dev/settings";

/// Label with the part of the product.
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// Longest part of a resource's name that stands in a worker's.
const LONGEST: usize = 40;

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads a source.
    Ingest,
    /// Delivers to consumers.
    Deliver,
}

impl Role {
    /// The command, and the word in names and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Deliver => "deliver",
        }
    }

    /// The role of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ingest, Self::Deliver].into_iter().find(|role| role.name() == name)
    }

    /// The kind of resource that it works for, as a flag and in a label.
    pub fn serves(self) -> &'static str {
        match self {
            Self::Ingest => "source",
            Self::Deliver => "consumer",
        }
    }
}

/// The key of the worker that the consumers of a namespace share. No resource has an empty name.
pub fn shared(namespace: &str) -> ResourceKey {
    ResourceKey::new(namespace, "")
}

/// Whether several share the worker.
pub fn is_shared(of: &ResourceKey) -> bool {
    of.name.is_empty()
}

/// The name of a worker and of all that is its own. It tells which resource it is for; the hash keeps apart those whose names
/// begin alike, and those of two tenants.
pub fn worker(role: Role, of: &ResourceKey) -> String {
    format!("{}-{}", role.name(), short(of))
}

/// A resource in the form of a label: its name, cut, and a hash.
pub fn short(of: &ResourceKey) -> String {
    let name = if is_shared(of) { "shared" } else { &of.name };
    let cut: String = name.chars().take(LONGEST).map(|c| if c == '.' { '-' } else { c }).collect();
    format!("{}-{}", cut.trim_end_matches('-'), &hash(of.to_string().as_bytes())[..8])
}

/// The first 16 digits of SHA-256.
pub fn hash(bytes: &[u8]) -> String {
    hex::encode(&digest::digest(&digest::SHA256, bytes).as_ref()[..8])
}

/// Labels by which an installation finds its own.
pub fn selector(anchor: &str) -> String {
    format!("{ANCHOR}={anchor}")
}

/// Labels of everything that belongs to a worker.
pub fn labels(anchor: &str, role: Role, of: &ResourceKey) -> BTreeMap<String, String> {
    let serves = format!("cpr-operator.dev/{}", role.serves());
    [
        ("app.kubernetes.io/name", "cpr-operator".to_owned()),
        ("app.kubernetes.io/instance", anchor.to_owned()),
        (COMPONENT, role.name().to_owned()),
        ("app.kubernetes.io/part-of", "cpr-operator".to_owned()),
        ("app.kubernetes.io/managed-by", "cpr-operator".to_owned()),
        (ANCHOR, anchor.to_owned()),
        (WORKER, worker(role, of)),
        (TENANT, of.namespace.clone()),
        (&serves, short(of)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Whose worker an object belongs to, if it is one of ours.
pub fn owner<K: ResourceExt>(object: &K) -> Option<(Role, ResourceKey)> {
    let role = Role::from_name(object.labels().get(COMPONENT)?)?;
    let (namespace, name) = object.annotations().get(OF)?.split_once('/')?;
    Some((role, ResourceKey::new(namespace, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tenants_whose_names_join_alike_do_not_meet() {
        let worker = |namespace: &str, name: &str| worker(Role::Deliver, &ResourceKey::new(namespace, name));
        assert_ne!(worker("a", "b-c"), worker("a-b", "c"));
        assert_ne!(worker("a", "c"), worker("b", "c"));
        assert_ne!(worker("a", "shared"), super::worker(Role::Deliver, &shared("a")));
        let long = |end: &str| worker("a", &format!("{}{end}", "x".repeat(60)));
        assert_ne!(long("1"), long("2"), "they begin alike");
    }

    #[test]
    fn a_name_is_one_of_an_object_and_of_a_label() {
        for name in ["a", "receiver.example.org", &"x-".repeat(100), &format!("{}.y", "x".repeat(39))] {
            let worker = worker(Role::Deliver, &ResourceKey::new("tenant", name));
            assert!(worker.len() <= 63, "{worker}");
            assert!(worker.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{worker}");
            assert!(!worker.contains("--"), "{worker}");
        }
        assert_eq!(worker(Role::Ingest, &ResourceKey::new("aalborg", "register")), "ingest-register-70d8732b");
    }
}
