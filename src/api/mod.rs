//! The custom resources that users write: their schemas with the rules that the API server applies, and their status.
//!
//! | Kind | Short | Says |
//! | --- | --- | --- |
//! | [`CprSource`](source::CprSource) | `cprsrc` | one connection to one register service |
//! | [`ConsumerSystem`](consumer::ConsumerSystem) | `cprcon` | one receiving system: why it may see data, where events go |
//! | [`CprSubscription`](subscription::CprSubscription) | `cprsub` | whose events go to one consumer, for one purpose |
//!
//! What comes in has passed the rules of the schema that was installed when it was written, which may be an older one. So
//! nothing here is trusted: texts stay texts, and the operator turns them into checked nouns of `domain`.

pub mod common;
pub mod conditions;
#[expect(clippy::duplicated_attributes, reason = "columns have the same members")]
pub mod consumer;
pub mod crds;
pub mod delivery;
pub mod grant;
pub mod names;
#[expect(clippy::duplicated_attributes, reason = "columns have the same members")]
pub mod source;
#[expect(clippy::duplicated_attributes, reason = "columns have the same members")]
pub mod subscription;
pub mod text;
pub mod workers;
