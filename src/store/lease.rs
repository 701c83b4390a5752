//! Leases: work that one of several processes does at a time.

use super::sql::{query, query_scalar};
use super::worker::DEAD_AFTER_MS;
use super::{Conn, Error, SourceId};

/// A lease that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of what.
    pub name: String,
    /// By whom.
    pub worker: String,
    /// Raised with every taking.
    pub epoch: i64,
}

/// The name of a source's lease.
pub fn of_source(source: SourceId) -> String {
    format!("source/{source}")
}

/// The name of the janitor's lease.
pub const JANITOR: &str = "janitor";

/// Takes a lease for a process, unless another that lives holds it.
pub async fn take(conn: &mut Conn, name: &str, worker: &str) -> Result<Option<Lease>, Error> {
    let epoch: Option<i64> = query_scalar(
        "INSERT INTO lease (name, worker, epoch) VALUES ($1, $2, 1)
         ON CONFLICT (name) DO UPDATE SET worker = excluded.worker, epoch = lease.epoch + 1
         WHERE NOT EXISTS (SELECT 1 FROM worker w
                           WHERE w.name = lease.worker AND w.name <> $2 AND w.beat_at >= now_ms() - $3)
         RETURNING epoch",
    )
    .bind(name)
    .bind(worker)
    .bind(DEAD_AFTER_MS)
    .fetch_optional(conn)
    .await?;
    Ok(epoch.map(|epoch| Lease { name: name.to_owned(), worker: worker.to_owned(), epoch }))
}

/// Whether a lease is still held as it was taken. It is not taken by anybody else before the transaction ends.
pub async fn is_held(conn: &mut Conn, lease: &Lease) -> Result<bool, Error> {
    let found: Option<i64> = query_scalar("SELECT epoch FROM lease WHERE name = $1 AND worker = $2 FOR SHARE")
        .bind(&lease.name)
        .bind(&lease.worker)
        .fetch_optional(conn)
        .await?;
    Ok(found == Some(lease.epoch))
}

/// Gives a lease back.
pub async fn release(conn: &mut Conn, lease: &Lease) -> Result<(), Error> {
    query("UPDATE lease SET worker = '' WHERE name = $1 AND worker = $2 AND epoch = $3")
        .bind(&lease.name)
        .bind(&lease.worker)
        .bind(lease.epoch)
        .execute(conn)
        .await?;
    Ok(())
}
