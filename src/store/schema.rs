//! The schema of both databases, migration by migration; a migration that was published is never changed.

use sqlx::migrate::Migrator;

/// The main database's migrations.
pub static MAIN: Migrator = sqlx::migrate!("src/store/migrations/sqlite/main");

/// The key store's migrations.
pub static KEYS: Migrator = sqlx::migrate!("src/store/migrations/sqlite/keys");

/// The schema version that a list of migrations leads to.
pub fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}
