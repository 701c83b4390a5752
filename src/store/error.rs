//! Why the store did not do it.

use std::borrow::Cow;

use sqlx::migrate::MigrateError;

use super::trouble::Trouble;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or failed.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database was written by a newer version.
    #[error(
        "the database at {path} has schema version {found}, newer than this program's {known}: run the newer version again, or restore the backup made before it"
    )]
    Newer {
        /// File.
        path: String,
        /// Its schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A database file could not be opened.
    #[error("{path} cannot be opened as a database: {source}. {advice}")]
    Unusable {
        /// File.
        path: String,
        /// Cause.
        source: sqlx::Error,
        /// What to do.
        advice: &'static str,
    },
    /// The schema is older than this program needs, and this login may not change it, or not through a pooler.
    #[error(
        "the schema {schema} is at version {found} and this program needs {needed}: run `cpr-operator migrate up` as its owner, past any pooler"
    )]
    NotMigrated {
        /// The schema.
        schema: &'static str,
        /// Its version.
        found: i64,
        /// Ours.
        needed: i64,
    },
    /// The files were copied to a server, which has gone on since.
    #[error(
        "this store was copied to a PostgreSQL server: set database.url_file; these files are kept as they were and used no more"
    )]
    Moved,
    /// A copy to this server was not finished.
    #[error("copying a store to this server was interrupted: run `cpr-operator migrate copy` again")]
    Unfinished,
    /// There is another store in the databases that a copy should go to.
    #[error("the databases hold a store already: copy to new ones")]
    Occupied,
    /// Processes run on the databases.
    #[error(
        "processes run on these databases: stop them all first (a process that was killed counts for 6 seconds more)"
    )]
    InUse,
    /// Nobody would notice if another than the server answered.
    #[error(
        "the address of the database does not have the server's certificate verified: add sslmode=verify-full and sslrootcert=FILE to it, or set database.accept_unverified_server where the network is trusted"
    )]
    Unverified,
    /// No server is named.
    #[error("database.url_file is not set: name the file with the server's address")]
    NoServer,
    /// A stored value is not what its column promises.
    #[error("column {table}.{column} holds a value that cannot be read")]
    Unreadable {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// Sealed content did not open: another key, or altered bytes.
    #[error("sealed content of {table}.{column} cannot be opened")]
    Sealed {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// A value could not be written as JSON.
    #[error("a value for {table}.{column} cannot be encoded")]
    Encode {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// The key ring lacks a key that should have been made before.
    #[error("the key ring has no {kind} key for {scope:?}")]
    NoKey {
        /// Kind of key.
        kind: &'static str,
        /// What it is for within the kind.
        scope: String,
    },
    /// The root key is missing, malformed, or not the one that this store was made with.
    #[error("root key: {0}")]
    RootKey(String),
    /// The main database and the key store do not belong together, or one of them is missing.
    #[error("the store at {path} is not whole: {problem}")]
    Apart {
        /// The folder, or the file with the server's address.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Another process does this work now.
    #[error("another process does this work now: what was begun is left to it")]
    LeaseLost,
    /// Another process deleted a person's key while something was prepared about them.
    #[error("a person was removed meanwhile: what was begun about them begins anew")]
    Removed,
    /// A file could not be used.
    #[error("{path}: {source}")]
    File {
        /// File.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// Another process holds the store.
    #[error("another process runs on {path}: stop it first, or give this one another store.path")]
    Held {
        /// The lock file.
        path: String,
    },
}

impl Error {
    /// Whether the same call may succeed later without another form of it: the database was busy, away, full, no longer the
    /// primary, or did not know the login, whose password may just be changed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Sql(_)) && Trouble::from(self) != Trouble::Other
    }

    /// The same, where it came of bringing a schema up to date.
    pub(super) fn of_migration(self, schema: &'static str, found: i64, needed: i64) -> Self {
        match self.code().as_deref() {
            Some(NO_RIGHTS) => Self::NotMigrated { schema, found, needed },
            _ => self,
        }
    }

    /// What the database calls the error.
    pub(super) fn code(&self) -> Option<Cow<'_, str>> {
        let source = match self {
            Self::Sql(source)
            | Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => source,
            _ => return None,
        };
        source.as_database_error()?.code()
    }
}

/// Why a server will not do.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// What it shows may be behind what was committed.
    #[error("the server is a standby: give the address of the primary")]
    Standby,
    /// It lacks what we use.
    #[error("the server is older than PostgreSQL 15")]
    Old,
}

/// What PostgreSQL says where rights are missing.
const NO_RIGHTS: &str = "42501";

/// The primary code of an extended SQLite result code.
pub(super) fn primary(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// What to do about a database file that could not be opened, by SQLite's result code.
pub(super) fn advice(error: &sqlx::Error) -> &'static str {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.and_then(|code| primary(&code)) {
        Some(5 | 6) => "Another program holds it: end that, for nothing but this program may write there",
        Some(8 | 14) => "Give this program the right to write to the file and its folder",
        Some(10) => "The disk does not read or write: check it and its free space",
        Some(11 | 26) => "The file is damaged: restore it, and what lies beside it, from one backup",
        Some(13) => "The disk is full: make room",
        _ => "Check the file, its folder and the disk",
    }
}
