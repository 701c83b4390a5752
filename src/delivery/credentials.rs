//! The signing secrets in use: handed over by whoever may read them, never stored.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::domain::resource::ResourceKey;
use crate::domain::signing::SigningSecret;

/// All valid secrets of one consumer; each signs. The fingerprint tells one set from another and nothing more.
#[derive(Clone, Debug)]
pub struct SigningKeys {
    /// One to four secrets.
    pub secrets: Vec<SigningSecret>,
    /// Changes when the set does.
    pub fingerprint: String,
}

/// The secrets of all consumers. Clones share one book.
#[derive(Clone, Debug, Default)]
pub struct SigningBook(Arc<RwLock<HashMap<ResourceKey, SigningKeys>>>);

impl SigningBook {
    /// Puts a consumer's secrets in, or takes them out.
    pub fn set(&self, consumer: &ResourceKey, keys: Option<SigningKeys>) {
        let mut book = self.0.write().expect("no holder of the book panics");
        match keys {
            Some(keys) => book.insert(consumer.clone(), keys),
            None => book.remove(consumer),
        };
    }

    /// A consumer's secrets, if they are there.
    pub fn get(&self, consumer: &ResourceKey) -> Option<SigningKeys> {
        self.0.read().expect("no holder of the book panics").get(consumer).cloned()
    }
}
