//! Ingest: from a register's notices to events and routes in the store.
//!
//! In: notices of finished imports, and persons fetched for them. Out: persons, events and routes, committed with the
//! cursor. Guaranteed: an event is committed once, in the order of the imports; commit order alone decides on which side of
//! a change of subscription it falls; a crash at any point is made good by reading the import again. When it fails, the
//! feed waits and the source's conditions say for what; nobody but the source's own persons is held up.
//!
//! Walk: `fetch → inquiry → known → identity → weigh → derive → matching → commit`. Beside it: [`settle`] for changed selections, [`due`] for
//! dates that come, [`lists`] for persons whom a subscription has by name, [`announce`] for what no register tells, [`jobs`]
//! for what people ask to be sent again, [`janitor`] for what goes.

pub mod announce;
pub mod batch;
pub mod commit;
pub mod credentials;
pub mod derive;
pub mod due;
mod error;
pub mod feed;
pub mod fetch;
pub mod identity;
pub mod inquiry;
pub mod janitor;
pub mod jobs;
pub mod known;
pub mod lists;
pub mod matching;
pub mod metrics;
pub mod reader;
pub mod relatives;
pub mod selections;
pub mod settle;
pub mod source;
pub mod state;
pub mod supervisor;
pub mod task;
pub mod weigh;
pub mod withdrawal;

pub use error::Error;
