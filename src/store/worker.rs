//! Processes that share a database: that they live, told every two seconds, and the consumers that each is there for.

use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error};

/// For so long, by the database's clock, what a process holds is its own after it last said that it lives.
pub const DEAD_AFTER_MS: u32 = 6_000;

/// A process begins.
pub async fn arrive(conn: &mut Conn, name: &str, role: &str) -> Result<(), Error> {
    query("INSERT INTO worker (name, role, beat_at) VALUES ($1, $2, now_ms())")
        .bind(name)
        .bind(role)
        .execute(conn)
        .await?;
    Ok(())
}

/// A process lives. Whether it was still counted among the living: else it was taken for dead, and what it held is free.
pub async fn beat(conn: &mut Conn, name: &str) -> Result<bool, Error> {
    let beaten = query("UPDATE worker SET beat_at = now_ms() WHERE name = $1").bind(name).execute(conn).await?;
    Ok(beaten == 1)
}

/// Whether any process lives.
pub(super) async fn is_any_alive(conn: &mut Conn) -> Result<bool, Error> {
    let alive = query_scalar("SELECT EXISTS (SELECT 1 FROM worker WHERE beat_at >= now_ms() - $1)");
    Ok(alive.bind(DEAD_AFTER_MS).fetch_one(conn).await?)
}

/// A process ends; what it holds is free at once.
pub async fn leave(conn: &mut Conn, name: &str) -> Result<(), Error> {
    query("DELETE FROM worker WHERE name = $1").bind(name).execute(conn).await?;
    Ok(())
}

/// Forgets processes that have been silent for a minute.
pub async fn bury(conn: &mut Conn) -> Result<(), Error> {
    query("DELETE FROM worker WHERE beat_at < now_ms() - 60000").execute(conn).await?;
    Ok(())
}

/// A process is there for these consumers and for no others.
pub async fn serve(conn: &mut Conn, name: &str, consumers: &[ConsumerId]) -> Result<(), Error> {
    query("DELETE FROM serving WHERE worker = $1 AND consumer NOT IN ids($2)")
        .bind(name)
        .bind(consumers)
        .execute(&mut *conn)
        .await?;
    query(
        "INSERT INTO serving (consumer, worker) SELECT c.id, $1 FROM consumer c WHERE c.id IN ids($2)
         ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(consumers)
    .execute(conn)
    .await?;
    Ok(())
}

/// How a consumer is served, from the view of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The consumer.
    pub consumer: ConsumerId,
    /// How many living processes are there for it.
    pub by: i64,
    /// How many of its lanes nobody living holds.
    pub free: i64,
    /// How many stand under this process's name.
    pub own: i64,
}

/// How each consumer is served that a process is there for.
pub async fn served(conn: &mut Conn, name: &str) -> Result<Vec<Served>, Error> {
    let rows: Vec<(i64, i64, i64, i64)> = query_as(
        "SELECT mine.consumer,
                (SELECT count(*) FROM serving s JOIN worker w ON w.name = s.worker
                 WHERE s.consumer = mine.consumer AND w.beat_at >= now_ms() - $2),
                (SELECT count(*) FROM lane l
                 WHERE l.consumer = mine.consumer
                   AND NOT EXISTS (SELECT 1 FROM worker h WHERE h.name = l.worker AND h.beat_at >= now_ms() - $2)),
                (SELECT count(*) FROM lane o WHERE o.consumer = mine.consumer AND o.worker = $1)
         FROM serving mine WHERE mine.worker = $1",
    )
    .bind(name)
    .bind(DEAD_AFTER_MS)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(consumer, by, free, own)| Served { consumer, by, free, own }).collect())
}
