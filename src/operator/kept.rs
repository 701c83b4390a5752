//! Secrets as last read, each good for as long as its watch shows the version that was read: looking at a resource asks the API
//! server for nothing that has not changed.

use std::collections::HashMap;
use std::sync::Mutex;

use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;

use super::fleet::key_of;
use crate::domain::resource::ResourceKey;

/// The Secrets that are watched.
#[derive(Default)]
pub struct Kept(Mutex<HashMap<ResourceKey, Watched>>);

#[derive(Default)]
struct Watched {
    /// As the watch showed it last.
    version: Option<String>,
    /// The Secret of that version, once it was read.
    secret: Option<Secret>,
}

impl Kept {
    /// Takes note of what a watch showed.
    pub fn note<R: Resource<DynamicType = ()>>(&self, event: &Event<PartialObjectMeta<R>>) {
        let mut all = self.0.lock().expect("no holder panics");
        match event {
            Event::Init => all.clear(),
            Event::InitApply(object) | Event::Apply(object) => {
                let (version, watched) = (&object.metadata.resource_version, all.entry(key_of(object)).or_default());
                if watched.version != *version {
                    *watched = Watched { version: version.clone(), secret: None };
                }
            }
            Event::Delete(object) => drop(all.remove(&key_of(object))),
            Event::InitDone => {}
        }
    }

    /// The Secret as it stands, where that is known.
    pub fn get(&self, key: &ResourceKey) -> Option<Secret> {
        self.0.lock().expect("no holder panics").get(key)?.secret.clone()
    }

    /// Keeps what was read, if it is what the watch shows.
    pub fn keep(&self, key: &ResourceKey, secret: &Secret) {
        let mut all = self.0.lock().expect("no holder panics");
        if let Some(watched) = all.get_mut(key).filter(|watched| watched.version == secret.metadata.resource_version) {
            watched.secret = Some(secret.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;

    use super::*;

    fn meta(version: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some("signing".to_owned()),
            namespace: Some("town".to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        }
    }

    fn shown(version: &str) -> PartialObjectMeta<Secret> {
        PartialObjectMeta { types: None, metadata: meta(version), _phantom: Default::default() }
    }

    fn secret(version: &str) -> Secret {
        Secret { metadata: meta(version), ..Secret::default() }
    }

    #[test]
    fn a_secret_is_kept_until_its_watch_shows_another_version() {
        let (kept, key) = (Kept::default(), ResourceKey::new("town", "signing"));
        kept.keep(&key, &secret("1"));
        assert_eq!(kept.get(&key), None, "it is not watched");
        kept.note(&Event::InitApply(shown("1")));
        kept.keep(&key, &secret("1"));
        kept.note(&Event::Apply(shown("1")));
        assert_eq!(kept.get(&key), Some(secret("1")));
        kept.note(&Event::Apply(shown("2")));
        kept.keep(&key, &secret("1"));
        assert_eq!(kept.get(&key), None, "read before it changed, or after, which the watch has still to show");
        kept.keep(&key, &secret("2"));
        for end in [Event::Delete(shown("2")), Event::Init] {
            kept.note(&Event::Apply(shown("2")));
            kept.keep(&key, &secret("2"));
            assert_eq!(kept.get(&key), Some(secret("2")));
            kept.note(&end);
            assert_eq!(kept.get(&key), None);
        }
    }
}
