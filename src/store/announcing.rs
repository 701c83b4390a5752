//! How far it has come that a new subscription is told of the persons whom we knew when it began.

use super::rows::Column;
use super::sql::{query, query_as};
use super::{Conn, Error, SourceId, SubscriptionId};
use crate::domain::pairwise::RecordId;

/// A subscription begins.
pub(super) async fn begin(conn: &mut Conn, subscription: SubscriptionId) -> Result<(), Error> {
    query("INSERT INTO announcing (subscription, after) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(subscription)
        .bind(Vec::new())
        .execute(conn)
        .await?;
    Ok(())
}

/// A live subscription of a source that is not suspended and has still to be told of somebody, and the record after which.
pub async fn next(conn: &mut Conn, source: SourceId) -> Result<Option<(SubscriptionId, Option<RecordId>)>, Error> {
    let row: Option<(i64, Vec<u8>)> = query_as(
        "SELECT a.subscription, a.after FROM announcing a
         WHERE (SELECT s.source = $1 AND s.ended_at IS NULL AND json_extract(s.compiled, '$.suspended') = 0
                FROM subscription s WHERE s.id = a.subscription)
         ORDER BY a.subscription LIMIT 1",
    )
    .bind(source)
    .fetch_optional(conn)
    .await?;
    let record = |bytes: &[u8]| Column("announcing", "after").record(bytes);
    row.map(|(id, after)| Ok((id, (!after.is_empty()).then(|| record(&after)).transpose()?))).transpose()
}

/// Remembers how far a subscription has been told; none: it has been told of all.
pub async fn advance(conn: &mut Conn, subscription: SubscriptionId, after: Option<RecordId>) -> Result<(), Error> {
    match after {
        Some(record) => {
            query("UPDATE announcing SET after = $1 WHERE subscription = $2")
                .bind(record.0.as_slice())
                .bind(subscription)
                .execute(conn)
                .await?
        }
        None => query("DELETE FROM announcing WHERE subscription = $1").bind(subscription).execute(conn).await?,
    };
    Ok(())
}
