//! Everything that needs more than one module: one binary, each test with files, ports and a namespace of its own.

mod admin;
mod chart;
mod ingest;
mod journeys;
mod layers;
mod model;
mod operator;
mod program;
mod published;
mod receivers;
mod soak;
mod store;
mod support;
mod upstream;
