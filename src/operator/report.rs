//! Statuses: how conditions are summed up, when a status is written, and the write itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::core::object::HasStatus;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, Process, earlier};
use super::kind::Kind;
use super::refusal::{Refusal, Remedy};
use super::workers::wish::{Count, Standing};
use crate::api::conditions::{self, ConditionType};
use crate::api::names::{FIELD_MANAGER, RECONCILE_AT};
use crate::api::workers::WorkersStatus;
use crate::domain::resource::ResourceKey;
use crate::store::trouble::Trouble;

pub use crate::api::conditions::Status as Holds;

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server was not reached or failed.
    #[error(transparent)]
    Write(kube::Error),
    /// The API server has another schema.
    #[error(
        "the API server refuses the status: install this version's custom resource definitions with cpr-operator crds | kubectl apply --server-side -f -: {0}"
    )]
    Refused(kube::Error),
    /// Somebody wrote a status that is none of ours.
    #[error("the status could not be read, and was written anew")]
    Lost,
}

/// A status of any kind.
pub trait Status: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its conditions.
    fn conditions(&self) -> &[Condition];

    /// The same without counters and times that move all the time, and so cause no write by themselves.
    fn settled(&self) -> Self;

    /// The same status with the members that all kinds share.
    fn with(self, conditions: Vec<Condition>, waiting: Option<String>, meta: &ObjectMeta) -> Self;
}

/// Conditions under way: begun from those of the last status, so that times of transition are kept.
pub struct Draft {
    conditions: Vec<Condition>,
    generation: i64,
    now: Timestamp,
}

impl Draft {
    /// Begins from the conditions of the last status.
    pub fn begin(last: &[Condition], generation: i64, now: Timestamp) -> Self {
        Self { conditions: last.to_vec(), generation, now }
    }

    /// Sets one condition.
    pub fn set(&mut self, type_: ConditionType, holds: impl Into<Holds>, reason: &str, message: &str) {
        conditions::set(&mut self.conditions, type_, holds.into(), reason, message, self.generation, self.now);
    }

    /// Sets a condition by whether something could be used.
    pub fn set_by<T>(&mut self, type_: ConditionType, result: Result<T, &Refusal>, reason: &str, message: &str) {
        match result {
            Ok(_) => self.set(type_, Holds::True, reason, message),
            Err(refusal) => self.set(type_, Holds::False, refusal.reason, &refusal.message),
        }
    }

    /// Sets the condition that says how the resource's workers stand, and gives their number. As long as nothing is known, such as
    /// after a start of the operator, what was said `last` stays.
    pub fn set_workers(&mut self, standing: &Standing, last: Option<&WorkersStatus>) -> Option<WorkersStatus> {
        let was_said = conditions::get(&self.conditions, ConditionType::WorkersAvailable).is_some();
        if was_said && !standing.is_known() {
            return last.cloned();
        }
        self.set(ConditionType::WorkersAvailable, standing.holds, standing.reason, &standing.message);
        standing.count.map(Count::shown)
    }

    /// Sums up: `Ready`, `Reconciling`, `Stalled`, and what is waited for. A refusal of the whole goes before the parts.
    pub fn finish(mut self, refusal: Option<&Refusal>, suspended: bool) -> (Vec<Condition>, Option<String>) {
        let (holds, reason, message) = self.summary(refusal, suspended);
        self.set(ConditionType::Ready, holds, &reason, &message);
        let stalled = refusal.is_some_and(|r| r.remedy == Remedy::Author);
        self.set(ConditionType::Stalled, stalled, &reason, &message);
        let at_work = holds != Holds::True && !stalled && !suspended;
        self.set(ConditionType::Reconciling, at_work, &reason, &message);
        let waiting = conditions::waiting(&self.conditions);
        (self.conditions, refusal.map(|r| r.reason.to_owned()).or(waiting))
    }

