//! Ingest against a register that listens on a port of its own, driven by hand: what is told, to whom and in which order,
//! what is stored and what is left when it is gone.

#![expect(clippy::unwrap_used, reason = "tests")]

mod feed;
mod inactive;
mod numbers;
mod protection;
mod scope;
mod unread;
mod world;
