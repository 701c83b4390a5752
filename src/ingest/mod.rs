//! ingest

pub mod derive;
pub mod matching;
