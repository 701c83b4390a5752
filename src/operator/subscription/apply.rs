//! Makes the store as a subscription wants it: begins it, changes it, narrows what is left of it, or ends it.

use super::build::Wanted;
use super::dereference::{self, Found, Present, SourceFound};
use super::keep::keep;
use super::life::Life;
use super::list::{self, Lines, List};
use crate::api::conditions::{self, ConditionType};
use crate::api::subscription::CprSubscription;
use crate::domain::compiled::{Selector, Subscription};
use crate::domain::grant::Allowance;
use crate::domain::resource::ResourceKey;
use crate::ingest::announce;
use crate::operator::counts::Covered;
use crate::operator::fleet::Fleet;
use crate::operator::record::{self, Configured, Given};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::store;
use crate::store::source::SchemaState;
use crate::store::subscription::{EndReason, SubscriptionRow};
use crate::store::{ConsumerId, SourceId, meta, subscription};

/// Reasons that refuse what a subscription may not have.
pub const OF_RIGHTS: [&str; 10] = [
    "EnvironmentMismatch",
    "PurposeNotFound",
    "TypesNotGranted",
    "FieldsNotGranted",
    "NotGranted",
    "SectorNotGranted",
    "HostNotGranted",
    "ProtectionNotGranted",
    "EveryoneNotGranted",
    "MunicipalityNotGranted",
];

/// What became of a subscription.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Why its present spec has no effect.
    pub refusal: Option<Refusal>,
    /// Whether source and consumer were found.
    pub references: Result<(), Refusal>,
    /// When it is to be reviewed and when it ends; none where the spec does not say it in a form that can be read.
    pub life: Option<Life>,
    /// Why it has ended by itself.
    pub ended: Option<EndReason>,
    /// What the source's schema offers.
    pub schema: Option<SchemaState>,
    /// Known persons covered.
    pub subjects: Option<i64>,
    /// How its list stands, if it has one.
    pub list: Option<List>,
}

/// The row that is wanted.
#[derive(Clone, Debug, PartialEq)]
struct Target {
    uid: String,
    generation: i64,
    source: SourceId,
    consumer: ConsumerId,
    compiled: Option<Subscription>,
}

/// Applies what was built. What was refused keeps what is left of its last good form.
pub async fn apply(
    subscription: &CprSubscription,
    found: Found,
    wanted: Result<Wanted, Refusal>,
    lines: Option<Result<Lines, Refusal>>,
    fleet: &Fleet,
) -> Result<Applied, Error> {
    let now = fleet.now();
    let configured = Configured::new("CprSubscription", &found.key, &subscription.metadata, &subscription.spec);
    let life = super::life::life(&subscription.spec).ok();
    let ended = life.filter(|life| life.ends_at <= now).map(|life| life.end_reason);
    let live = found.row.as_ref().filter(|row| row.ended_at.is_none());
    match (ended, live, target(&configured, &found, wanted.as_ref(), fleet)) {
        (Some(reason), Some(_), _) => end_as(&found.key, Ending::ByClock(reason), fleet).await?,
        (Some(_), None, _) | (None, _, None) => {}
        (None, live, Some(target)) => {
            if live.map(present).as_ref() != Some(&target) {
                write(&configured, &target, fleet).await?;
            }
        }
    }
    if let Err(refusal) = &wanted {
        record_refusal(subscription, &configured, refusal, fleet).await?;
    }
    let list = list::apply(subscription, &found, lines, fleet).await?;
    if is_loaded_now(subscription, list.as_ref(), fleet) {
        fleet.counts.forget(&found.key);
    }
    Ok(Applied {
        refusal: wanted.err(),
        references: references(&found),
        life,
        ended,
        schema: found.source.as_ref().ok().and_then(|source| source.schema.clone()),
        subjects: subjects(&found.key, configured.generation, fleet).await?,
        list,
    })
}