    /// `Ready` holds when all its parts do; else it takes reason and message of the first that does not.
    fn summary(&self, refusal: Option<&Refusal>, suspended: bool) -> (Holds, String, String) {
        if let Some(refusal) = refusal {
            return (Holds::False, refusal.reason.to_owned(), refusal.message.clone());
        }
        if suspended {
            return (Holds::False, "Suspended".to_owned(), "suspended: set spec.suspend to false to go on".to_owned());
        }
        match self.conditions.iter().find(|c| is_missing_part(c)) {
            None => (Holds::True, "Succeeded".to_owned(), "all is as it should be".to_owned()),
            Some(part) if part.status == Holds::Unknown.name() => {
                (Holds::Unknown, part.reason.clone(), part.message.clone())
            }
            Some(part) => (Holds::False, part.reason.clone(), part.message.clone()),
        }
    }
}

/// Whether a condition keeps `Ready` from holding. Warnings do not, but an end does.
fn is_missing_part(condition: &Condition) -> bool {
    match ConditionType::from_name(&condition.type_) {
        None | Some(ConditionType::Ready) => false,
        Some(ConditionType::Expired) => condition.status == Holds::True.name(),
        Some(type_) => !type_.is_abnormal_when_true() && condition.status != Holds::True.name(),
    }
}

/// The value of the annotation that asks for a reconcile.
pub fn asked_at(meta: &ObjectMeta) -> Option<String> {
    meta.annotations.as_ref()?.get(RECONCILE_AT).map(|value| value.chars().take(256).collect())
}

/// Reason of what cannot be read.
const NOT_UNDERSTOOD: &str = "NotUnderstood";

/// Reason while the store cannot be used.
const STORE_UNAVAILABLE: &str = "StoreUnavailable";

/// How often something is looked for that is missing.
const LOOK_FOR_MISSING: SignedDuration = SignedDuration::from_secs(15);

/// How a look at a resource ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Whether its status said something new.
    pub told: bool,
    /// Whether that was the first of this generation, or the first after it could not be read: those who refer to it may find
    /// it another one.
    pub taken_up: bool,
    /// When the clock makes another look necessary.
    pub again: Option<Timestamp>,
}

impl Done {
    /// Nothing was said; another look at this time.
    pub fn quiet(again: Option<Timestamp>) -> Self {
        Self { told: false, taken_up: false, again }
    }

    /// The same with another look before long, if something is missing that no watch tells of: Secrets and ConfigMaps without
    /// the label that is watched.
    pub fn again_soon<T>(self, looked_for: &Result<T, Refusal>, now: Timestamp) -> Self {
        self.again_by(looked_for.is_err().then(|| now + LOOK_FOR_MISSING))
    }

    /// The same with another look at `at`, if that is earlier.
    pub fn again_by(self, at: Option<Timestamp>) -> Self {
        Self { again: earlier(self.again, at), ..self }
    }
}

/// What was last written of each object of one kind.
#[derive(Debug)]
pub struct Desk<S>(Mutex<HashMap<ResourceKey, Written<S>>>);

#[derive(Clone, Debug)]
struct Written<S> {
    uid: Option<String>,
    /// The version that the write gave; a cache that shows an older one has not seen the write.
    version: Option<String>,
    /// None where the cache has seen it.
    status: Option<S>,
    at: Timestamp,
}

impl<S> Default for Desk<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Status> Desk<S> {
    /// The object's status as it stands: that in the cache, or ours where the cache lags behind. `cached` gives what the cache
    /// has by now, which may be newer than `object`.
    pub fn last<K>(&self, key: &ResourceKey, object: &K, cached: impl FnOnce() -> Option<Arc<DeserializeGuard<K>>>) -> S
    where
        K: Resource + HasStatus<Status = S>,
    {
        let desk = self.0.lock().expect("no holder panics");
        // Looked up with the desk held: what was dropped from it is in the cache by then.
        let cached = cached().filter(|cached| cached.meta().uid == object.meta().uid);
        let object = cached.as_deref().and_then(|cached| cached.0.as_ref().ok()).unwrap_or(object);
        let written = desk.get(key).filter(|w| w.uid == object.meta().uid && !w.is_seen_by(object.meta()));
        written.and_then(|w| w.status.as_ref()).or(object.status()).cloned().unwrap_or_default()
    }

