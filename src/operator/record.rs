//! Audit entries of the operator: what was configured, begun, ended and refused. Each in the transaction that does it.

use jiff::Timestamp;
use kube::api::ObjectMeta;
use serde::Serialize;

use super::requeue::Error;
use crate::audit::{self, Entry, Resource};
use crate::domain::compiled::Subscription;
use crate::domain::field_group::GroupSet;
use crate::domain::resource::ResourceKey;
use crate::store::subscription::{EndReason, SubscriptionRow};
use crate::store::{Conn, Store, consumer};

/// A resource with all that an audit entry says of it.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Kind.
    pub kind: &'static str,
    /// Namespace and name.
    pub key: ResourceKey,
    /// The resource's uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// SHA-256 over the spec in canonical form.
    pub spec_hash: Option<[u8; 32]>,
}

/// What a resource gives.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Ids of purposes.
    pub purposes: Vec<String>,
    /// Their legal bases.
    pub bases: Vec<String>,
    /// Field groups.
    pub groups: GroupSet,
    /// What other namespaces may have, one line for each.
    pub grants: Vec<String>,
}

impl Configured {
    /// The resource with this metadata and spec.
    pub fn new(kind: &'static str, key: &ResourceKey, meta: &ObjectMeta, spec: &impl Serialize) -> Self {
        Self {
            kind,
            key: key.clone(),
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            spec_hash: Resource::spec_hash_of(spec).ok(),
        }
    }

    /// The resource as it was last written; its spec cannot be read.
    pub fn known(kind: &'static str, key: &ResourceKey, uid: &str, generation: i64) -> Self {
        Self { kind, key: key.clone(), uid: uid.to_owned(), generation, spec_hash: None }
    }

    fn resource(&self) -> Resource {
        Resource {
            kind: self.kind,
            key: self.key.clone(),
            uid: Some(self.uid.clone()),
            generation: Some(self.generation),
            spec_hash: self.spec_hash,
        }
    }
}

impl Given {
    /// What a subscription gives; nothing where it has no form.
    pub fn by(compiled: Option<&Subscription>) -> Self {
        compiled.map_or_else(Self::default, |c| Self {
            purposes: vec![c.purpose.clone()],
            bases: c.legal_bases.clone(),
            groups: c.granted,
            grants: Vec::new(),
        })
    }
}

/// Makes sure that entries of this month can be written. The key store goes first, so this comes before the transaction.
pub async fn prepare(store: &Store, now: Timestamp) -> Result<(), Error> {
    Ok(store.keys.ensure_period(now).await?)
}

/// Records that a resource was configured.
pub async fn configuration(
    conn: &mut Conn,
    store: &Store,
    configured: &Configured,
    given: Given,
    now: Timestamp,
) -> Result<(), Error> {
    let Given { purposes, bases, groups, grants } = given;
    let entry = Entry::configuration(now, configured.resource(), purposes, bases, groups);
    Ok(audit::record(conn, &store.keys, &[Entry { grants, ..entry }]).await?)
}

/// Records that a subscription's life began.
pub async fn started(
    conn: &mut Conn,
    store: &Store,
    configured: &Configured,
    compiled: &Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    let Subscription { consumer, purpose, legal_bases, granted, .. } = compiled.clone();
    let entry = Entry::subscription_started(now, configured.resource(), consumer, purpose, legal_bases);
    Ok(audit::record(conn, &store.keys, &[Entry { groups: granted, ..entry }]).await?)
}

/// Records that a subscription ended.
pub async fn ended(
    conn: &mut Conn,
    store: &Store,
    row: &SubscriptionRow,
    reason: EndReason,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(consumer) = consumer::get(&mut *conn, row.consumer).await? else { return Ok(()) };
    let resource = Resource {
        uid: Some(row.uid.clone()),
        generation: Some(row.generation),
        ..Resource::named("CprSubscription", row.key.clone())
    };
    let purpose = row.compiled.as_ref().map(|c| c.purpose.clone()).unwrap_or_default();
    let entry = Entry::subscription_ended(now, resource, consumer.key, purpose, &format!("{reason:?}"));
    Ok(audit::record(conn, &store.keys, &[entry]).await?)
}

/// Records that a source or a consumer is gone, with all that it gave.
pub async fn removed(
    conn: &mut Conn,
    store: &Store,
    (kind, key): (&'static str, &ResourceKey),
    (uid, generation): (String, i64),
    now: Timestamp,
) -> Result<(), Error> {
    let resource = Resource { uid: Some(uid), generation: Some(generation), ..Resource::named(kind, key.clone()) };
    let entry = Entry::configuration(now, resource, Vec::new(), Vec::new(), GroupSet::EMPTY);
    let entry = Entry { class: Some("Deleted".to_owned()), ..entry };
    Ok(audit::record(conn, &store.keys, &[entry]).await?)
}

/// Records that a resource asked for something that it may not have.
pub async fn refused(store: &Store, configured: &Configured, class: &str, now: Timestamp) -> Result<(), Error> {
    prepare(store, now).await?;
    let mut tx = store.main.begin().await?;
    let entry = Entry::refusal(now, configured.resource(), class);
    audit::record(&mut tx, &store.keys, &[entry]).await?;
    Ok(tx.commit().await?)
}
