//! What a subscription would disclose if it were applied now, beside what it discloses at present. Writes nothing.

use jiff::Timestamp;

use super::build::{Wanted, build};
use super::dereference::{ConsumerFound, Found, Present, SourceFound, not_granted};
use super::validate::validate;
use crate::api::consumer::ConsumerSystem;
use crate::api::source::CprSource;
use crate::api::subscription::CprSubscription;
use crate::domain::compiled::Subscription;
use crate::domain::grant::{Allowance, Places};
use crate::domain::resource::ResourceKey;
use crate::operator::consumer::rights;
use crate::operator::fleet::key_of;
use crate::operator::refusal::Refusal;
use crate::operator::source::grants;
use crate::operator::source::validate::address;
use crate::store::subscription::SubscriptionRow;
use crate::store::{self, Store, SubscriptionId, person, source, subscription};

/// A subscription and what it refers to, as they are or would be.
pub struct Manifests {
    /// The subscription.
    pub subscription: CprSubscription,
    /// Its source.
    pub source: Option<CprSource>,
    /// Its consumer.
    pub consumer: Option<ConsumerSystem>,
}

/// What would come of it.
pub struct Plan {
    /// Namespace and name.
    pub key: ResourceKey,
    /// What would be in force, or why nothing would.
    pub wanted: Result<Subscription, Refusal>,
    /// What is in force.
    pub present: Option<Subscription>,
    /// Known persons whom it would cover.
    pub persons: u64,
    /// Known persons whom it covers.
    pub persons_now: u64,
}

/// Works out what would come of a subscription.
pub async fn plan(store: &Store, manifests: &Manifests, now: Timestamp) -> Result<Plan, store::Error> {
    let key = key_of(&manifests.subscription);
    let of = manifests.subscription.spec.source_ref.key(&key.namespace);
    let mut conn = store.main.read().await?;
    let row = subscription::find(&mut conn, &key).await?.filter(|row| row.ended_at.is_none());
    let stored = source::find(&mut conn, &of).await?.filter(|row| row.ended_at.is_none());
    let schema = match &stored {
        Some(stored) => source::state(&mut conn, stored.id).await?.and_then(|state| state.schema),
        None => None,
    };
    drop(conn);
    let known = stored.as_ref().map_or(0, |stored| stored.id);
    let source = manifests.source.as_ref().map(|source| SourceFound {
        id: known,
        key: of.clone(),
        environment: source.spec.environment,
        schema,
    });
    let wanted = validate(&manifests.subscription, &found(manifests, &key, &of, source), now).map(build);
    let wanted = wanted.map(|Wanted { compiled, .. }| compiled);
    let present = row.as_ref().and_then(|row| row.compiled.clone());
    let id = row.as_ref().map_or(0, |row: &SubscriptionRow| row.id);
    Ok(Plan {
        persons: count(store, known, id, wanted.as_ref().ok()).await?,
        persons_now: count(store, known, id, present.as_ref()).await?,
        wanted,
        present,
        key,
    })
}

fn found(manifests: &Manifests, key: &ResourceKey, of: &ResourceKey, source: Option<SourceFound>) -> Found {
    let missing = |reason, kind: &str, field: &str| {
        let message =
            format!("the {kind} is neither among the manifests nor in the cluster: add it, or correct {field}");
        Refusal::by_others(reason, message)
    };
    let granted = manifests.source.as_ref().map(|source| grants::of(&of.namespace, &source.spec.grants));
    let granted = granted.and_then(Result::ok).unwrap_or_default();
    let source = match Allowance::of(&of.namespace, &granted, &key.namespace) {
        Allowance::Nothing => Err(not_granted(of, key)),
        Allowance::Own | Allowance::Granted(_) => {
            source.ok_or_else(|| missing("SourceNotFound", "CprSource", "sourceRef"))
        }
    };
    let consumer =
        consumer(manifests).unwrap_or_else(|| Err(missing("ConsumerNotFound", "ConsumerSystem", "consumerRef")));
    let present = consumer.as_ref().ok().map(|consumer| Present {
        consumer: consumer.key.clone(),
        rights: consumer.rights.clone(),
        url: Some(consumer.url.clone()),
    });
    Found { key: key.clone(), source, authority: of.namespace.clone(), grants: granted, consumer, present, row: None }
}

fn consumer(manifests: &Manifests) -> Option<Result<ConsumerFound, Refusal>> {
    let consumer = manifests.consumer.as_ref()?;
    let url = address(consumer.spec.delivery.url.as_str())?;
    Some(rights::rights(&consumer.spec).map(|rights| ConsumerFound { id: 0, key: key_of(consumer), rights, url }))
}

/// Known persons whom a form covers. Who would come onto its list is not known before.
async fn count(
    store: &Store,
    source: i64,
    id: SubscriptionId,
    form: Option<&Subscription>,
) -> Result<u64, store::Error> {
    let Some(form) = form else { return Ok(0) };
    let within = match (&form.places, form.selector.everyone) {
        (Places::Anywhere, true) => None,
        (Places::Anywhere, false) => Some(form.selector.municipalities.iter().copied().collect::<Vec<_>>()),
        (Places::Within(all), true) => Some(all.iter().copied().collect()),
        (Places::Within(all), false) => Some(form.selector.municipalities.intersection(all).copied().collect()),
    };
    let mut conn = store.main.read().await?;
    let living = person::count_living_in(&mut conn, source, within.as_deref()).await?;
    match form.selector.listed {
        true => Ok(living + person::count_named(&mut conn, source, within.as_deref(), id).await?),
        false => Ok(living),
    }
}
