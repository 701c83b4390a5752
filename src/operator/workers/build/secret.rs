//! The Secret of a worker: a file for each resource that it serves, with just what the worker needs.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use secrecy::ExposeSecret;

use super::{Ground, metadata, sealed};
use crate::operator::workers::hand;
use crate::operator::workers::login::Files;
use crate::operator::workers::names::Role;
use crate::operator::workers::plan::Worker;
use crate::operator::workers::wish::Secrets;

/// The Secret of a worker, with the addresses of its login. Of what is spoilt, what is `present` stays.
pub fn build(
    worker: &Worker,
    ground: &Ground,
    owner: OwnerReference,
    present: Option<&Files>,
    addresses: Files,
) -> Secret {
    let mut data = addresses;
    for (key, demand) in &worker.members {
        let file = hand::file_name(key);
        let before = present.and_then(|data| data.get(&file));
        let content = match &demand.secrets {
            Secrets::Given { content, spoilt, .. } => {
                let before = before.map(|content| content.0.as_slice());
                Some(ByteString(hand::filled(content.expose_secret(), spoilt, before).into_bytes()))
            }
            Secrets::Withdrawn => nothing(worker.role),
            Secrets::Spoilt => before.cloned().or_else(|| nothing(worker.role)),
        };
        data.extend(content.map(|content| (file, content)));
    }
    sealed(Secret { metadata: metadata(worker, ground, owner), data: Some(data), ..Secret::default() })
}

/// What tells a worker that there are no secrets, rather than none yet.
fn nothing(role: Role) -> Option<ByteString> {
    (role == Role::Deliver).then(|| ByteString(hand::NO_SIGNING.as_bytes().to_vec()))
}
