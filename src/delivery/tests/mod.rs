//! The journey of an event out of the store: a real store, real requests, a receiver that remembers, a clock set by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

mod faults;
mod lives;
mod order;
pub(crate) mod receiver;
mod replay;
mod restart;
mod rights;
mod running;
mod verification;
pub(crate) mod world;
