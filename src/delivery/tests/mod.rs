//! The journey of an event out of the store: a real store, real requests, a receiver that remembers, a clock set by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod clock;
#[path = "../../../tests/it/support/database.rs"]
mod database;
mod disk;
mod faults;
mod grants;
mod lives;
mod order;
pub(crate) mod receiver;
mod replay;
mod restart;
mod rights;
mod rude;
mod running;
#[path = "../../../tests/it/support/schemas.rs"]
mod schemas;
mod sharing;
mod verification;
pub(crate) mod world;

/// The published schemas, against which every delivery here is held.
pub(crate) static SCHEMAS: std::sync::LazyLock<schemas::Schemas> =
    std::sync::LazyLock::new(|| schemas::Schemas::new(super::schema::bundle()));
