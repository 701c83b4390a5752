//! Makes the store and the credentials in memory as a source wants them.

use super::build::Wanted;
use super::dereference::Found;
use super::grants;
use super::validate::ROOT_KEY_LOCAL;
use crate::api::source::CprSource;
use crate::domain::compiled::Source;
use crate::domain::grant::Grant;
use crate::domain::resource::ResourceKey;
use crate::operator::fleet::{Fleet, Reference};
use crate::operator::record::{self, Configured, Given};
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::secrets;
use crate::operator::workers::demand;
use crate::operator::workers::names::Role;
use crate::operator::workers::wish::{Standing, Wish};
use crate::store;
use crate::store::source::SourceState;
use crate::store::{meta, source};

/// What became of a source.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Why it is not compiled, or what it asked for and did not get.
    pub refusal: Option<Refusal>,
    /// Whether its Secrets and ConfigMaps could be used.
    pub secrets: Result<(), Refusal>,
    /// What ingest last found there.
    pub state: SourceState,
    /// How its workers stand.
    pub workers: Standing,
}

/// Applies what was built; a source that was refused keeps its last good form, unless it must not be read at all.
pub async fn apply(
    source: &CprSource,
    found: &Found,
    wanted: Result<Wanted, Refusal>,
    fleet: &Fleet,
) -> Result<Applied, Error> {
    let secrets = hand_over(found, fleet);
    let configured = Configured::new("CprSource", &found.key, &source.metadata, &source.spec);
    let grants = grants::of(&found.key.namespace, &source.spec.grants).unwrap_or_default();
    fleet.context().metrics.set_grants(&found.key, grants.len());
    if write(&configured, wanted.as_ref(), grants, fleet).await? {
        fleet.context().bells.ingest.ring();
        fleet.context().bells.delivery.ring();
        fleet.wake_subscriptions(Reference::Source, &found.key);
    }
    let refusal = match wanted {
        Ok(wanted) => wanted.complaint,
        Err(refusal) => Some(refusal),
    };
    let (state, workers) = observe(source, found, fleet).await?;
    Ok(Applied { refusal, secrets, state, workers })
}

/// Hands the credentials to ingest. A Secret that is gone or no longer meant for us takes them away; one that is spoilt
/// leaves the last good ones.
fn hand_over(found: &Found, fleet: &Fleet) -> Result<(), Refusal> {
    let context = fleet.context();
    if secrets::hand_over(&context.credentials, &found.key, &found.credentials, |given| &given.fingerprint) {
        context.bells.ingest.ring();
    }
    found.credentials.as_ref().map(drop).map_err(Clone::clone)?;
    found.ca_bundle.as_ref().map(drop).map_err(Clone::clone)
}

/// Writes the row if it differs; whether it did. The compiled form, its generation, the configuration's version and the audit
/// entry are one transaction. `grants` are those of the spec at present: they count even where the rest of it is refused.
async fn write(
    configured: &Configured,
    wanted: Result<&Wanted, &Refusal>,
    grants: Vec<Grant>,
    fleet: &Fleet,
) -> Result<bool, Error> {
    let store = &fleet.context().store;
    let row = source::find(&mut *store.main.read().await?, &configured.key).await?;
    let last = row.as_ref().filter(|row| row.ended_at.is_none()).and_then(|row| row.compiled.clone());
    let narrowed = last.filter(|last| last.grants != grants).map(|last| Source { grants, ..last });
    let wanted = match (wanted, &row) {
        (Ok(wanted), _) => (&configured.uid, configured.generation, Some(&wanted.compiled)),
        (Err(refusal), Some(row)) if refusal.reason == ROOT_KEY_LOCAL => (&row.uid, row.generation, None),
        // The last good form stays as it is, but for what it grants; what is not there, or has ended, is not begun.
        (Err(_), Some(row)) if narrowed.is_some() => (&row.uid, row.generation, narrowed.as_ref()),
        (Err(_), _) => return Ok(false),
    };
    let present = row.as_ref().map(|row| (&row.uid, row.generation, row.compiled.as_ref()));
    if present == Some(wanted) && row.as_ref().is_some_and(|row| row.ended_at.is_none()) {
        return Ok(false);
    }
    let (uid, generation, compiled) = wanted;
    let before = row.as_ref().and_then(|row| row.compiled.as_ref());
    say_grants(&configured.key, before, compiled);
    let given = Given { grants: compiled.map(summaries).unwrap_or_default(), ..Given::default() };
    record::prepare(store, fleet.now()).await?;
    let mut tx = store.main.begin().await?;
    source::upsert(&mut tx, &configured.key, uid, generation, compiled).await?;
    meta::raise_configuration(&mut tx).await?;
    record::configuration(&mut tx, store, configured, given, fleet.now()).await?;
    tx.commit().await?;
    Ok(true)
}

