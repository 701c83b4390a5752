//! What goes when its time has come, by deletes of a thousand rows.

use jiff::Timestamp;

use super::{Conn, ConsumerId, Error, SourceId, SubscriptionId};

/// Deletes at most a thousand settled routes committed before `before`, of each consumer below its lowest watermark and not parked. How many.
pub async fn delete_routes(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    let _ = (conn, before);
    todo!()
}

/// Deletes at most a thousand events before `before` that no route names. How many.
pub async fn delete_events(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    let _ = (conn, before);
    todo!()
}

/// Deletes at most a thousand attempts before `before` of routes that are gone. How many.
pub async fn delete_attempts(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    let _ = (conn, before);
    todo!()
}

/// Deletes at most a thousand dead letters given up before `before`. How many.
pub async fn delete_dead_letters(conn: &mut Conn, before: Timestamp) -> Result<u64, Error> {
    let _ = (conn, before);
    todo!()
}

/// Deletes an ended subscription's row with all that hangs on it.
pub async fn delete_subscription(conn: &mut Conn, id: SubscriptionId) -> Result<(), Error> {
    let _ = (conn, id);
    todo!()
}

/// Deletes an ended consumer's row with its routes, lanes, parked persons, dead letters and attempts. Its key went before.
pub async fn delete_consumer(conn: &mut Conn, id: ConsumerId) -> Result<(), Error> {
    let _ = (conn, id);
    todo!()
}

/// Deletes an ended source's row with its cursor; its persons went before.
pub async fn delete_source(conn: &mut Conn, id: SourceId) -> Result<(), Error> {
    let _ = (conn, id);
    todo!()
}
