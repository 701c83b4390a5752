//! The Helm chart: what it renders, what it refuses, and what becomes of it in a cluster. All of it by helm itself, which `make
//! build/helm` builds.

mod account;
mod admission;
mod definitions;
mod documents;
mod fields;
mod gitops;
mod helm;
mod image;
mod lifecycle;
mod monitoring;
mod refusals;
mod rendered;
mod rights;
mod values;
mod workers;
