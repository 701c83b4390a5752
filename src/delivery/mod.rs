//! delivery

pub mod credentials;
