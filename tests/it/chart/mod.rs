//! The Helm chart: what it renders, what it refuses, and what becomes of it in a cluster. All of it by helm itself, which `make
//! build/helm` builds.

mod helm;
mod rendered;
