//! The watches: each kind's controller, what else makes a resource be looked at, and the clock.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, Stream, StreamExt, future, stream};
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::findings::Findings;
use super::fleet::{Fleet, View, key_of, object_ref};
use super::kind::Kind;
use super::metrics::Result as Ending;
use super::report::{self, Done};
use super::requeue::{self, Error};
use crate::api::subscription::CprSubscription;
use crate::domain::resource::ResourceKey;
use crate::runtime::causes;
use crate::store::trouble::Trouble;

/// A store that takes longer to say what was found does not answer.
const LOOK_AT_MOST: Duration = Duration::from_secs(30);

/// Runs the controller of one kind until `stop`; reconciles under way are finished first.
pub async fn control<K: Kind>(
    fleet: Arc<Fleet>,
    writer: Writer<DeserializeGuard<K>>,
    woken: UnboundedReceiver<ResourceKey>,
    stop: CancellationToken,
) {
    let settings = &fleet.context().settings;
    fleet.context().metrics.set_concurrency(K::CONTROLLER, settings.concurrency);
    let reader = writer.as_reader();
    let woken =
        stream::unfold(woken, |mut woken| async { woken.recv().await.map(|key| (object_ref::<K>(&key), woken)) });
    Controller::for_stream(main_stream(Arc::clone(&fleet), writer), reader)
        .with_config(Config::default().concurrency(settings.concurrency))
        .reconcile_on(woken)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile::<K>, error_policy::<K>, fleet)
        .for_each(|_| future::ready(()))
        .await;
}

/// New and changed objects of a kind. Our own status writes are left out, and so are errors, which are logged: a watch that
/// fails must not slow the others.
fn main_stream<K: Kind>(
    fleet: Arc<Fleet>,
    writer: Writer<DeserializeGuard<K>>,
) -> impl Stream<Item = Result<DeserializeGuard<K>, watcher::Error>> + Send {
    let told = predicates::generation.combine(predicates::annotations);
    let watched = watcher(fleet.scope.api::<DeserializeGuard<K>>(&fleet.client), watcher::Config::default())
        .default_backoff()
        .modify(strip)
        .reflect(writer)
        .inspect(move |event| match event {
            Ok(watcher::Event::InitDone) => K::view(&fleet).set_listed(),
            Ok(watcher::Event::Apply(object)) => K::view(&fleet).desk.arrived(&key_of(object), object.meta()),
            Ok(watcher::Event::Delete(object)) => K::view(&fleet).set_deleted(&key_of(object)),
            _ => {}
        });
    without_errors(watched, K::kind(&()).into_owned())
        .applied_objects()
        .predicate_filter(told, PredicateConfig::default())
}

/// Takes out what nobody looks at, before it is kept for every object.
fn strip<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Leaves errors out of a watch and logs each kind of error once until it works again.
pub fn without_errors<T: Send>(
    watched: impl Stream<Item = Result<T, watcher::Error>> + Send,
    what: String,
) -> impl Stream<Item = Result<T, watcher::Error>> + Send {
    let mut last = None;
    watched.filter_map(move |event| {
        let text = event.as_ref().err().map(explain);
        if text != last {
            match &text {
                Some(error) => tracing::warn!(watch = what, error, "the watch does not work"),
                None => tracing::info!(watch = what, "the watch works again"),
            }
            last = text;
        }
        future::ready(event.is_ok().then_some(event))
    })
}

