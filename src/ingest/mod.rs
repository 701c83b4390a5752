//! ingest

pub mod credentials;
pub mod derive;
pub mod matching;