    /// Drops what was written of an object that arrived in the cache as it was written, or as it became later.
    pub fn arrived(&self, key: &ResourceKey, meta: &ObjectMeta) {
        if let Some(written) = self.0.lock().expect("no holder panics").get_mut(key)
            && written.is_seen_by(meta)
        {
            written.status = None;
        }
    }

    /// Forgets an object.
    pub fn forget(&self, key: &ResourceKey) {
        self.0.lock().expect("no holder panics").remove(key);
    }

    fn written_at(&self, key: &ResourceKey, meta: &ObjectMeta) -> Option<Timestamp> {
        let desk = self.0.lock().expect("no holder panics");
        desk.get(key).filter(|w| w.uid == meta.uid).map(|w| w.at)
    }

    /// Keeps what was written of an object, if the cache shows an older one.
    fn keep(&self, key: &ResourceKey, cached: &ObjectMeta, written: ObjectMeta, status: S, at: Timestamp) {
        let ObjectMeta { uid, resource_version: version, .. } = written;
        let mut written = Written { uid, version, status: None, at };
        written.status = (!written.is_seen_by(cached)).then_some(status);
        self.0.lock().expect("no holder panics").insert(key.clone(), written);
    }
}

impl<S> Written<S> {
    /// Whether an object in the cache is at least as new. Versions are numbers that grow.
    fn is_seen_by(&self, cached: &ObjectMeta) -> bool {
        let number = |version: &Option<String>| version.as_ref()?.parse::<u128>().ok();
        match (number(&cached.resource_version), number(&self.version)) {
            (Some(cached), Some(written)) => cached >= written,
            _ => true,
        }
    }
}

/// Whether a status has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    /// Nothing differs.
    No,
    /// Something differs that people wait for.
    Now,
    /// Only counters differ, and they may be written from this time on.
    From(Timestamp),
}

fn decide<S: Status>(last: &S, new: &S, written_at: Timestamp, interval: Duration) -> Write {
    if last == new {
        Write::No
    } else if last.settled() != new.settled() {
        Write::Now
    } else {
        let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
        Write::From(written_at.checked_add(interval).unwrap_or(Timestamp::MAX))
    }
}

/// Takes the next place in the row of counter refreshes, or says when there is one.
fn take_turn(process: &Process, now: Timestamp) -> Result<(), Timestamp> {
    let mut next = process.next_refresh.lock().expect("no holder panics");
    if *next > now {
        return Err(*next);
    }
    let per_second = i64::from(process.context.settings.status_writes_per_second.max(1));
    *next = now + SignedDuration::from_millis(1000 / per_second.min(1000));
    Ok(())
}

/// Writes a status if it says something new. Another look is necessary for counters that could not be written now.
pub async fn write<K: Kind>(
    fleet: &Fleet,
    key: &ResourceKey,
    meta: &ObjectMeta,
    last: &K::Status,
    new: K::Status,
) -> Result<Done, Error> {
    let desk = &K::view(fleet).desk;
    let quiet = |again| Ok(Done::quiet(again));
    let (now, interval) = (fleet.now(), fleet.context().settings.status_interval);
    // What was written before the start counts as written then: a restart is no reason to write counters.
    let written_at = desk.written_at(key, meta).unwrap_or(fleet.began_at);
    match decide(last, &new, written_at, interval) {
        Write::No => return quiet(None),
        Write::Now => {}
        Write::From(at) if at > now => return quiet(Some(at)),
        Write::From(_) => {
            if let Err(at) = take_turn(&fleet.process, now) {
                return quiet(Some(at));
            }
        }
    }
    let written = patch::<K>(fleet, key, meta, &new).await?;
    if let Some(written) = written {
        fleet.context().metrics.count_status_write(K::CONTROLLER);
        let about = ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            ..Default::default()
        };
        fleet.announcer.announce(&about, last.conditions(), new.conditions()).await;
        let taken_up = is_taken_up(last.conditions(), new.conditions());
        let cached = K::view(fleet).get(key);
        desk.keep(key, cached.as_ref().map_or(meta, |cached| cached.meta()), written, new, now);
        return Ok(Done { told: true, taken_up, again: None });
    }
    // Gone or replaced, which the watch tells, or written by another at that moment.
    quiet(Some(now))
}

