//! Delivery: from a committed route to a signed webhook, once at least, in order for each person.
//!
//! **Comes in**: routes with their events' sealed snapshots, from the store. **Goes out**: HTTP requests, and results.
//! The walk of one event: [`read`] its route, [`build`] what this consumer may be told of it now, [`sign`], [`send`], decide
//! on the [`outcome`], [`flush`] it with all others into one transaction together with its entry in the audit record
//! ([`record`]). Each step returns a type that the next one needs: `Route` → `Delivery` → `Attempt` → `Outcome`.
//!
//! **Guaranteed**
//!
//! - A watermark moves only in the transaction that records what it passes; persons that wait are written there too.
//! - Of one person at most one event is under way, in the order of commits ([`queue`]).
//! - Nothing is sent before it is durable that it may have been ([`lanes`]), and nothing by whoever lost the lanes.
//! - Rights and protection are read again right before each sending; nothing goes out unsigned.
//! - Nothing is locked while a request is under way. Each consumer has its own task, connections and limits ([`worker`]).
//!
//! **When it fails**: a person's own event is tried again until its budget is spent, then it becomes a dead letter and the
//! next event says so; a consumer that takes nothing opens its [`circuit`] and costs nobody's budget; a fault of ours is
//! held against no receiver. People learn of it by the consumer's status ([`state`]) and by [`metrics`].

pub mod authorise;
pub mod book;
pub mod build;
pub mod chance;
pub mod circuit;
pub mod credentials;
pub mod flush;
pub mod lanes;
pub mod metrics;
pub mod outcome;
pub mod payload;
pub mod queue;
pub mod rate;
pub mod read;
pub mod record;
pub mod retry;
pub mod rotation;
pub mod schema;
pub mod send;
pub mod sender;
pub mod sharing;
pub mod sign;
pub mod state;
pub mod supervisor;
pub mod verify;
pub mod window;
pub mod worker;

use supervisor::Shared;
pub use supervisor::{Context, Engine, run};

#[cfg(test)]
mod tests;
