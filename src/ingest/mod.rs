//! ingest

pub mod credentials;