fn is_taken_up(last: &[Condition], new: &[Condition]) -> bool {
    let of = |conditions| conditions::get(conditions, ConditionType::Ready);
    let was_unread = of(last).is_none_or(|ready| [NOT_UNDERSTOOD, STORE_UNAVAILABLE].contains(&ready.reason.as_str()));
    was_unread || of(last).map(|r| r.observed_generation) != of(new).map(|r| r.observed_generation)
}

/// Writes the whole status, and gives the object's metadata after it; none where the object is gone or another took its name.
async fn patch<K: Kind>(
    fleet: &Fleet,
    key: &ResourceKey,
    meta: &ObjectMeta,
    status: &K::Status,
) -> Result<Option<ObjectMeta>, Error> {
    let api = dynamic_api::<K>(fleet, key);
    let body = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": key.name, "uid": meta.uid },
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&key.name, &params, &Patch::Apply(&body)).await {
        Ok(object) => Ok(Some(object.metadata)),
        Err(kube::Error::Api(s)) if s.is_not_found() || s.is_conflict() => Ok(None),
        Err(kube::Error::Api(s)) if s.is_invalid() => Err(Error::Refused(kube::Error::Api(s))),
        Err(error) => Err(Error::Write(error)),
    }
}

fn dynamic_api<K: Kind>(fleet: &Fleet, key: &ResourceKey) -> Api<DynamicObject> {
    Api::namespaced_with(fleet.client.clone(), &key.namespace, &ApiResource::erase::<K>(&()))
}

/// Says of an object that cannot be read that it cannot.
pub async fn write_unreadable<K: Kind>(fleet: &Fleet, key: &ResourceKey, meta: &ObjectMeta) -> Result<Done, Error> {
    let found = dynamic_api::<K>(fleet, key).get_opt(&key.name).await.map_err(Error::Write)?;
    let Some(found) = found else { return Ok(Done::quiet(None)) };
    let read = found.data.get("status").map(K::Status::deserialize).transpose();
    let is_lost = read.is_err();
    let last = read.ok().flatten().unwrap_or_default();
    let mut draft = Draft::begin(last.conditions(), meta.generation.unwrap_or_default(), fleet.now());
    for type_ in K::CONDITIONS {
        if conditions::get(&draft.conditions, *type_).is_none() {
            draft.set(*type_, Holds::Unknown, NOT_UNDERSTOOD, "the resource cannot be read");
        }
    }
    let (conditions, waiting) = draft.finish(Some(&not_understood()), false);
    let new = last.clone().with(conditions, waiting, meta);
    let done = write::<K>(fleet, key, &found.metadata, &last, new).await?;
    // Written anew it can be read, and with it the object: which is looked at again as after any failure.
    if is_lost { Err(Error::Lost) } else { Ok(done) }
}

/// Says of an object that the store, from which all else would be said, cannot be used.
pub async fn write_store_trouble<K: Kind>(
    fleet: &Fleet,
    key: &ResourceKey,
    object: &K,
    trouble: Trouble,
) -> Result<Done, Error> {
    let last = K::view(fleet).last(object);
    let mut conditions = last.conditions().to_vec();
    let (generation, now) = (object.meta().generation.unwrap_or_default(), fleet.now());
    conditions::set_missing(&mut conditions, K::CONDITIONS, generation, now);
    let message = format!("{trouble}. What else is said here is as it was before; for the platform team");
    let refusal = Refusal::by_others(STORE_UNAVAILABLE, message);
    let (conditions, waiting) = Draft::begin(&conditions, generation, now).finish(Some(&refusal), false);
    write::<K>(fleet, key, object.meta(), &last, last.clone().with(conditions, waiting, object.meta())).await
}

fn not_understood() -> Refusal {
    let message = "this version of the operator cannot read the spec: install its custom resource definitions with cpr-operator crds | kubectl apply --server-side -f -, then apply the resource again";
    Refusal::by_author(NOT_UNDERSTOOD, message)
}

