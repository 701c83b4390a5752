//! What others build on: the schemas of the custom resources, the samples and the documents.

mod docs;
mod manifests;
mod reading;
mod resources;
mod samples;
mod schemas;
pub mod server;