fn explain(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(s)) if s.is_not_found() => {
            "the API server does not know the kind: run cpr-operator crds | kubectl apply --server-side -f -".to_owned()
        }
        InitialListFailed(kube::Error::Api(s)) | WatchStartFailed(kube::Error::Api(s)) if s.is_forbidden() => {
            format!("not permitted: {}", s.message)
        }
        InitialListFailed(cause) | WatchStartFailed(cause) | WatchFailed(cause) => causes::text(cause),
        WatchError(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// One reconcile: a panic becomes an error, the outcome one log line and a count.
async fn reconcile<K: Kind>(object: Arc<DeserializeGuard<K>>, fleet: Arc<Fleet>) -> Result<Action, Error> {
    let (key, began) = (key_of(&*object), Instant::now());
    let active = fleet.context().metrics.begin(K::CONTROLLER);
    let outcome = caught(attend(&object, &fleet, &key)).await;
    drop(active);
    let view = K::view(&fleet);
    if !view.contains(&key) {
        // Deleted meanwhile: what was written after that has to be ended again.
        view.compare.notify_one();
    }
    let took = began.elapsed();
    fleet.context().metrics.count(K::CONTROLLER, ending(&outcome), took);
    say(K::CONTROLLER, &key, object.meta().generation.unwrap_or_default(), &outcome, took);
    if let (Err(error), Ok(object)) = (&outcome, &object.0) {
        tell_of_store(object, error, &fleet, &key).await;
    }
    outcome?;
    view.attempts.forget(&key);
    Ok(Action::requeue(requeue::spread(fleet.context().settings.resync, requeue::chance())))
}

/// Says in the status that the store cannot be used, where that is why: for this it is not needed.
async fn tell_of_store<K: Kind>(object: &K, error: &Error, fleet: &Fleet, key: &ResourceKey) {
    let Some(trouble) = error.store_trouble() else { return };
    if let Err(error) = report::write_store_trouble(fleet, key, object, trouble).await {
        tracing::warn!(resource = %key, error = causes::text(&error), "its status could not be written");
    }
}

/// What the work gives; a panic in it is an error like any other, and ends nothing else.
async fn caught<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(Error::Panicked))
}

fn ending(outcome: &Result<Done, Error>) -> Ending {
    match outcome {
        Ok(_) => Ending::Success,
        Err(Error::Panicked) => Ending::Panic,
        Err(_) => Ending::Error,
    }
}

/// One line for one reconcile. A look that found nothing new is not worth more than a debugger's attention.
fn say(controller: &'static str, key: &ResourceKey, generation: i64, outcome: &Result<Done, Error>, took: Duration) {
    let ResourceKey { namespace, name } = key;
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok(Done { told: true, .. }) => {
            tracing::info!(controller, namespace, name, generation, outcome = "told", millis, "reconciled");
        }
        Ok(_) => {
            tracing::debug!(controller, namespace, name, generation, outcome = "nothing new", millis, "reconciled")
        }
        Err(error) => {
            let error = causes::text(error);
            tracing::warn!(
                controller,
                namespace,
                name,
                generation,
                outcome = "failed",
                millis,
                error,
                "could not be reconciled"
            );
        }
    }
}

async fn attend<K: Kind>(object: &DeserializeGuard<K>, fleet: &Fleet, key: &ResourceKey) -> Result<Done, Error> {
    let done = match &object.0 {
        Ok(object) => object.reconcile(fleet).await?,
        Err(unreadable) => {
            K::distrust(fleet, key).await?;
            report::write_unreadable::<K>(fleet, key, &unreadable.metadata).await?
        }
    };
    K::view(fleet).set_alarm(key, done.again);
    Ok(done)
}

fn error_policy<K: Kind>(object: Arc<DeserializeGuard<K>>, error: &Error, fleet: Arc<Fleet>) -> Action {
    K::view(&fleet).attempts.after(&key_of(&*object), error, requeue::chance())
}

