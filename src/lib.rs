//! cpr-operator: an organisation's supply of Danish civil-registration data, run from Kubernetes manifests.
//!
//! | Journey | Walk |
//! | --- | --- |
//! | Event to webhook, in | [`upstream`] → [`ingest`] → [`store`] |
//! | Event to webhook, out | [`store`] → [`delivery`] → [`audit`] |
//! | Resource to world | [`operator`], one folder per kind, the same five steps in each |

pub mod admin;
pub mod api;
pub mod audit;
pub mod cli;
pub mod delivery;
pub mod domain;
pub mod ingest;
pub mod net;
pub mod operator;
pub mod runtime;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod upstream;

// By the name that tests outside have for it, for what both share.
#[cfg(test)]
extern crate self as cpr_operator;
