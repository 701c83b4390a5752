//! How many connections a PostgreSQL server has room for, and how many processes share it.

use super::sql::{query_as, query_scalar};
use super::worker::DEAD_AFTER_MS;
use super::{Conn, Database, Error, Store};
use crate::settings::database::{Connections, DatabaseSettings};

/// What helps where a server has too little room.
pub const REMEDY: &str =
    "lower database.writers and database.readers, raise max_connections, or put a pooler before it";

/// What is demanded of each server by living processes of a role (of no role: of all), and by so many more. Nothing with SQLite, nor
/// where a pooler stands before the server, for how many it opens is not known here.
pub async fn look(
    store: &Store,
    settings: &DatabaseSettings,
    role: Option<&str>,
    more: u32,
) -> Result<Vec<Demand>, Error> {
    if matches!(store.main, Database::Sqlite(_)) || settings.pooler {
        return Ok(Vec::new());
    }
    let keys = room(&mut *store.keys.database().read().await?).await?;
    let mut conn = store.main.read().await?;
    let main = room(&mut conn).await?;
    let processes = processes(&mut conn, role).await?.saturating_add(more);
    Ok(demands(processes, settings.connections(), &main, &keys))
}

/// A server's room: what tells it from another, and how many connections it takes of those who are no superusers.
struct Room {
    server: String,
    connections: u32,
}

async fn room(conn: &mut Conn) -> Result<Room, Error> {
    let (server, connections): (String, i64) = query_as(
        "SELECT concat(pg_postmaster_start_time(), ' ', inet_server_port()),
                current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
                - coalesce(nullif(current_setting('reserved_connections', true), '')::bigint, 0)",
    )
    .fetch_one(conn)
    .await?;
    Ok(Room { server, connections: u32::try_from(connections).unwrap_or_default() })
}

async fn processes(conn: &mut Conn, role: Option<&str>) -> Result<u32, Error> {
    let count: i64 =
        query_scalar("SELECT count(*) FROM worker WHERE beat_at >= now_ms() - $1 AND role = coalesce($2, role)")
            .bind(DEAD_AFTER_MS)
            .bind(role)
            .fetch_one(conn)
            .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Connections that processes may open to a server, and how many it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// `main`, or `keys` where the key store lies on another server.
    pub database: &'static str,
    /// How many processes there are.
    pub processes: u32,
    /// That all of them together may open.
    pub possible: u32,
    /// That there is room for.
    pub allowed: u32,
}

impl Demand {
    /// Whether somebody may be refused a connection.
    pub fn is_too_much(&self) -> bool {
        self.possible > self.allowed
    }
}

/// What so many processes may demand of one server or of two.
fn demands(processes: u32, of_each: Connections, main: &Room, keys: &Room) -> Vec<Demand> {
    let one = |database, each: u32, room: &Room| Demand {
        database,
        processes,
        possible: processes.saturating_mul(each),
        allowed: room.connections,
    };
    match main.server == keys.server {
        true => vec![one("main", of_each.whole(), main)],
        false => vec![one("main", of_each.main, main), one("keys", of_each.keys, keys)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_databases_on_one_server_share_its_room() {
        let room = |server: &str| Room { server: server.to_owned(), connections: 97 };
        let counted = |keys: &str| {
            let all = demands(6, Connections { main: 9, keys: 8 }, &room("a"), &room(keys));
            all.iter().map(|one| (one.database, one.possible, one.is_too_much())).collect::<Vec<_>>()
        };
        assert_eq!(counted("a"), [("main", 102, true)]);
        assert_eq!(counted("b"), [("main", 54, false), ("keys", 48, false)]);
    }
}
