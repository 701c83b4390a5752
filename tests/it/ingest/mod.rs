//! Ingest against a register that listens on a port of its own, driven by hand: what is told, to whom and in which order,
//! what is stored and what is left when it is gone.

#![expect(clippy::unwrap_used, reason = "tests")]

mod crash;
mod dialects;
mod feed;
mod follow;
mod grants;
mod identity;
mod inactive;
mod jobs;
mod lists;
mod numbers;
mod protection;
mod removal;
mod scope;
mod selection;
mod suspension;
mod ugly;
mod unread;
mod world;
