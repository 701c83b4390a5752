//! Makes the store and the signing secrets in memory as a consumer wants them.

use jiff::Timestamp;

use super::build::Wanted;
use super::dereference::Found;
use crate::api::consumer::ConsumerSystem;
use crate::domain::resource::ResourceKey;
use crate::operator::fleet::{Fleet, Reference};
use crate::operator::record::{self, Configured};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::secrets;
use crate::operator::workers::demand::{self, Work};
use crate::operator::workers::names::Role;
use crate::operator::workers::scaling::Need;
use crate::operator::workers::wish::Standing;
use crate::store;
use crate::store::consumer::{Backlog, ConsumerState};
use crate::store::{consumer, meta, subscription};

/// What became of a consumer.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Why it is not compiled, or what it asked for and did not get.
    pub refusal: Option<Refusal>,
    /// Whether its Secrets and ConfigMaps could be used.
    pub secrets: Result<(), Refusal>,
    /// Until when the certificate that is shown is valid, where one was read.
    pub certificate_until: Option<Timestamp>,
    /// What delivery last found there.
    pub state: ConsumerState,
    /// What waits for it.
    pub backlog: Backlog,
    /// Live subscriptions that deliver to it.
    pub subscriptions: i64,
    /// How its workers stand.
    pub workers: Standing,
}

/// Applies what was built; a consumer that was refused keeps its last good form, of which its subscriptions give only what
/// they may.
pub async fn apply(
    consumer: &ConsumerSystem,
    found: &Found,
    wanted: Result<Wanted, Refusal>,
    fleet: &Fleet,
) -> Result<Applied, Error> {
    let secrets = hand_over(found, fleet);
    let configured = Configured::new("ConsumerSystem", &found.key, &consumer.metadata, &consumer.spec);
    if write(&configured, wanted.as_ref().ok(), fleet).await? {
        fleet.context().bells.delivery.ring();
        fleet.context().bells.ingest.ring();
        fleet.wake_subscriptions(Reference::Consumer, &found.key);
    }
    let refusal = match wanted {
        Ok(wanted) => wanted.complaint,
        Err(refusal) => Some(refusal),
    };
    let shown = found.access.certificate.as_ref().ok().and_then(|shown| shown.as_ref());
    let certificate_until = shown.map(|shown| shown.identity.not_after);
    observe(consumer, found, Applied { refusal, secrets, certificate_until, ..Applied::unobserved() }, fleet).await
}

impl Applied {
    /// Nothing applied and nothing found.
    pub fn unobserved() -> Self {
        Self {
            refusal: None,
            secrets: Ok(()),
            certificate_until: None,
            state: ConsumerState::default(),
            backlog: Backlog::default(),
            subscriptions: 0,
            workers: Standing::not_started(),
        }
    }
}

/// Hands the secrets to delivery. A Secret that is gone or no longer meant for its place takes them away; one that is spoilt
/// leaves the last good one, and takes nothing from the others.
fn hand_over(found: &Found, fleet: &Fleet) -> Result<(), Refusal> {
    let context = fleet.context();
    let signs = secrets::hand_over(&context.signing, &found.key, &found.signing, |given| &given.fingerprint);
    let access = found.access.access(context.access.get(&found.key).as_ref(), &fleet.process.fingerprints);
    let lets_in = secrets::hand_over(&context.access, &found.key, &Ok(access), |given| &given.fingerprint);
    if signs || lets_in {
        context.bells.delivery.ring();
    }
    found.signing.as_ref().map(drop).map_err(Clone::clone)?;
    found.access.client.as_ref().map(drop).map_err(Clone::clone)?;
    found.access.certificate.as_ref().map(drop).map_err(Clone::clone)?;
    found.ca_bundle.as_ref().map(drop).map_err(Clone::clone)
}

/// Writes the row if it differs; whether it did. The compiled form, its generation, the configuration's version and the audit
/// entry are one transaction.
async fn write(configured: &Configured, wanted: Option<&Wanted>, fleet: &Fleet) -> Result<bool, Error> {
    let store = &fleet.context().store;
    let row = consumer::find(&mut *store.main.read().await?, &configured.key).await?;
    // Without a wanted form the last good one stays as it is, and what is not there, or has ended, is not begun.
    let Some(Wanted { compiled, given, .. }) = wanted else { return Ok(false) };
    let wanted = (&configured.uid, configured.generation, Some(compiled));
    let present = row.as_ref().map(|row| (&row.uid, row.generation, row.compiled.as_ref()));
    if present == Some(wanted) && row.as_ref().is_some_and(|row| row.ended_at.is_none()) {
        return Ok(false);
    }
    let (uid, generation, compiled) = wanted;
    record::prepare(store, fleet.now()).await?;
    let mut tx = store.main.begin().await?;
    consumer::upsert(&mut tx, &configured.key, uid, generation, compiled).await?;
    meta::raise_configuration(&mut tx).await?;
    record::configuration(&mut tx, store, configured, given.clone(), fleet.now()).await?;
    tx.commit().await?;
    Ok(true)
}

/// What was found at the consumer, and what its workers are asked for because of it.
async fn observe(consumer: &ConsumerSystem, found: &Found, applied: Applied, fleet: &Fleet) -> Result<Applied, Error> {
    let mut conn = fleet.context().store.main.read().await?;
    let row = consumer::find(&mut conn, &found.key).await?;
    let mut applied = applied;
    if let Some(id) = row.as_ref().map(|row| row.id) {
        applied.state = consumer::state(&mut conn, id).await?.unwrap_or_default();
        applied.backlog = consumer::backlog(&mut conn, id).await?;
        applied.subscriptions = subscription::count_live(&mut conn, id).await?;
    }
    let Applied { subscriptions, ref backlog, ref state, .. } = applied;
    let work = Work { subscriptions, pending: backlog.pending, need: Need::of(state) };
    let platform = &fleet.context().workers;
    let wish = demand::of_consumer(&consumer.spec, row.as_ref(), work, found.handed.clone(), platform);
    applied.workers = fleet.process.ask_for_workers(Role::Deliver, &found.key, wish);
    Ok(applied)
}

/// The consumers that the store has and does not know to be deleted.
pub async fn stored(fleet: &Fleet) -> Result<Vec<ResourceKey>, store::Error> {
    let rows = consumer::all(&mut *fleet.context().store.main.read().await?).await?;
    Ok(rows.into_iter().filter(|row| row.ended_at.is_none()).map(|row| row.key).collect())
}

/// Ends a consumer that was deleted: its secrets go at once, its row and key after the grace.
pub async fn end(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
    let (context, now) = (fleet.context(), fleet.now());
    record::prepare(&context.store, now).await?;
    let mut tx = context.store.main.begin().await?;
    // Asked again within the transaction: who was applied since then is in the view.
    let row = consumer::find(&mut tx, key).await?.filter(|_| !fleet.consumers.contains(key));
    if let Some(row) = row {
        consumer::end(&mut tx, row.id, now).await?;
        meta::raise_configuration(&mut tx).await?;
        record::removed(&mut tx, &context.store, ("ConsumerSystem", key), (row.uid, row.generation), now).await?;
        tx.commit().await?;
        context.signing.set(key, None);
        context.access.set(key, None);
        fleet.process.wishes.forget(Role::Deliver, key);
        context.bells.delivery.ring();
        fleet.wake_subscriptions(Reference::Consumer, key);
    }
    Ok(())
}
