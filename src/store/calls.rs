//! Calls between processes that share a PostgreSQL database: NOTIFY and LISTEN, on connections of their own.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::sql::query;
use super::{Database, Error};

/// The channel of all calls.
const CHANNEL: &str = "cpr_operator";

/// Calls the other processes, and this one, which hears itself too.
pub async fn call(main: &Database, names: &[&str]) -> Result<(), Error> {
    let mut tx = main.begin_apart().await?;
    for name in names {
        query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(*name).execute(&mut tx).await?;
    }
    tx.commit().await
}

/// Hears the calls of all processes.
pub struct Listener(PgListener);

impl Listener {
    /// Listens on a direct connection to the server.
    pub async fn start(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)?.application_name("cpr-operator calls").extra_float_digits(None);
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// The next call; none where the connection was lost and calls may have been missed.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        Ok(self.0.try_recv().await?.map(|call| call.payload().to_owned()))
    }
}
