//! The workers that the operator makes: what they run as, and how far a resource may go in asking for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error};

use super::quantity::{Cpu, Memory};

/// Section `workers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Image that they run. Empty: none are made.
    pub image: String,
    /// When the image is pulled.
    pub pull_policy: PullPolicy,
    /// Secrets with which it is pulled.
    pub pull_secrets: Vec<String>,
    /// Where they run; empty: in the pod's own namespace.
    pub namespace: String,
    /// ConfigMap that owns all that is made.
    pub anchor: String,
    /// ConfigMap with `settings.toml`.
    pub settings_config_map: String,
    /// Secret with the addresses of the database.
    pub database_secret: String,
    /// The same for those that read, where they have a login of their own.
    pub ingest_database_secret: String,
    /// The same for those that deliver.
    pub deliver_database_secret: String,
    /// Secret with the address of the key store, where it is another one.
    pub keys_database_secret: String,
    /// ConfigMap with the certificates by which the database's server is trusted; empty: none.
    pub database_ca_config_map: String,
    /// Its key.
    pub database_ca_key: String,
    /// Secret with the root key.
    pub root_key_secret: String,
    /// Most of them that may be replaced at the same time.
    pub max_rolling: Share,
    /// Most replicas that a resource may ask for.
    pub max_replicas: u32,
    /// Most processor time that a resource may ask for, for one worker.
    pub max_cpu: Cpu,
    /// Most memory that a resource may ask for, for one worker.
    pub max_memory: Memory,
    /// Priority class of the pods; empty: none.
    pub priority_class: String,
    /// Labels of the pods.
    pub pod_labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    pub pod_annotations: BTreeMap<String, String>,
    /// Annotations of the service accounts.
    pub service_account_annotations: BTreeMap<String, String>,
}

impl Default for WorkerSettings {
    /// None are made.
    fn default() -> Self {
        Self {
            image: String::new(),
            pull_policy: PullPolicy::IfNotPresent,
            pull_secrets: Vec::new(),
            namespace: String::new(),
            anchor: String::new(),
            settings_config_map: String::new(),
            database_secret: String::new(),
            ingest_database_secret: String::new(),
            deliver_database_secret: String::new(),
            keys_database_secret: String::new(),
            database_ca_config_map: String::new(),
            database_ca_key: "ca.crt".to_owned(),
            root_key_secret: String::new(),
            max_rolling: Share::Percent(10),
            max_replicas: 10,
            max_cpu: Cpu(2000),
            max_memory: Memory(2048),
            priority_class: String::new(),
            pod_labels: BTreeMap::new(),
            pod_annotations: BTreeMap::new(),
            service_account_annotations: BTreeMap::new(),
        }
    }
}

impl WorkerSettings {
    /// Whether any are made.
    pub fn are_made(&self) -> bool {
        !self.image.is_empty()
    }

    /// None are made, for this process does their work itself.
    pub fn without(self) -> Self {
        Self { image: String::new(), ..self }
    }

    /// What has to be named where workers are made, with its key.
    pub(super) fn needed(&self) -> [(&'static str, &str); 4] {
        [
            ("workers.anchor", &self.anchor),
            ("workers.settings_config_map", &self.settings_config_map),
            ("workers.database_secret", &self.database_secret),
            ("workers.root_key_secret", &self.root_key_secret),
        ]
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum PullPolicy {
    /// Before each start.
    Always,
    /// Where the node lacks it.
    IfNotPresent,
    /// Not at all.
    Never,
}

/// A part of several things: so many of a hundred, or so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Of a hundred.
    Percent(u32),
    /// Whatever their number.
    Count(u32),
}

impl Share {
    /// How many that is of `all`: rounded up, and at least one, so that there is always progress.
    pub fn of(self, all: usize) -> usize {
        let many = match self {
            Self::Percent(percent) => (all * percent as usize).div_ceil(100),
            Self::Count(count) => count as usize,
        };
        many.max(1)
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, share): (_, fn(u32) -> Self) = match text.strip_suffix('%') {
            Some(percent) => (percent, Self::Percent),
            None => (text, Self::Count),
        };
        let number = number.parse().ok()?;
        let range = if text.ends_with('%') { 1..=100 } else { 1..=1_000 };
        range.contains(&number).then(|| share(number))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no share: write 1% to 100%, or a number from 1 to 1000"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_never_nothing() {
        for (share, all, expected) in [
            (Share::Percent(10), 0, 1),
            (Share::Percent(10), 9, 1),
            (Share::Percent(10), 11, 2),
            (Share::Percent(100), 7, 7),
            (Share::Count(3), 1, 3),
        ] {
            assert_eq!(share.of(all), expected, "{share:?} of {all}");
        }
    }

    #[test]
    fn a_share_is_read_in_both_forms() {
        assert_eq!(Share::parse("10%"), Some(Share::Percent(10)));
        assert_eq!(Share::parse("3"), Some(Share::Count(3)));
        for bad in ["", "%", "0", "0%", "101%", "1001", "-1", "ten", "1.5"] {
            assert_eq!(Share::parse(bad), None, "{bad}");
        }
    }
}
