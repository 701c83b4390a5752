//! Numbers that tables give their rows: where they stand, kept by each database in a way of its own.

use super::database::Dialect;
use super::sql::{query, query_scalar};
use super::{Conn, Error};

/// Tables whose numbers are given by hand with PostgreSQL, many at once.
pub(super) const BY_HAND: [&str; 2] = ["event", "route"];

/// The tables of a database that number their rows.
pub(super) async fn tables(conn: &mut Conn) -> Result<Vec<String>, Error> {
    let tables = match conn.dialect() {
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'",
        Dialect::Postgres => {
            "SELECT table_name::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND is_identity = 'YES'
             UNION SELECT substr(sequencename, 1, length(sequencename) - 8) FROM pg_sequences
             WHERE schemaname = current_schema() AND sequencename IN ('event_numbers', 'route_numbers')"
        }
    };
    Ok(query_scalar(tables).fetch_all(conn).await?)
}

/// Sets the last number that a table gave.
pub(super) async fn set(conn: &mut Conn, table: &str, last: i64) -> Result<(), Error> {
    match conn.dialect() {
        Dialect::Sqlite => {
            query("DELETE FROM sqlite_sequence WHERE name = $1").bind(table).execute(&mut *conn).await?;
            query("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)")
                .bind(table)
                .bind(last)
                .execute(conn)
                .await?;
        }
        Dialect::Postgres => {
            if let Some(sequence) = sequence(conn, table).await? {
                query("SELECT setval($1::regclass, $2)").bind(sequence).bind(last).execute(conn).await?;
            }
        }
    }
    Ok(())
}

/// The last number that a table gave. With PostgreSQL one more than that is taken.
pub(super) async fn last(conn: &mut Conn, table: &str) -> Result<i64, Error> {
    let last: Option<i64> = match conn.dialect() {
        Dialect::Sqlite => {
            query_scalar("SELECT seq FROM sqlite_sequence WHERE name = $1").bind(table).fetch_optional(conn).await?
        }
        Dialect::Postgres => match sequence(conn, table).await? {
            Some(sequence) => Some(query_scalar("SELECT nextval($1::regclass)").bind(sequence).fetch_one(conn).await?),
            None => None,
        },
    };
    Ok(last.unwrap_or_default())
}

/// The sequence of a table with PostgreSQL; none where it does not number its rows.
async fn sequence(conn: &mut Conn, table: &str) -> Result<Option<String>, Error> {
    if BY_HAND.contains(&table) {
        return Ok(Some(format!("{table}_numbers")));
    }
    let found = query_scalar(
        "SELECT pg_get_serial_sequence($1, column_name) FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'",
    );
    Ok(found.bind(table).fetch_optional(conn).await?)
}
