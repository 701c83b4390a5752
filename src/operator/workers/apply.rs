//! Makes the objects of a worker as they were built. What says already what it should is not written, what somebody else has made
//! under the name is not taken, and what is not wanted any more is deleted.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::{Value, json};

use super::build::{self, Ground, deployment, disruption_budget, network_policy, secret, service_account};
use super::covers::covers;
use super::login::{self, Files};
use super::logins::{Known, Wanted};
use super::names::{self, ANCHOR, MANAGER, SCALER};
use super::plan::Worker;
use super::present::{Part, Present, Shelf};
use crate::operator::refusal::Refusal;
use crate::store::login::Password;

/// Why something is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Trying again does not help as long as something stays as it is.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The API server did not answer as it should, or something is on its way out.
    #[error("{kind} {name}: {cause}")]
    Again {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// Cause.
        cause: String,
    },
}

/// Makes a worker. Its account comes first, for that owns the rest; what the pods mount comes before them. The pods take another
/// form only if it is the worker's turn and their login at the database is there.
pub async fn apply(
    worker: &Worker,
    ground: &Ground,
    present: &Present,
    known: &Known<'_>,
    turn: Turn,
) -> Result<(), Error> {
    let account = ensure(&present.accounts, service_account::build(worker, ground)).await?;
    let owner = || build::owner(&account);
    let files = present.secrets.get(&worker.name()).and_then(|secret| secret.data.clone()).unwrap_or_default();
    let wanted = wanted_login(worker, ground, present, &files, turn).await?;
    // The password is kept before the database is told of it: what was made and forgotten would be made again.
    let addresses = match &wanted {
        Ok(Some((_, addresses))) => addresses.clone(),
        // What pods mount that are there stays until they are replaced.
        Ok(None) if !turn.is_changing => Files::new(),
        _ => login::of_login(&files),
    };
    ensure(&present.secrets, secret::build(worker, ground, owner(), Some(&files), addresses)).await?;
    let login = match wanted {
        Ok(Some((wanted, _))) => known.ensure(worker, &wanted).await,
        Ok(None) => Ok(()),
        Err(refusal) => Err(Error::Refused(refusal)),
    };
    ensure(&present.policies, network_policy::build(worker, ground, owner())).await?;
    // A form that the platform refuses leaves the one before.
    let Ok(shape) = &worker.shape else { return login };
    let mut live = present.deployments.get(&worker.name());
    if login.is_ok() && (turn.has_it || live.is_none()) {
        let built = deployment::build(worker, shape, ground, owner());
        live = Some(Arc::new(ensure(&present.deployments, built).await?));
    }
    let Some(live) = live else { return login };
    scale(&present.deployments, &live, worker).await?;
    if let Some(budget) = disruption_budget::build(worker, ground, owner()) {
        ensure(&present.budgets, budget).await?;
    }
    login
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Whether the worker's pods may be replaced now.
    pub has_it: bool,
    /// Whether they are to be, or are being replaced.
    pub is_changing: bool,
}

/// The login that a worker is to have, with the addresses by which it is used: with the password that it has, as long as its Secret
/// holds one. None where those that deliver share one.
async fn wanted_login(
    worker: &Worker,
    ground: &Ground,
    present: &Present,
    files: &Files,
    turn: Turn,
) -> Result<Result<Option<(Wanted, Files)>, Refusal>, Error> {
    let Some(logins) = ground.logins.as_ref().filter(|_| login::is_for(worker.role)) else { return Ok(Ok(None)) };
    let addresses = match &logins.addresses {
        Ok(addresses) => addresses,
        Err(refusal) => return Ok(Err(refusal.clone())),
    };
    let name = logins.name(&worker.name());
    let password = match login::password(files, &name) {
        Some(password) => password,
        // The Secret may be so new that it was not seen yet.
        None => written_password(present, &worker.name(), &name).await?.unwrap_or_else(Password::random),
    };
    let files = addresses.of(&name, &password);
    let connections = logins.limit(worker);
    Ok(Ok(Some((Wanted { name, password, connections, is_changing: turn.is_changing }, files))))
}

async fn written_password(present: &Present, worker: &str, login: &str) -> Result<Option<Password>, Error> {
    let secret = present.secrets.api.get_opt(worker).await.map_err(|error| failed::<Secret>(worker, error))?;
    Ok(secret.and_then(|secret| login::password(&secret.data?, login)))
}

