//! Logins of PostgreSQL that are made for one worker each, and the consumers that each stands for.
//!
//! With PostgreSQL only. Roles are made by functions of the schema `cpr_logins`, which the server's administrator has put there
//! (`migrate roles --logins`): they alone have the right to, and only for names like these.

mod verifier;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use verifier::{Password, Unfit};

use super::sql::{query, query_as};
use super::{Conn, ConsumerId, Database, Error};
use crate::domain::resource::ResourceKey;

/// A login that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// What tells its password from another.
    pub mark: String,
    /// How many connections it may have.
    pub connections: i64,
    /// Whether somebody is connected as it.
    pub is_used: bool,
    /// The consumers that it stands for, in this database.
    pub consumers: BTreeSet<ConsumerId>,
}

/// What became of the wish to change a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Done,
    /// The functions are not there, or may not be used, or may not make roles.
    NotAllowed,
    /// There is a role of that name that is no worker's login, or something still depends on it.
    Refused,
}

/// What all names of a store's logins begin with. A server may hold several stores, and roles belong to all of it.
pub fn prefix(store: &str) -> String {
    format!("cpr_w_{:.8}_", store)
}

/// All logins whose names begin so.
pub async fn all(conn: &mut Conn, prefix: &str) -> Result<BTreeMap<String, Login>, Error> {
    let roles: Vec<(String, String, i64, i64)> = query_as(
        "SELECT r.rolname::text, coalesce(shobj_description(r.oid, 'pg_authid'), ''), r.rolconnlimit::bigint,
                CAST(u.usename IS NOT NULL AS INTEGER)::bigint
         FROM pg_roles r LEFT JOIN (SELECT DISTINCT usename FROM pg_stat_activity) u ON u.usename = r.rolname
         WHERE starts_with(r.rolname::text, $1) AND r.rolcanlogin",
    )
    .bind(prefix)
    .fetch_all(&mut *conn)
    .await?;
    let login = |(name, mark, connections, is_used)| {
        (name, Login { mark, connections, is_used: is_used != 0, consumers: BTreeSet::new() })
    };
    let mut found: BTreeMap<String, Login> = roles.into_iter().map(login).collect();
    let stands: Vec<(String, i64)> =
        query_as("SELECT login::text, consumer FROM consumer_login WHERE starts_with(login::text, $1)")
            .bind(prefix)
            .fetch_all(conn)
            .await?;
    for (name, consumer) in stands {
        found.entry(name).or_default().consumers.insert(consumer);
    }
    Ok(found)
}

/// The ids of all consumers.
pub async fn consumers(conn: &mut Conn) -> Result<HashMap<ResourceKey, ConsumerId>, Error> {
    let rows: Vec<(String, String, i64)> = query_as("SELECT namespace, name, id FROM consumer").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(namespace, name, id)| (ResourceKey::new(namespace, name), id)).collect())
}

/// Makes a login with this password, or gives one that is there this password.
pub async fn ensure(conn: &mut Conn, name: &str, password: &Password, connections: i64) -> Result<Outcome, Error> {
    let made = query("SELECT cpr_logins.ensure($1, $2, $3, $4)")
        .bind(name)
        .bind(password.verifier())
        .bind(password.mark())
        .bind(connections)
        .execute(conn)
        .await;
    outcome(made)
}

/// Removes a login. Who is connected as it is shown nothing any more once it stands for nobody.
pub async fn remove(conn: &mut Conn, name: &str) -> Result<Outcome, Error> {
    outcome(query("SELECT cpr_logins.remove($1)").bind(name).execute(conn).await)
}

/// Lets a login stand for these consumers and for no others.
pub async fn assign(conn: &mut Conn, name: &str, consumers: &BTreeSet<ConsumerId>) -> Result<(), Error> {
    let ids: Vec<ConsumerId> = consumers.iter().copied().collect();
    query("DELETE FROM consumer_login WHERE login = $1::name AND consumer <> ALL ($2)")
        .bind(name)
        .bind(&ids[..])
        .execute(&mut *conn)
        .await?;
    query("INSERT INTO consumer_login (login, consumer) SELECT $1::name, id FROM unnest($2) id ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(&ids[..])
        .execute(conn)
        .await?;
    Ok(())
}

/// Tells processes that deliver to look at the consumers again: some may be shown to them now.
pub async fn tell(main: &Database) -> Result<(), Error> {
    let mut tx = main.begin().await?;
    super::meta::raise_parties(&mut tx).await?;
    tx.commit().await
}

/// What the server says where a schema or a function is not there, or a right is missing.
const NOT_ALLOWED: [&str; 3] = ["3F000", "42883", "42501"];
/// What it says where our functions refuse, and where something depends on a role.
const REFUSED: [&str; 2] = ["P0001", "2BP01"];

fn outcome(done: Result<u64, sqlx::Error>) -> Result<Outcome, Error> {
    let error = match done {
        Ok(_) => return Ok(Outcome::Done),
        Err(error) => Error::from(error),
    };
    match error.code().as_deref() {
        Some(code) if NOT_ALLOWED.contains(&code) => Ok(Outcome::NotAllowed),
        Some(code) if REFUSED.contains(&code) => Ok(Outcome::Refused),
        _ => Err(error),
    }
}
