//! How many connections a PostgreSQL server has room for, and how many processes share it.

use super::sql::{query_as, query_scalar};
use super::worker::DEAD_AFTER_MS;
use super::{Conn, Error};

/// A server's room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// What tells the server from another.
    pub server: String,
    /// Connections that it takes of those who are no superusers.
    pub connections: u32,
}

/// The room of the server that holds a database. Behind a pooler the connections are the pooler's, and this says nothing.
pub async fn room(conn: &mut Conn) -> Result<Room, Error> {
    let (server, connections): (String, i64) = query_as(
        "SELECT concat(pg_postmaster_start_time(), ' ', inet_server_port()),
                current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
                - coalesce(nullif(current_setting('reserved_connections', true), '')::bigint, 0)",
    )
    .fetch_one(conn)
    .await?;
    Ok(Room { server, connections: u32::try_from(connections).unwrap_or_default() })
}

/// Living processes of a role; of no role: of all.
pub async fn processes(conn: &mut Conn, role: Option<&str>) -> Result<u32, Error> {
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
pub fn demands(processes: u32, of_each: (u32, u32), main: &Room, keys: &Room) -> Vec<Demand> {
    let (to_main, to_keys) = of_each;
    let one = |database, each: u32, room: &Room| Demand {
        database,
        possible: processes.saturating_mul(each),
        allowed: room.connections,
    };
    match main.server == keys.server {
        true => vec![one("main", to_main + to_keys, main)],
        false => vec![one("main", to_main, main), one("keys", to_keys, keys)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_databases_on_one_server_share_its_room() {
        let room = |server: &str| Room { server: server.to_owned(), connections: 97 };
        let counted = |keys: &str| {
            let all = demands(6, (9, 8), &room("a"), &room(keys));
            all.iter().map(|one| (one.database, one.possible, one.is_too_much())).collect::<Vec<_>>()
        };
        assert_eq!(counted("a"), [("main", 102, true)]);
        assert_eq!(counted("b"), [("main", 54, false), ("keys", 48, false)]);
    }
}
