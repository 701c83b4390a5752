//! What a suspended subscription missed, to be told when it goes on.

use super::{Conn, Error, SubscriptionId};
use crate::domain::pairwise::RecordId;

/// Remembers, at a person's first change, whether the suspended subscription covered them before it.
pub async fn write(conn: &mut Conn, missed: &[(SubscriptionId, RecordId, bool)]) -> Result<(), Error> {
    let _ = (conn, missed);
    todo!()
}

/// Persons that a subscription missed and whether it covered them, at most `limit`.
pub async fn read(conn: &mut Conn, subscription: SubscriptionId, limit: u32) -> Result<Vec<(RecordId, bool)>, Error> {
    let _ = (conn, subscription, limit);
    todo!()
}

/// Deletes what was told.
pub async fn delete(conn: &mut Conn, subscription: SubscriptionId, records: &[RecordId]) -> Result<(), Error> {
    let _ = (conn, subscription, records);
    todo!()
}
