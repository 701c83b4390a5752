//! `plan`: what manifests would disclose, before they are applied.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use kube::Api;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::who::{Caller, Right};
use super::wire::{Manifests, Planned};
use super::{Context, Problem};
use crate::audit::{Entry, Outcome, Resource};
use crate::domain::compiled::Subscription;
use crate::domain::resource::ResourceKey;
use crate::operator::subscription::plan::{self, Plan};

/// Most manifests at a time.
const MOST: usize = 1_000;

/// Plans every subscription among the manifests.
pub async fn run(
    State(context): State<Context>,
    caller: Caller,
    Json(given): Json<Manifests>,
) -> Result<Json<Vec<Planned>>, Problem> {
    if given.manifests.len() > MOST {
        return Err(Problem::Invalid(format!("at most {MOST} manifests at a time")));
    }
    let mut told = Vec::new();
    for manifest in given.manifests.iter().filter(|manifest| manifest["kind"] == "CprSubscription") {
        told.push(one(&context, &caller, &given.manifests, manifest).await?);
    }
    match told.is_empty() {
        true => {
            Err(Problem::Invalid("there is no CprSubscription among the manifests: only those disclose".to_owned()))
        }
        false => Ok(Json(told)),
    }
}

async fn one(context: &Context, caller: &Caller, given: &[Value], manifest: &Value) -> Result<Planned, Problem> {
    let key = key_of(manifest)?;
    let asker = context.admit(caller, &Right::get("cprsubscriptions/plan", &key)).await?;
    let subscription: crate::api::subscription::CprSubscription = parse(manifest)?;
    let of = subscription.spec.source_ref.key(&key.namespace);
    let to = ResourceKey::new(&key.namespace, subscription.spec.consumer_ref.name.as_str());
    // What another namespace grants is not for this one to write.
    let own: &[Value] = if of.namespace == key.namespace { given } else { &[] };
    let manifests = plan::Manifests {
        source: find(context, own, "CprSource", &of).await?,
        consumer: find(context, given, "ConsumerSystem", &to).await?,
        subscription,
    };
    let planned = plan::plan(&context.store, &manifests, context.now()).await?;
    let entry = Entry {
        resource: Some(Resource::named("CprSubscription", key)),
        ..Entry::command(context.now(), Outcome::Succeeded, "plan", &asker)
    };
    context.record(entry).await?;
    Ok(told(planned))
}

fn key_of(manifest: &Value) -> Result<ResourceKey, Problem> {
    let metadata = &manifest["metadata"];
    let name =
        metadata["name"].as_str().ok_or_else(|| Problem::Invalid("a manifest has no metadata.name".to_owned()))?;
    let no_namespace =
        || Problem::Invalid(format!("{name} has no namespace: write metadata.namespace, or say --namespace"));
    Ok(ResourceKey::new(metadata["namespace"].as_str().ok_or_else(no_namespace)?, name))
}

fn parse<T: DeserializeOwned>(manifest: &Value) -> Result<T, Problem> {
    let name = format!("{} {}", manifest["kind"].as_str().unwrap_or_default(), manifest["metadata"]["name"]);
    T::deserialize(manifest).map_err(|error| Problem::Invalid(format!("{name}: {error}")))
}

/// A resource among the manifests, else in the cluster.
async fn find<K>(context: &Context, given: &[Value], kind: &str, key: &ResourceKey) -> Result<Option<K>, Problem>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let is_it = |manifest: &&Value| manifest["kind"] == kind && key_of(manifest).is_ok_and(|found| found == *key);
    if let Some(manifest) = given.iter().find(is_it) {
        return parse(manifest).map(Some);
    }
    let client = (context.cluster)().await.map_err(Problem::ClusterUnreachable)?;
    let found = Api::<K>::namespaced(client, &key.namespace).get_opt(&key.name).await;
    found.map_err(|error| Problem::ClusterUnreachable(format!("{kind} {key} could not be read: {error}")))
}

fn told(plan: Plan) -> Planned {
    let Plan { key, wanted, present, persons, persons_now } = plan;
    let (refused, wanted) = match wanted {
        Ok(wanted) => (None, Some(wanted)),
        Err(refusal) => (Some(refusal), None),
    };
    let action = match (&wanted, &present) {
        (None, _) => "Refused",
        (Some(_), None) => "Begins",
        (Some(wanted), Some(present)) if wanted == present => "Unchanged",
        (Some(_), Some(_)) => "Changes",
    };
    let lists = |list: fn(&Subscription) -> Vec<String>| {
        let of = |form: &Option<Subscription>| form.as_ref().map(list).unwrap_or_default().into_iter().collect();
        let (after, before): (BTreeSet<String>, BTreeSet<String>) = (of(&wanted), of(&present));
        super::wire::Change {
            all: after.iter().cloned().collect(),
            added: after.difference(&before).cloned().collect(),
            removed: before.difference(&after).cloned().collect(),
        }
    };
    let form = wanted.as_ref();
    Planned {
        subscription: key.to_string(),
        action: action.to_owned(),
        reason: refused.as_ref().map(|refusal| refusal.reason.to_owned()),
        message: refused.map(|refusal| refusal.message),
        source: form.map(|form| form.source.to_string()),
        consumer: form.map(|form| form.consumer.to_string()),
        purpose: form.map(|form| form.purpose.clone()),
        legal_bases: form.map(|form| form.legal_bases.clone()).unwrap_or_default(),
        everyone: form.is_some_and(|form| form.selector.everyone),
        list: form.is_some_and(|form| form.selector.listed),
        level: form.map(|form| format!("{:?}", form.level)),
        protected_persons: form.map(|form| format!("{:?}", form.protected_persons)),
        ends_at: form.and_then(|form| form.ends_at),
        municipalities: lists(|form| form.selector.municipalities.iter().map(ToString::to_string).collect()),
        groups: lists(|form| form.fields.names().into_iter().map(str::to_owned).collect()),
        granted: lists(|form| form.granted.names().into_iter().map(str::to_owned).collect()),
        types: lists(|form| form.types.iter().map(|type_| type_.name().to_owned()).collect()),
        persons,
        persons_now,
        // The filter of our own query is all that this kind of register knows of us.
        registrations: 0,
    }
}
