//! The journey of an event out of the store: a real store, real requests, a receiver that remembers, a clock set by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

mod clock;
mod disk;
mod faults;
mod lives;
mod order;
pub(crate) mod receiver;
mod restart;
mod rights;
mod rude;
mod running;
mod verification;
pub(crate) mod world;