/// Watches the metadata of Secrets or ConfigMaps that `labels` select, and has the resources looked at that name one that
/// changed. After each complete list it wakes all, since a deletion may have been missed.
pub async fn follow<R>(fleet: Arc<Fleet>, labels: &'static str, uses: Uses, stop: CancellationToken)
where
    R: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static,
{
    let api = fleet.scope.api::<PartialObjectMeta<R>>(&fleet.client);
    let watched = watcher(api, watcher::Config::default().labels(labels)).default_backoff();
    let watched = without_errors(watched, R::kind(&()).into_owned());
    let mut watched = Box::pin(watched.take_until(stop.cancelled_owned()));
    while let Some(event) = watched.next().await {
        if let (Ok(event), Uses::Secret) = (&event, uses) {
            fleet.kept.note(event);
        }
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)) => {
                wake_users(&fleet, &key_of(&object), uses);
            }
            Ok(watcher::Event::InitDone) => {
                fleet.sources.wake_all();
                fleet.consumers.wake_all();
                wake_lists(&fleet);
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// What a resource uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

fn wake_users(fleet: &Fleet, used: &ResourceKey, uses: Uses) {
    let name = used.name.as_str();
    wake_where(&fleet.sources, used, |spec| super::source::dereference::names(&spec.spec, uses).contains(&name));
    wake_where(&fleet.consumers, used, |spec| super::consumer::dereference::names(&spec.spec, uses).contains(&name));
    if uses == Uses::Secret {
        let list = |spec: &CprSubscription| spec.spec.select.persons_secret_ref.clone();
        wake_where(&fleet.subscriptions, used, |spec| list(spec).is_some_and(|from| from.name.as_str() == name));
    }
}

/// Wakes the readable objects in the namespace of `used` that use it.
fn wake_where<K: Kind>(view: &View<K>, used: &ResourceKey, uses: impl Fn(&K) -> bool) {
    for object in view.all() {
        let is_here = object.meta().namespace.as_ref() == Some(&used.namespace);
        if is_here && object.0.as_ref().is_ok_and(&uses) {
            view.wake(key_of(&*object));
        }
    }
}

/// Has the subscriptions looked at whose list lies in a Secret.
fn wake_lists(fleet: &Fleet) {
    for object in fleet.subscriptions.all() {
        if object.0.as_ref().is_ok_and(|object| object.spec.select.persons_secret_ref.is_some()) {
            fleet.subscriptions.wake(key_of(&*object));
        }
    }
}

/// Has resources looked at whose stage found something new, or whose time has come: when the bell rings, else each second.
pub async fn poll(fleet: Arc<Fleet>, mut findings: Findings, stop: CancellationToken) {
    let mut was_away = false;
    while !stop.is_cancelled() {
        let is_away = look(&mut findings, &fleet).await.is_some();
        if is_away != was_away {
            // All say so, and take it back when the store is there again.
            fleet.wake_all();
            was_away = is_away;
        }
        let now = fleet.now();
        fleet.sources.ring(now);
        fleet.consumers.ring(now);
        fleet.subscriptions.ring(now);
        tokio::select! {
            () = stop.cancelled() => {}
            _ = fleet.context().bells.status.wait(Duration::from_secs(1)) => {}
        }
    }
}

/// Looks for what was found; what is wrong with the store, if it cannot be used.
async fn look(findings: &mut Findings, fleet: &Fleet) -> Option<Trouble> {
    let looked = tokio::time::timeout(LOOK_AT_MOST, findings.look(fleet)).await;
    match looked {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::warn!(%error, "what the stages found could not be read");
            Some(Trouble::from(&error)).filter(|trouble| trouble.is_outage())
        }
        Err(_) => {
            tracing::warn!("the store does not answer");
            Some(Trouble::Away)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_that_is_counted_as_one() {
        let outcome = caught(async { panic!("a fault") }).await;
        assert!(matches!(outcome, Err(Error::Panicked)));
        assert_eq!(ending(&outcome), Ending::Panic);
    }

    #[tokio::test]
    async fn errors_are_left_out_of_a_watch_and_what_comes_after_them_is_not() {
        let broken = || Err(watcher::Error::NoResourceVersion);
        let watched = without_errors(stream::iter([Ok(1), broken(), broken(), Ok(2)]), "kind".to_owned());
        let seen: Vec<_> = watched.filter_map(|event| future::ready(event.ok())).collect().await;
        assert_eq!(seen, [1, 2]);
    }
}