macro_rules! statuses {
    ($($status:ty, |$s:ident| $settle:block;)*) => { $(
        impl Status for $status {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }

            fn settled(&self) -> Self {
                let mut $s = self.clone();
                $settle
                $s
            }

            fn with(mut self, conditions: Vec<Condition>, waiting: Option<String>, meta: &ObjectMeta) -> Self {
                self.conditions = conditions;
                self.waiting = waiting;
                self.observed_generation = meta.generation;
                self.last_handled_reconcile_at = asked_at(meta);
                self
            }
        }
    )* };
}

statuses! {
    crate::api::source::CprSourceStatus, |s| { s.cursor = None; };
    crate::api::consumer::ConsumerSystemStatus, |s| { s.subscriptions = None; s.delivery = None; };
    crate::api::subscription::CprSubscriptionStatus, |s| { s.subjects = None; };
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::api::subscription::{CprSubscription, CprSubscriptionStatus};
    use crate::operator::subscription::validate::tests::subscription;

    fn status(subjects: i64, waiting: Option<&str>) -> CprSubscriptionStatus {
        CprSubscriptionStatus {
            subjects: Some(subjects),
            waiting: waiting.map(str::to_owned),
            ..CprSubscriptionStatus::default()
        }
    }

    #[test]
    fn news_is_written_at_once_and_counters_in_their_time() {
        let before: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let interval = Duration::from_secs(600);
        let due = before + SignedDuration::from_secs(600);
        for (last, new, expected) in [
            (status(1, None), status(1, None), Write::No),
            (status(1, None), status(2, Some("Down")), Write::Now),
            (status(1, None), status(2, None), Write::From(due)),
        ] {
            assert_eq!(decide(&last, &new, before, interval), expected);
        }
    }

    #[test]
    fn a_cache_that_lags_does_not_hide_what_was_written() {
        let (desk, key) = (Desk::default(), ResourceKey::new("a", "b"));
        let shown = |version: &str| ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() };
        let object = |version| {
            let mut object = subscription(&[]);
            (object.metadata, object.status) = (shown(version), Some(status(0, None)));
            object
        };
        let cached = |version| Some(Arc::new(DeserializeGuard(Ok(object(version)))));
        let last = |looked_at, by_now| desk.last(&key, &object(looked_at), || cached(by_now)).subjects;
        desk.keep(&key, &shown("8"), shown("9"), status(1, None), Timestamp::UNIX_EPOCH);
        assert_eq!(last("8", "8"), Some(1));
        desk.keep(&key, &shown("8"), shown("10"), status(2, None), Timestamp::UNIX_EPOCH);
        // The first of both arrives: the second is still to come.
        desk.arrived(&key, &shown("9"));
        assert_eq!(last("9", "9"), Some(2));
        assert_eq!(last("8", "9"), Some(2));
        assert_eq!(last("11", "11"), Some(0), "somebody wrote after us");
        desk.arrived(&key, &shown("10"));
        let arrived =
            Some(Arc::new(DeserializeGuard(Ok(CprSubscription { status: Some(status(2, None)), ..object("10") }))));
        let while_looked_at = desk.last(&key, &object("8"), || arrived);
        assert_eq!(while_looked_at.subjects, Some(2), "it arrived after the look at an older one began");
        let desk = desk.0.lock().unwrap();
        assert!(desk[&key].status.is_none(), "kept for every object it would be as large as the cache");
    }

    #[test]
    fn a_warning_does_not_keep_ready_from_holding() {
        let mut draft = Draft::begin(&[], 1, Timestamp::UNIX_EPOCH);
        draft.set(ConditionType::SecretsResolved, true, "Resolved", "");
        draft.set(ConditionType::AccessExpiring, true, "EndsWithin7Days", "");
        let (conditions, waiting) = draft.finish(None, false);
        assert_eq!(conditions::get(&conditions, ConditionType::Ready).unwrap().status, "True");
        assert_eq!(waiting.as_deref(), Some("EndsWithin7Days"));
    }
}
