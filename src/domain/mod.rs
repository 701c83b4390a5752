//! The nouns and rules of the product: no async, no I/O, nothing of ours imported.

pub mod calendar;
pub mod change;
pub mod compiled;
pub mod date;
pub mod duration;
pub mod event_type;
pub mod field_group;
pub mod grant;
pub mod identifier;
pub mod municipality;
pub mod pairwise;
pub mod person;
pub mod protection;
pub mod render;
pub mod resource;
pub mod signing;
pub mod standing;
pub mod status;
pub mod subject;

#[cfg(test)]
pub(crate) mod testing;