/// Makes an object as it was built, and gives it as it is then.
async fn ensure<K: Part>(shelf: &Shelf<K>, built: K) -> Result<K, Error> {
    let name = built.name_any();
    let live = match shelf.get(&name) {
        Some(live) => Some(live),
        // Not ours, or so new that it was not seen yet.
        None => shelf.api.get_opt(&name).await.map_err(|error| failed::<K>(&name, error))?.map(Arc::new),
    };
    let params = match &live {
        Some(live) if !is_same(&**live, &built) => return Err(taken::<K>(&name)),
        Some(live) if live.meta().deletion_timestamp.is_some() => return Err(going::<K>(&name)),
        Some(live) if covers(&json_of(&**live), &json_of(&built)) => return Ok(K::clone(live)),
        // What others have changed of ours is changed back.
        Some(_) => PatchParams::apply(MANAGER).force(),
        // Whoever comes between finds a conflict, and not their object taken.
        None => PatchParams::apply(MANAGER),
    };
    let applied = shelf.api.patch(&name, &params, &Patch::Apply(&built)).await;
    let applied = applied.map_err(|error| failed::<K>(&name, error))?;
    let outcome = if live.is_some() { "changed" } else { "made" };
    tracing::info!(worker = name, kind = K::kind(&()).as_ref(), outcome, "a worker's object was written");
    Ok(applied)
}

/// Whether two objects belong to the same worker of the same installation.
fn is_same<K: Part>(live: &K, built: &K) -> bool {
    let of = |object: &K| (names::owner(object), object.labels().get(ANCHOR).cloned());
    of(live) == of(built)
}

fn json_of(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("it is plain data")
}

/// Sets the number of replicas, under a name of its own: the rest may have to wait for its turn.
async fn scale(shelf: &Shelf<Deployment>, live: &Deployment, worker: &Worker) -> Result<(), Error> {
    let name = worker.name();
    let present = live.spec.replicas;
    if present == i32::try_from(worker.replicas).ok() {
        return Ok(());
    }
    let body = json!({
        "apiVersion": Deployment::api_version(&()), "kind": Deployment::kind(&()),
        "metadata": { "name": name }, "spec": { "replicas": worker.replicas },
    });
    let params = PatchParams::apply(SCALER).force();
    shelf.api.patch(&name, &params, &Patch::Apply(&body)).await.map_err(|error| failed::<Deployment>(&name, error))?;
    tracing::info!(worker = name, from = present, to = worker.replicas, "a worker was scaled");
    Ok(())
}

/// Deletes an object, unless it is another by now.
pub async fn remove<K: Part>(shelf: &Shelf<K>, live: &K) -> Result<(), Error> {
    if live.meta().deletion_timestamp.is_some() {
        return Ok(());
    }
    let name = live.name_any();
    let only_this = Preconditions { uid: live.uid(), resource_version: None };
    match shelf.api.delete(&name, &DeleteParams::background().preconditions(only_this)).await {
        Ok(_) => tracing::info!(
            worker = name,
            kind = K::kind(&()).as_ref(),
            outcome = "removed",
            "a worker's object was deleted"
        ),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
        Err(error) => return Err(failed::<K>(&name, error)),
    }
    Ok(())
}

fn taken<K: Part>(name: &str) -> Error {
    let message = format!(
        "{} {name} of the platform's namespace is not the operator's, and is left alone: have it removed or renamed",
        K::kind(&())
    );
    Error::Refused(Refusal::by_others("NameTaken", message))
}

fn going<K: Part>(name: &str) -> Error {
    again::<K>(name, "it is being deleted".to_owned())
}

fn again<K: Part>(name: &str, cause: String) -> Error {
    Error::Again { kind: K::kind(&()).into_owned(), name: name.to_owned(), cause }
}

/// What the cluster will not have, such as for a quota, is said to whom it concerns.
fn failed<K: Part>(name: &str, error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) if status.is_forbidden() || status.is_invalid() => {
            let message =
                format!("the cluster refuses {} {name}, have the platform team look: {}", K::kind(&()), status.message);
            Error::Refused(Refusal::by_others("ClusterRefuses", message))
        }
        error => again::<K>(name, crate::runtime::causes::text(&error)),
    }
}
