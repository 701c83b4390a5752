//! What others build on: the schemas of the custom resources and the samples.

mod manifests;
mod reading;
mod resources;
mod samples;
mod server;
