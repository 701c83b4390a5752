//! The process's settings as plain data, one file per section. `config/default.toml` explains every key.

pub mod admin;
pub mod database;
pub mod delivery;
pub mod http;
pub mod ingest;
pub mod lists;
pub mod log;
pub mod network;
pub mod operator;
pub mod quantity;
pub mod range;
pub mod register;
pub mod retention;
pub mod store;
mod text;
pub mod workers;

use serde::Deserialize;

/// All settings. Unknown keys are refused, so that a misspelt one is not silently without effect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the databases and the root key lie.
    pub store: store::StoreSettings,
    /// The server that holds the state, where it is not SQLite.
    pub database: database::DatabaseSettings,
    /// What is reconciled, and who leads.
    pub operator: operator::OperatorSettings,
    /// The workers that are made.
    pub workers: workers::WorkerSettings,
    /// How sources are read.
    pub ingest: ingest::IngestSettings,
    /// How fast lists of persons may grow.
    pub lists: lists::ListSettings,
    /// How registers are spoken to.
    pub register: register::RegisterSettings,
    /// How deliveries are sent.
    pub delivery: delivery::DeliverySettings,
    /// Which private addresses may be reached at all.
    pub network: network::NetworkSettings,
    /// How long things are kept.
    pub retention: retention::RetentionSettings,
    /// Where commands reach the process.
    pub admin: admin::AdminSettings,
    /// Where probes and metrics are served.
    pub http: http::HttpSettings,
    /// How is logged.
    pub log: log::LogSettings,
}
