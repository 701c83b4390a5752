//! The schema of both databases, migration by migration; a migration that was published is never changed.
//!
//! Migrations are numbered alike: after those of one number both kinds of database hold the same.

use sqlx::migrate::Migrator;

/// The main database's migrations with SQLite.
pub static MAIN: Migrator = sqlx::migrate!("src/store/migrations/sqlite/main");

/// The key store's migrations with SQLite.
pub static KEYS: Migrator = sqlx::migrate!("src/store/migrations/sqlite/keys");

/// The main database's migrations with PostgreSQL.
pub static POSTGRES_MAIN: Migrator = sqlx::migrate!("src/store/migrations/postgres/main");

/// The key store's migrations with PostgreSQL.
pub static POSTGRES_KEYS: Migrator = sqlx::migrate!("src/store/migrations/postgres/keys");

/// The schema version that a list of migrations leads to.
pub fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}