/// Whether a list was being loaded when this was last looked at, and is not any more: then the persons are counted anew.
fn is_loaded_now(subscription: &CprSubscription, list: Option<&List>, fleet: &Fleet) -> bool {
    let last = fleet.subscriptions.last(subscription);
    let was_loading = conditions::get(&last.conditions, ConditionType::InitialLoadComplete)
        .is_some_and(|condition| matches!(condition.reason.as_str(), "Loading" | "LimitReached"));
    was_loading && list.and_then(|list| list.load).is_some_and(|load| load.counts.waiting == 0)
}

/// Records a refusal of rights once for each generation: the status says whether it was told before.
async fn record_refusal(
    subscription: &CprSubscription,
    configured: &Configured,
    refusal: &Refusal,
    fleet: &Fleet,
) -> Result<(), Error> {
    let last = fleet.subscriptions.last(subscription);
    let told = conditions::get(&last.conditions, ConditionType::ReferencesResolved).is_some_and(|condition| {
        condition.reason == refusal.reason && condition.observed_generation == Some(configured.generation)
    });
    if told || !OF_RIGHTS.contains(&refusal.reason) {
        return Ok(());
    }
    record::refused(&fleet.context().store, configured, refusal.reason, fleet.now()).await
}

fn references(found: &Found) -> Result<(), Refusal> {
    found.source.as_ref().map(drop).map_err(Clone::clone)?;
    found.consumer.as_ref().map(drop).map_err(Clone::clone)
}

/// The row that is wanted; none where nothing is to be written, because there is nothing live whose form could be kept.
fn target(configured: &Configured, found: &Found, wanted: Result<&Wanted, &Refusal>, fleet: &Fleet) -> Option<Target> {
    let row = found.row.as_ref().filter(|row| row.ended_at.is_none());
    match wanted {
        Ok(wanted) => Some(Target {
            uid: configured.uid.clone(),
            generation: configured.generation,
            source: wanted.source,
            consumer: wanted.consumer,
            compiled: Some(wanted.compiled.clone()),
        }),
        Err(_) => row.map(|row| Target {
            compiled: row.compiled.as_ref().and_then(|last| kept(last, &found.source, found.present.as_ref(), fleet)),
            ..present(row)
        }),
    }
}

/// What is left of the last good form, whose source may be another than the one that the spec names now.
fn kept(
    last: &Subscription,
    source: &Result<SourceFound, Refusal>,
    present: Option<&Present>,
    fleet: &Fleet,
) -> Option<Subscription> {
    let grants = dereference::grants(&last.source, fleet);
    keep(last, source, present, Allowance::of(&last.source.namespace, &grants, &last.key.namespace))
}

fn present(row: &SubscriptionRow) -> Target {
    Target {
        uid: row.uid.clone(),
        generation: row.generation,
        source: row.source,
        consumer: row.consumer,
        compiled: row.compiled.clone(),
    }
}

/// Writes the row, the configuration's version and the audit entries in one transaction.
async fn write(configured: &Configured, target: &Target, fleet: &Fleet) -> Result<(), Error> {
    let (store, now) = (&fleet.context().store, fleet.now());
    record::prepare(store, now).await?;
    let mut tx = store.main.begin().await?;
    let Target { uid, generation, source, consumer, compiled } = target;
    let compiled = compiled.as_ref();
    let key = &configured.key;
    let (_, began) = subscription::upsert(&mut tx, key, uid, *generation, *source, *consumer, compiled, now).await?;
    meta::raise_configuration(&mut tx).await?;
    record::configuration(&mut tx, store, configured, Given::by(compiled), now).await?;
    if let Some(compiled) = compiled.filter(|_| began) {
        record::started(&mut tx, store, configured, compiled, now).await?;
    }
    tx.commit().await?;
    ring(fleet);
    if began {
        wake_consumer(compiled, fleet);
    }
    Ok(())
}

/// Has a consumer looked at that may need workers now, or none any more.
fn wake_consumer(compiled: Option<&Subscription>, fleet: &Fleet) {
    if let Some(compiled) = compiled.filter(|_| fleet.context().workers.are_made()) {
        fleet.consumers.wake(compiled.consumer.clone());
    }
}

fn ring(fleet: &Fleet) {
    fleet.context().bells.ingest.ring();
    fleet.context().bells.delivery.ring();
}

/// How a subscription comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Its resource is gone.
    Deleted,
    /// Its time has come.
    ByClock(EndReason),
}

