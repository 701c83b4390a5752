//! The client of Datafordeleren against the simulated register: two readings of one documented protocol, side by side.

#![expect(clippy::unwrap_used, reason = "tests")]

mod dialects;
mod faults;
mod persons;
mod site;
