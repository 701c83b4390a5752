//! That something of a subscription's list changed which its status shows.

use super::sql::{query, query_as};
use super::{Conn, Error, SubscriptionId, meta};
use crate::domain::resource::ResourceKey;

/// Notes that the lists of these subscriptions changed.
pub(super) async fn touch(conn: &mut Conn, subscriptions: &[SubscriptionId]) -> Result<(), Error> {
    if subscriptions.is_empty() {
        return Ok(());
    }
    let revision = meta::raise_revision(&mut *conn).await?;
    query(
        "INSERT INTO list_state (subscription, revision) SELECT id, $1 FROM ids($2) s WHERE true
         ON CONFLICT (subscription) DO UPDATE SET revision = excluded.revision",
    )
    .bind(revision)
    .bind(subscriptions)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keys of subscriptions whose list changed at a revision above `after`, with the highest revision.
pub async fn changed_since(conn: &mut Conn, after: i64) -> Result<(Vec<ResourceKey>, i64), Error> {
    let rows: Vec<(String, String, i64)> = query_as(
        "SELECT s.namespace, s.name, l.revision FROM list_state l JOIN subscription s ON s.id = l.subscription
         WHERE l.revision > $1 ORDER BY l.revision",
    )
    .bind(after)
    .fetch_all(conn)
    .await?;
    let highest = rows.last().map_or(after, |(_, _, revision)| *revision);
    Ok((rows.into_iter().map(|(namespace, name, _)| ResourceKey::new(namespace, name)).collect(), highest))
}
