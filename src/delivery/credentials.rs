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
pub struct SigningBook(Arc<RwLock<HashMap<ResourceKey, Option<SigningKeys>>>>);

impl SigningBook {
    /// Puts a consumer's secrets in, or takes them out.
    pub fn set(&self, consumer: &ResourceKey, keys: Option<SigningKeys>) {
        self.0.write().expect("no holder of the book panics").insert(consumer.clone(), keys);
    }

    /// A consumer's secrets, if they are there.
    pub fn get(&self, consumer: &ResourceKey) -> Option<SigningKeys> {
        self.0.read().expect("no holder of the book panics").get(consumer).cloned().flatten()
    }

    /// Whether anybody has said yet whether a consumer has any; after a start that takes a moment.
    pub fn is_known(&self, consumer: &ResourceKey) -> bool {
        self.0.read().expect("no holder of the book panics").contains_key(consumer)
    }
}
