//! How large the main database is: rows by table, and bytes.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::rows::count;
use super::{Conn, Error, catalogue};

/// Rows of each table, by its name. Walks every table.
pub async fn rows(conn: &mut Conn) -> Result<BTreeMap<&'static str, u64>, Error> {
    let mut found = BTreeMap::new();
    for (table, _, _) in catalogue::MAIN {
        if !found.contains_key(table) {
            let sql = ["SELECT count(*)", "FROM", table].join(" ");
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *conn).await?;
            found.insert(*table, count(rows));
        }
    }
    Ok(found)
}

/// Bytes of the file, but for its write-ahead log.
pub async fn bytes(conn: &mut Conn) -> Result<u64, Error> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    Ok(count(sqlx::query_scalar(sql).fetch_one(conn).await?))
}
