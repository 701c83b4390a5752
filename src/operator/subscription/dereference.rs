//! Reads what a subscription refers to: its source and its consumer, as resources and as rows.

use kube::ResourceExt;

use crate::api::subscription::CprSubscription;
use crate::domain::resource::{Environment, ResourceKey};
use crate::operator::consumer::rights::{self, Rights};
use crate::operator::fleet::{Fleet, key_of};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::store::source::SchemaState;
use crate::store::subscription::SubscriptionRow;
use crate::store::{Conn, ConsumerId, SourceId, consumer, source, subscription};

/// What a subscription refers to.
pub struct Found {
    /// Namespace and name of the subscription.
    pub key: ResourceKey,
    /// Its source.
    pub source: Result<SourceFound, Refusal>,
    /// Its consumer.
    pub consumer: Result<ConsumerFound, Refusal>,
    /// What the consumer may have at present, whether or not it is ready; none where that is not known.
    pub present: Option<Present>,
    /// Its own row.
    pub row: Option<SubscriptionRow>,
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
}

/// Reads what a subscription refers to.
pub async fn dereference(subscription: &CprSubscription, fleet: &Fleet) -> Result<Found, Error> {
    let key = key_of(subscription);
    let mut conn = fleet.context().store.main.read().await?;
    let in_namespace = |name: &str| ResourceKey::new(&key.namespace, name);
    let source = in_namespace(subscription.spec.source_ref.name.as_str());
    let consumer = in_namespace(subscription.spec.consumer_ref.name.as_str());
    Ok(Found {
        source: find_source(&mut conn, &source, fleet).await?,
        consumer: find_consumer(&mut conn, &consumer, fleet).await?,
        present: present(&consumer, fleet),
        row: subscription::find(&mut conn, &key).await?,
        key,
    })
}

async fn find_source(conn: &mut Conn, key: &ResourceKey, fleet: &Fleet) -> Result<Result<SourceFound, Refusal>, Error> {
    let name = &key.name;
    let Some(object) = fleet.sources.get(key) else {
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
    let Some(Present { rights, .. }) = present(key, fleet) else { return Ok(Err(not_ready())) };
    let row = consumer::find(conn, key).await?.filter(|row| row.ended_at.is_none());
    let uid = object.uid();
    let found = row.filter(|row| Some(&row.uid) == uid.as_ref() && row.compiled.is_some());
    Ok(found.map(|row| ConsumerFound { id: row.id, key: key.clone(), rights }).ok_or_else(not_ready))
}

/// What a consumer may have at present; none where it is gone, cannot be read or contradicts itself.
pub fn present(consumer: &ResourceKey, fleet: &Fleet) -> Option<Present> {
    let object = fleet.consumers.get(consumer)?;
    let rights = rights::rights(&object.0.as_ref().ok()?.spec).ok()?;
    Some(Present { consumer: consumer.clone(), rights })
}