impl Ending {
    fn reason(self) -> EndReason {
        match self {
            Self::Deleted => EndReason::Deleted,
            Self::ByClock(reason) => reason,
        }
    }
}

/// Ends a subscription and tells its consumer, in one transaction.
async fn end_as(key: &ResourceKey, ending: Ending, fleet: &Fleet) -> Result<(), Error> {
    let (store, now) = (&fleet.context().store, fleet.now());
    record::prepare(store, now).await?;
    let mut tx = store.main.begin().await?;
    // Asked again within the transaction: who was applied since then is in the view.
    let is_void = ending == Ending::Deleted && fleet.subscriptions.contains(key);
    let Some(row) = subscription::find(&mut tx, key).await?.filter(|_| !is_void) else { return Ok(()) };
    if subscription::end(&mut tx, row.id, ending.reason(), now).await? {
        meta::raise_configuration(&mut tx).await?;
        record::ended(&mut tx, store, &row, ending.reason(), now).await?;
        announce::ended(&mut tx, &row, ending.reason(), now).await?;
    }
    tx.commit().await?;
    ring(fleet);
    wake_consumer(row.compiled.as_ref(), fleet);
    fleet.context().bells.routes.ring();
    Ok(())
}

/// Counts the known persons covered, no more often than counters are written.
async fn subjects(key: &ResourceKey, generation: i64, fleet: &Fleet) -> Result<Option<i64>, Error> {
    let (now, lasts) = (fleet.now(), fleet.status_interval());
    if let Some(count) = fleet.counts.get(key, generation, now, lasts) {
        return Ok(Some(count));
    }
    let mut conn = fleet.context().store.main.read().await?;
    let row = subscription::find(&mut conn, key).await?.filter(|row| row.ended_at.is_none());
    let Some((id, source, compiled)) = row.and_then(|row| Some((row.id, row.source, row.compiled?))) else {
        return Ok(None);
    };
    let Selector { everyone, municipalities, .. } = compiled.selector;
    let municipalities = (!everyone).then(|| municipalities.into_iter().collect());
    let covered = Covered { id, source, municipalities };
    Ok(Some(fleet.counts.count(&mut conn, (key, generation), covered, now, lasts).await?))
}

/// Cuts a subscription whose resource cannot be read to what its consumer still may have.
pub async fn distrust(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
    let (store, now) = (&fleet.context().store, fleet.now());
    let row = subscription::find(&mut *store.main.read().await?, key).await?.filter(|row| row.ended_at.is_none());
    let Some((row, last)) = row.and_then(|row| Some((row.clone(), row.compiled?))) else { return Ok(()) };
    if let Some(reason) = last.ends_at.filter(|at| *at <= now).map(|_| EndReason::Expired) {
        return end_as(key, Ending::ByClock(reason), fleet).await;
    }
    let unknown: Result<SourceFound, Refusal> = Err(Refusal::by_others("SourceNotFound", ""));
    let kept = kept(&last, &unknown, dereference::present(&last.consumer, fleet).as_ref(), fleet);
    if kept.as_ref() != Some(&last) {
        let (uid, generation) = (&row.uid, row.generation);
        let configured = Configured::known("CprSubscription", key, uid, generation);
        record::prepare(store, now).await?;
        let mut tx = store.main.begin().await?;
        subscription::upsert(&mut tx, key, uid, generation, row.source, row.consumer, kept.as_ref(), now).await?;
        meta::raise_configuration(&mut tx).await?;
        record::configuration(&mut tx, store, &configured, Given::by(kept.as_ref()), now).await?;
        tx.commit().await?;
        ring(fleet);
    }
    Ok(())
}

/// The subscriptions that the store has and does not know to be deleted.
pub async fn stored(fleet: &Fleet) -> Result<Vec<ResourceKey>, store::Error> {
    subscription::keys(&mut *fleet.context().store.main.read().await?).await
}

/// Ends a subscription that was deleted; what it had is kept for the grace.
pub async fn end(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
    fleet.counts.forget(key);
    end_as(key, Ending::Deleted, fleet).await
}
