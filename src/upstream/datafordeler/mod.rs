//! The client of Datafordeleren's CPR services: notices of what happened, and the persons they are about.
//!
//! In: a checked source and its credentials. Out: notices, import status and persons in our own words. Nobody above
//! sees the register's form. Names that the register's documents leave open are chosen from its schema;
//! every error says what a caller can do about it ([`error::Error::retry`]).

mod answer;
mod client;
pub mod counters;
pub mod error;
mod events;
mod fields;
mod learning;
pub mod limits;
mod nouns;
mod query;
mod schema;
#[cfg(test)]
mod tests;
mod token;
mod transport;
mod wire;

use std::time::Duration;

use secrecy::SecretString;

pub use client::Client;
pub use error::{Error, Retry};
pub use nouns::{ImportStatus, Notice, NoticePage, Persons};
pub use schema::{Lookup, Understanding};

/// What the register gave us to show who we are.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Client id of the IT system.
    pub client_id: SecretString,
    /// Its shared secret.
    pub client_secret: SecretString,
    /// An API key, where the service gives its schema to API keys only.
    pub schema_api_key: Option<SecretString>,
}

/// How the register is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most requests a second, of all kinds together.
    pub requests_per_second: u32,
    /// For one request, from connecting to the last byte.
    pub timeout: Duration,
    /// Notices in one page, at most 1,000.
    pub page_size: u32,
    /// Persons in one request, at most 100.
    pub batch_size: u32,
    /// How long a schema that was read is believed.
    pub schema_max_age: Duration,
    /// The shortest time between two readings of the schema after refused queries.
    pub schema_min_age: Duration,
    /// Failures in a row that open the circuit.
    pub circuit_failures: u32,
    /// The first pause of an open circuit.
    pub circuit_initial: Duration,
    /// The longest pause of an open circuit.
    pub circuit_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            requests_per_second: 20,
            timeout: Duration::from_secs(60),
            page_size: 1_000,
            batch_size: 100,
            schema_max_age: Duration::from_secs(6 * 3600),
            schema_min_age: Duration::from_secs(60),
            circuit_failures: 3,
            circuit_initial: Duration::from_secs(1),
            circuit_max: Duration::from_secs(300),
        }
    }
}
