//! What is wrong with a database that fails: the few kinds that people do different things about, told without addresses, names
//! or contents.

use std::fmt;

use super::Error;
use super::error::{Unfit, primary};

/// What is wrong with a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// It is not reached, or does not answer.
    Away,
    /// TLS to the server failed.
    Tls,
    /// The server does not take the login, or knows no such database.
    LoginRefused,
    /// It can be read only: a standby, or set so.
    ReadOnly,
    /// There is no room left.
    Full,
    /// The disk fails.
    Disk,
    /// Others were before us for too long, or it has too much to do.
    Busy,
    /// Its schema or its version is not one that this program can use.
    Schema,
    /// Something else.
    Other,
}

impl Trouble {
    /// The name in metrics and conditions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Away => "Away",
            Self::Tls => "Tls",
            Self::LoginRefused => "LoginRefused",
            Self::ReadOnly => "ReadOnly",
            Self::Full => "Full",
            Self::Disk => "Disk",
            Self::Busy => "Busy",
            Self::Schema => "Schema",
            Self::Other => "Other",
        }
    }

    /// Whether nothing goes until somebody repairs it or it comes back; one that is busy answers the next time.
    pub fn is_outage(self) -> bool {
        !matches!(self, Self::Busy | Self::Other)
    }

    /// Of an error of the library.
    pub fn of_sql(error: &sqlx::Error) -> Self {
        match error {
            // What the handshake finds wrong with a certificate comes as an error of reading.
            sqlx::Error::Io(source) if source.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()) => Self::Tls,
            // A connection that ends while it is made is told as an answer that cannot be understood.
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Away,
            sqlx::Error::Tls(_) => Self::Tls,
            sqlx::Error::Configuration(source) => match source.downcast_ref() {
                Some(Unfit::Standby) => Self::ReadOnly,
                Some(Unfit::Old) => Self::Schema,
                None => Self::Other,
            },
            sqlx::Error::Database(error) => match error.code() {
                Some(code) if code.len() == SQLSTATE => of_state(&code),
                Some(code) => primary(&code).map_or(Self::Other, of_sqlite),
                None => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        match error {
            Error::Sql(source) | Error::Unusable { source, .. } => Self::of_sql(source),
            Error::NotMigrated { .. } | Error::Newer { .. } | Error::Migrate(_) => Self::Schema,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Away => "the database is not reached: check that its server runs, its address and the network",
            Self::Tls => {
                "TLS to the database's server failed: check sslmode and sslrootcert of its address, and that its certificate names \
                 the host and is valid"
            }
            Self::LoginRefused => {
                "the database's server refuses the login: check user, password and database in its address, and the rights of \
                 the login"
            }
            Self::ReadOnly => {
                "the database can only be read: it is a standby or set read-only. Give the address of the primary, or lift that"
            }
            Self::Full => "the database's disk is full: make room",
            Self::Disk => "the database's disk does not read or write: check it",
            Self::Busy => "the database has too much to do, or waited too long for a lock: it is tried again",
            Self::Schema => {
                "the database's version or schema is not one that this program can use: run cpr-operator migrate up, or the \
                 program of that version"
            }
            Self::Other => "the database does not do it: see the log",
        })
    }
}

/// The length of PostgreSQL's codes; SQLite's are shorter.
const SQLSTATE: usize = 5;

fn of_state(code: &str) -> Trouble {
    match code {
        // The first: a statement that a migration made outdated, and that is prepared anew.
        "0A000" | "57014" | "40001" | "40P01" | "55P03" | "25P03" => Trouble::Busy,
        "53100" => Trouble::Full,
        "25006" => Trouble::ReadOnly,
        "3D000" | "42501" => Trouble::LoginRefused,
        _ => match code.get(..2) {
            Some("08" | "57") => Trouble::Away,
            Some("28") => Trouble::LoginRefused,
            Some("53") => Trouble::Busy,
            Some("58") => Trouble::Disk,
            _ => Trouble::Other,
        },
    }
}

/// Of SQLite's primary result codes.
fn of_sqlite(code: u32) -> Trouble {
    match code {
        5 | 6 => Trouble::Busy,
        8 => Trouble::ReadOnly,
        10 => Trouble::Disk,
        13 => Trouble::Full,
        14 => Trouble::Away,
        _ => Trouble::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_different_things_about_is_told_apart() {
        for (code, expected) in [
            ("08006", Trouble::Away),
            ("57P01", Trouble::Away),
            ("57P03", Trouble::Away),
            ("57014", Trouble::Busy),
            ("28P01", Trouble::LoginRefused),
            ("3D000", Trouble::LoginRefused),
            ("25006", Trouble::ReadOnly),
            ("53100", Trouble::Full),
            ("53300", Trouble::Busy),
            ("58030", Trouble::Disk),
            ("23505", Trouble::Other),
        ] {
            assert_eq!(of_state(code), expected, "{code}");
        }
        assert_eq!(of_sqlite(13), Trouble::Full);
        let standby = sqlx::Error::Configuration(Unfit::Standby.into());
        assert_eq!(Trouble::of_sql(&standby), Trouble::ReadOnly);
        assert_eq!(Trouble::of_sql(&sqlx::Error::PoolTimedOut), Trouble::Away);
        let handshake = std::io::Error::other(rustls::Error::DecryptError);
        assert_eq!(Trouble::of_sql(&sqlx::Error::Io(handshake)), Trouble::Tls);
        assert!(!Trouble::Busy.is_outage() && Trouble::Full.is_outage());
    }
}
