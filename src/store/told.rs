//! What a consumer was told and has not seen undone.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Conn, ConsumerId, Error};
use crate::domain::event_type::{EventType, TypeSet};
use crate::domain::pairwise::RecordId;

/// A statement, or its undoing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// To whom.
    pub consumer: ConsumerId,
    /// Of whom.
    pub record: RecordId,
    /// What.
    pub type_: EventType,
}

/// For each record and consumer the statements that are not undone.
pub async fn find(
    conn: &mut Conn,
    records: &[RecordId],
) -> Result<HashMap<RecordId, HashMap<ConsumerId, TypeSet>>, Error> {
    let _ = (conn, records);
    todo!()
}

/// Remembers statements and forgets those undone.
pub async fn write(conn: &mut Conn, stated: &[Told], undone: &[Told], now: Timestamp) -> Result<(), Error> {
    let _ = (conn, stated, undone, now);
    todo!()
}

/// Forgets statements made before `before`. How many.
pub async fn expire(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, Error> {
    let _ = (conn, before, limit);
    todo!()
}
