//! Who asks, and whether they may: a token of the cluster and its rules, or the user on this machine.

use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use secrecy::{ExposeSecret, SecretString};

use super::Problem;
use crate::api::names::GROUP;
use crate::audit::Asker;
use crate::domain::resource::ResourceKey;
use crate::settings::admin::AdminSettings;

/// How the cluster is reached; an error says why it is not.
pub type Cluster = Arc<dyn Fn() -> BoxFuture<'static, Result<Client, String>> + Send + Sync>;

/// What is known of a caller before anything was asked.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// A bearer token.
    pub token: Option<SecretString>,
    /// User id on this machine, as the socket tells it.
    pub user: Option<u32>,
}

/// What a caller wants to do, in the words of the cluster's rules.
#[derive(Clone, Debug)]
pub struct Right {
    verb: &'static str,
    what: &'static str,
    key: Option<ResourceKey>,
}

impl Right {
    /// To read `what`, such as `consumersystems/deliveries`, of one resource.
    pub fn get(what: &'static str, key: &ResourceKey) -> Self {
        Self { verb: "get", what, key: Some(key.clone()) }
    }

    /// To change `what`, such as `cprsubscriptions/persons`, of one resource.
    pub fn update(what: &'static str, key: &ResourceKey) -> Self {
        Self { verb: "update", what, key: Some(key.clone()) }
    }

    /// To read what concerns the whole installation, such as `/cpr-operator/doctor`.
    pub fn whole(path: &'static str) -> Self {
        Self { verb: "get", what: path, key: None }
    }

    /// For the record and for people.
    pub fn name(&self) -> String {
        format!("{} {}", self.verb, self.what)
    }
}

/// Why a caller was refused, and who it was as far as that is known.
pub struct Refused {
    /// What the caller is told.
    pub problem: Problem,
    /// Who it was.
    pub asker: Option<Asker>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, asker: None }
    }
}

/// Who the caller is, if they may do this.
pub async fn admit(
    cluster: &Cluster,
    settings: &AdminSettings,
    caller: &Caller,
    right: &Right,
) -> Result<Asker, Refused> {
    match (&caller.token, caller.user) {
        (Some(token), _) => by_token(cluster, token, right).await,
        (None, Some(user)) if settings.operating_system_users => {
            Ok(Asker { name: format!("uid {user}"), basis: "OperatingSystem".to_owned() })
        }
        _ => Err(Problem::Unknown(
            "a token of the cluster is needed: pass --token-file with the output of kubectl create token".to_owned(),
        )
        .into()),
    }
}

async fn by_token(cluster: &Cluster, token: &SecretString, right: &Right) -> Result<Asker, Refused> {
    let client = cluster().await.map_err(Problem::ClusterUnreachable)?;
    let user = review(&client, token).await?;
    let name = user.username.clone().unwrap_or_default();
    let asker = Asker { name: name.clone(), basis: "TokenReview".to_owned() };
    match may(&client, user, right).await? {
        true => Ok(asker),
        false => {
            let within = right.key.as_ref().map(|key| format!(" in namespace {}", key.namespace)).unwrap_or_default();
            let message = format!("{name} may not {}{within}: grant it with a Role of apiGroup {GROUP}", right.name());
            Err(Refused { problem: Problem::Forbidden(message), asker: Some(asker) })
        }
    }
}

async fn review(client: &Client, token: &SecretString) -> Result<UserInfo, Problem> {
    let spec = TokenReviewSpec { token: token.expose_secret().to_owned(), audiences: None };
    let asked = TokenReview { spec, ..TokenReview::default() };
    let answer = Api::<TokenReview>::all(client.clone()).create(&PostParams::default(), &asked).await;
    let status = answer.map_err(unreachable)?.status.unwrap_or_default();
    let known = status.user.filter(|user| status.authenticated == Some(true) && user.username.is_some());
    known.ok_or_else(|| Problem::Unknown("the cluster does not know this token: make a new one".to_owned()))
}

async fn may(client: &Client, user: UserInfo, right: &Right) -> Result<bool, Problem> {
    let mut spec = SubjectAccessReviewSpec {
        user: user.username,
        groups: user.groups,
        uid: user.uid,
        extra: user.extra,
        ..SubjectAccessReviewSpec::default()
    };
    match &right.key {
        Some(key) => {
            let (resource, sub) = right.what.split_once('/').unwrap_or((right.what, ""));
            spec.resource_attributes = Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: Some(sub.to_owned()),
                verb: Some(right.verb.to_owned()),
                namespace: Some(key.namespace.clone()),
                name: Some(key.name.clone()),
                ..ResourceAttributes::default()
            });
        }
        None => {
            let (path, verb) = (right.what.to_owned(), right.verb.to_owned());
            spec.non_resource_attributes = Some(NonResourceAttributes { path: Some(path), verb: Some(verb) });
        }
    }
    let asked = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let answer = Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &asked).await;
    Ok(answer.map_err(unreachable)?.status.is_some_and(|status| status.allowed))
}

fn unreachable(error: kube::Error) -> Problem {
    Problem::ClusterUnreachable(format!("the API server could not be asked: {error}"))
}
