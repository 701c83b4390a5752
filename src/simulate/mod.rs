//! Stand-ins for the other side: a register to fetch from, and a consumer to deliver to.
//!
//! A program of its own inside the crate: it knows the clock and the settings, nothing of the product's nouns or
//! clients, so that a mistake there cannot be repeated here and go unnoticed. Everybody in it is invented; birth
//! days in its numbers are the day plus sixty, which no living person's number has.
//!
//! | Folder | Plays |
//! | --- | --- |
//! | [`datafordeler`] | the register: tokens, events, person look-ups, its schema, and its faults |
//! | [`consumer`] | a business system: verifies, judges and remembers each webhook it is sent |

pub mod consumer;
pub mod datafordeler;
mod serving;
