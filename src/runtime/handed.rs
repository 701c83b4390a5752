//! What whoever may read Secrets hands over to the stages that use them; never stored.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::domain::resource::ResourceKey;

/// What was handed over for each resource. Clones share one book.
#[derive(Clone, Debug)]
pub struct Handed<T>(Arc<RwLock<HashMap<ResourceKey, Option<T>>>>);

impl<T> Default for Handed<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Handed<T> {
    /// Puts in what a resource has, or says that it has none.
    pub fn set(&self, of: &ResourceKey, what: Option<T>) {
        self.0.write().expect("no holder of the book panics").insert(of.clone(), what);
    }

    /// What a resource has, if it has any.
    pub fn get(&self, of: &ResourceKey) -> Option<T> {
        self.0.read().expect("no holder of the book panics").get(of).cloned().flatten()
    }

    /// Whether anybody has said yet whether a resource has any; after a start that takes a moment.
    pub fn is_known(&self, of: &ResourceKey) -> bool {
        self.0.read().expect("no holder of the book panics").contains_key(of)
    }
}
