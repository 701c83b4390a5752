//! What the server knows of its tables, by which it plans.

use super::sql::query_scalar;
use super::{Database, Error};

/// Has the server look at tables that have grown to twice what they were when it last looked, and at each once: by itself it does so
/// once a minute at most, and never at small ones. How many there were; none with SQLite, which plans by its indexes alone.
pub async fn look_at_grown(database: &Database) -> Result<u64, Error> {
    if matches!(database, Database::Sqlite(_)) {
        return Ok(0);
    }
    let mut tx = database.begin_apart().await?;
    let looked_at: i64 = query_scalar("SELECT look_at_grown()").fetch_one(&mut tx).await?;
    tx.commit().await?;
    Ok(looked_at.unsigned_abs())
}
