//! How large the main database is: rows by table, and bytes.

use std::collections::BTreeMap;

use super::database::Dialect;
use super::rows::count;
use super::sql::{kept, query_scalar};
use super::{Conn, Error, catalogue};

/// Rows of each table, by its name. Walks every table.
pub async fn rows(conn: &mut Conn) -> Result<BTreeMap<&'static str, u64>, Error> {
    let mut found = BTreeMap::new();
    for (table, _, _) in catalogue::MAIN {
        if !found.contains_key(table) {
            let rows: i64 =
                query_scalar(kept(["SELECT count(*)", "FROM", table].join(" "))).fetch_one(&mut *conn).await?;
            found.insert(*table, count(rows));
        }
    }
    Ok(found)
}

/// Bytes of the database, but for its log of changes.
pub async fn bytes(conn: &mut Conn) -> Result<u64, Error> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        Dialect::Postgres => "SELECT pg_database_size(current_database())::bigint",
    };
    Ok(count(query_scalar(sql).fetch_one(conn).await?))
}
