//! Reads what a subscription refers to: its source and its consumer, as resources and as rows.

use kube::ResourceExt;
use url::Url;

use crate::api::subscription::CprSubscription;
use crate::domain::grant::{Allowance, Barred, Grant};
use crate::domain::resource::{Environment, ResourceKey};
use crate::operator::consumer::rights::{self, Rights};
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::source::grants;
use crate::operator::source::validate::address;
use crate::store::source::SchemaState;
use crate::store::subscription::SubscriptionRow;
use crate::store::{Conn, ConsumerId, SourceId, consumer, source, subscription};

/// What a subscription refers to.
pub struct Found {
    /// Namespace and name of the subscription.
    pub key: ResourceKey,
    /// Its source.
    pub source: Result<SourceFound, Refusal>,
    /// Namespace of the source.
    pub authority: String,
    /// What the source grants other namespaces at present.
    pub grants: Vec<Grant>,
    /// Its consumer.
    pub consumer: Result<ConsumerFound, Refusal>,
    /// What the consumer may have at present, whether or not it is ready; none where that is not known.
    pub present: Option<Present>,
    /// Its own row.
    pub row: Option<SubscriptionRow>,
}

impl Found {
    /// What the subscription's namespace may have of its source.
    pub fn allowance(&self) -> Allowance<'_> {
        Allowance::of(&self.authority, &self.grants, &self.key.namespace)
    }
}

/// A source that may be subscribed to.
#[derive(Clone, Debug)]
pub struct SourceFound {
    /// Its row.
    pub id: SourceId,
    /// Namespace and name.
    pub key: ResourceKey,
    /// Test or production.
    pub environment: Environment,
    /// What its schema offers; none before it was read.
    pub schema: Option<SchemaState>,
}

/// What a consumer may have at present.
#[derive(Clone, Debug)]
pub struct Present {
    /// The consumer.
    pub consumer: ResourceKey,
    /// What it may have.
    pub rights: Rights,
    /// Where its deliveries go; none where that cannot be read.
    pub url: Option<Url>,
}

/// A consumer that may subscribe.
#[derive(Clone, Debug)]
pub struct ConsumerFound {
    /// Its row.
    pub id: ConsumerId,
    /// Namespace and name.
    pub key: ResourceKey,
    /// What it may have.
    pub rights: Rights,
    /// Where its deliveries go.
    pub url: Url,
}

/// Reads what a subscription refers to.
pub async fn dereference(subscription: &CprSubscription, fleet: &Fleet) -> Result<Found, Error> {
    let key = key_of(subscription);
    let mut conn = fleet.context().store.main.read().await?;
    let source = subscription.spec.source_ref.key(&key.namespace);
    let consumer = ResourceKey::new(&key.namespace, subscription.spec.consumer_ref.name.as_str());
    let grants = grants(&source, fleet);
    let allowance = Allowance::of(&source.namespace, &grants, &key.namespace);
    Ok(Found {
        source: match allowance {
            Allowance::Own | Allowance::Granted(_) => find_source(&mut conn, &source, &key, fleet).await?,
            Allowance::Nothing => Err(not_granted(&source, &key)),
        },
        consumer: find_consumer(&mut conn, &consumer, fleet).await?,
        present: present(&consumer, fleet),
        row: subscription::find(&mut conn, &key).await?,
        authority: source.namespace,
        grants,
        key,
    })
}

/// What a source grants at present: nothing where it is gone, cannot be read or contradicts itself.
pub fn grants(source: &ResourceKey, fleet: &Fleet) -> Vec<Grant> {
    let object = fleet.source(source);
    let spec = object.as_ref().and_then(|object| object.0.as_ref().ok()).map(|object| &object.spec);
    spec.and_then(|spec| grants::of(&source.namespace, &spec.grants).ok()).unwrap_or_default()
}

/// The answer where nothing is granted, whether or not there is such a source: nobody may learn that from it.
pub(super) fn not_granted(source: &ResourceKey, own: &ResourceKey) -> Refusal {
    let message = format!(
        "there is no CprSource {source} that grants namespace {}: correct sourceRef, or ask those who own namespace {} for a grant",
        own.namespace, source.namespace
    );
    Refusal::by_others(Barred::NotGranted.reason(), message)
}

async fn find_source(
    conn: &mut Conn,
    key: &ResourceKey,
    own: &ResourceKey,
    fleet: &Fleet,
) -> Result<Result<SourceFound, Refusal>, Error> {
    let name = &key.name;
    let Some(object) = fleet.source(key) else {
        if key.namespace != own.namespace {
            return Ok(Err(not_granted(key, own)));
        }
        let message = format!("CprSource {name} does not exist in this namespace: create it, or correct sourceRef");
        return Ok(Err(Refusal::by_others("SourceNotFound", message)));
    };
    let row = source::find(conn, key).await?.filter(|row| row.ended_at.is_none());
    let uid = object.uid();
    let Some((id, compiled)) = row.filter(|r| Some(&r.uid) == uid.as_ref()).and_then(|r| Some((r.id, r.compiled?)))
    else {
        let message = format!("CprSource {name} is not ready to be used: its own conditions say why");
        return Ok(Err(Refusal::by_others("SourceNotReady", message)));
    };
    let schema = source::state(conn, id).await?.and_then(|state| state.schema);
    Ok(Ok(SourceFound { id, key: key.clone(), environment: compiled.environment, schema }))
}

async fn find_consumer(
    conn: &mut Conn,
    key: &ResourceKey,
    fleet: &Fleet,
) -> Result<Result<ConsumerFound, Refusal>, Error> {
    let name = &key.name;
    let Some(object) = fleet.consumers.get(key) else {
        let message =
            format!("ConsumerSystem {name} does not exist in this namespace: create it, or correct consumerRef");
        return Ok(Err(Refusal::by_others("ConsumerNotFound", message)));
    };
    let not_ready = || {
        let message = format!("ConsumerSystem {name} is not ready to be used: its own conditions say why");
        Refusal::by_others("ConsumerNotReady", message)
    };
    let Some(Present { rights, url: Some(url), .. }) = present(key, fleet) else { return Ok(Err(not_ready())) };
    let row = consumer::find(conn, key).await?.filter(|row| row.ended_at.is_none());
    let uid = object.uid();
    let found = row.filter(|row| Some(&row.uid) == uid.as_ref() && row.compiled.is_some());
    Ok(found.map(|row| ConsumerFound { id: row.id, key: key.clone(), rights, url }).ok_or_else(not_ready))
}

/// What a consumer may have at present; none where it is gone, cannot be read or contradicts itself.
pub fn present(consumer: &ResourceKey, fleet: &Fleet) -> Option<Present> {
    let object = fleet.consumers.get(consumer)?;
    let spec = &object.0.as_ref().ok()?.spec;
    let (rights, url) = (rights::rights(spec).ok()?, address(spec.delivery.url.as_str()));
    Some(Present { consumer: consumer.clone(), rights, url })
}
