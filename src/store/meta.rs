//! Single values: the store's id, the version of the configuration, the revision of what the stages found.

use super::sql::{query, query_scalar};
use super::{Conn, Error};

/// The version of the compiled configuration; every change of it raises it in its own transaction.
pub async fn configuration(conn: &mut Conn) -> Result<i64, Error> {
    number(conn, "configuration").await
}

/// Raises the version of the configuration and gives the new one.
pub async fn raise_configuration(conn: &mut Conn) -> Result<i64, Error> {
    raise(conn, "configuration").await
}

/// The version of the selections; every change of a compiled subscription raises it in its own transaction.
pub async fn selectors(conn: &mut Conn) -> Result<i64, Error> {
    number(conn, "selectors").await
}

/// The version of consumers and sources; every change of one of their compiled forms raises it in its own transaction.
pub async fn parties(conn: &mut Conn) -> Result<i64, Error> {
    number(conn, "parties").await
}

/// Raises the version of consumers and sources.
pub(super) async fn raise_parties(conn: &mut Conn) -> Result<(), Error> {
    raise(conn, "parties").await.map(drop)
}

/// Raises the version of the selections and gives the new one.
pub(super) async fn raise_selectors(conn: &mut Conn) -> Result<i64, Error> {
    raise(conn, "selectors").await
}

/// Raises the revision of what the stages found and gives the new one.
pub(super) async fn raise_revision(conn: &mut Conn) -> Result<i64, Error> {
    raise(conn, "revision").await
}

/// Up to which row of the key ring the making of keys has been recorded in the audit record.
pub async fn keys_recorded(conn: &mut Conn) -> Result<i64, Error> {
    number(conn, "keys_recorded").await
}

/// Remembers up to which row of the key ring the making of keys has been recorded.
pub async fn set_keys_recorded(conn: &mut Conn, id: i64) -> Result<(), Error> {
    set(conn, "keys_recorded", &id.to_string()).await
}

/// A value by its name.
pub(super) async fn get(conn: &mut Conn, name: &str) -> Result<Option<String>, Error> {
    Ok(query_scalar("SELECT value FROM meta WHERE name = $1").bind(name).fetch_optional(conn).await?)
}

/// Writes a value.
pub(super) async fn set(conn: &mut Conn, name: &str, value: &str) -> Result<(), Error> {
    query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes a value.
pub(super) async fn remove(conn: &mut Conn, name: &str) -> Result<(), Error> {
    query("DELETE FROM meta WHERE name = $1").bind(name).execute(conn).await?;
    Ok(())
}

async fn number(conn: &mut Conn, name: &str) -> Result<i64, Error> {
    Ok(get(conn, name).await?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

async fn raise(conn: &mut Conn, name: &str) -> Result<i64, Error> {
    Ok(query_scalar(
        "INSERT INTO meta (name, value) VALUES ($1, '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)
         RETURNING CAST(value AS BIGINT)",
    )
    .bind(name)
    .fetch_one(conn)
    .await?)
}