fn summaries(form: &Source) -> Vec<String> {
    form.grants.iter().map(Grant::summary).collect()
}

/// One line where it changed what other namespaces may have.
fn say_grants(source: &ResourceKey, before: Option<&Source>, now: Option<&Source>) {
    let grants = |form: Option<&Source>| form.map(summaries).unwrap_or_default();
    let (before, now) = (grants(before), grants(now));
    if before != now {
        tracing::info!(%source, grants = now.len(), before = before.len(), "what a source grants other namespaces has changed");
    }
}

/// Takes back what a source grants that cannot be read: nobody knows whether it still does.
pub async fn distrust(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
    let row = source::find(&mut *fleet.context().store.main.read().await?, key).await?;
    fleet.process.ask_for_workers(Role::Ingest, key, Wish::Unknown);
    let Some(row) = row else { return Ok(()) };
    let configured = Configured::known("CprSource", key, &row.uid, row.generation);
    let unreadable = Refusal::by_author("NotUnderstood", "");
    if write(&configured, Err(&unreadable), Vec::new(), fleet).await? {
        fleet.context().bells.delivery.ring();
    }
    fleet.wake_subscriptions(Reference::Source, key);
    Ok(())
}

/// What was found at the source, and how the workers stand that it asks for.
async fn observe(source: &CprSource, found: &Found, fleet: &Fleet) -> Result<(SourceState, Standing), Error> {
    let mut conn = fleet.context().store.main.read().await?;
    let row = source::find(&mut conn, &found.key).await?;
    let state = match &row {
        Some(row) => source::state(&mut conn, row.id).await?,
        None => None,
    };
    let wish = demand::of_source(&source.spec, row.as_ref(), found.handed(), &fleet.context().workers);
    let workers = fleet.process.ask_for_workers(Role::Ingest, &found.key, wish);
    Ok((state.unwrap_or_default(), workers))
}

/// The sources that the store has and does not know to be deleted.
pub async fn stored(fleet: &Fleet) -> Result<Vec<ResourceKey>, store::Error> {
    let rows = source::all(&mut *fleet.context().store.main.read().await?).await?;
    Ok(rows.into_iter().filter(|row| row.ended_at.is_none()).map(|row| row.key).collect())
}

/// Ends a source that was deleted: its credentials go at once, its row after the grace.
pub async fn end(fleet: &Fleet, key: &ResourceKey) -> Result<(), Error> {
    let (context, now) = (fleet.context(), fleet.now());
    record::prepare(&context.store, now).await?;
    let mut tx = context.store.main.begin().await?;
    // Asked again within the transaction: who was applied since then is in the view.
    let row = source::find(&mut tx, key).await?.filter(|_| !fleet.sources.contains(key));
    if let Some(row) = row {
        source::end(&mut tx, row.id, now).await?;
        meta::raise_configuration(&mut tx).await?;
        record::removed(&mut tx, &context.store, ("CprSource", key), (row.uid, row.generation), now).await?;
        tx.commit().await?;
        context.credentials.set(key, None);
        fleet.process.wishes.forget(Role::Ingest, key);
        context.metrics.forget_source(key);
        context.bells.ingest.ring();
        context.bells.delivery.ring();
        fleet.wake_subscriptions(Reference::Source, key);
    }
    Ok(())
}
