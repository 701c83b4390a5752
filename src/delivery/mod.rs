//! delivery

pub mod book;
pub mod build;
pub mod chance;
pub mod circuit;
pub mod credentials;
pub mod outcome;
pub mod payload;
pub mod queue;
pub mod rate;
pub mod retry;
pub mod rotation;
pub mod sign;
pub mod window;
