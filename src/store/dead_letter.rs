//! Dead letters: what was given up, visible until somebody decides.

use jiff::Timestamp;

use super::route::Route;
use super::{Conn, ConsumerId, Error};

/// A delivery to give up.
pub struct GivenUp<'a> {
    /// The route.
    pub route: &'a Route,
    /// Attempts made.
    pub attempts: u32,
    /// Class of the last error.
    pub class: &'a str,
}

/// Inserts dead letters with a copy of their sealed snapshots.
pub async fn insert(conn: &mut Conn, letters: &[GivenUp<'_>], now: Timestamp) -> Result<(), Error> {
    let _ = (conn, letters, now);
    todo!()
}

/// How many a consumer has.
pub async fn count(conn: &mut Conn, consumer: ConsumerId) -> Result<u64, Error> {
    let _ = (conn, consumer);
    todo!()
}
