//! Whether the database's servers have room for all connections that workers and operators may open.

use super::plan::Worker;
use crate::operator::Context;
use crate::store::connections::{self, Demand};
use crate::store::{self, Database};

/// What is demanded of each server. Nothing where a pooler stands before it, for how many it opens is not known here.
pub async fn look(context: &Context, workers: &[Worker]) -> Result<Vec<Demand>, store::Error> {
    let (store, settings) = (&context.store, &context.database);
    let is_known = matches!(store.main, Database::Postgres(_)) && !settings.pooler;
    if !is_known {
        return Ok(Vec::new());
    }
    let keys = connections::room(&mut *store.keys.database().read().await?).await?;
    let mut conn = store.main.read().await?;
    let main = connections::room(&mut conn).await?;
    let operators = connections::processes(&mut conn, Some("operator")).await?;
    let processes = workers.iter().map(|worker| worker.replicas).sum::<u32>() + operators;
    let of_each = settings.connections();
    Ok(connections::demands(processes, (of_each.main, of_each.keys), &main, &keys))
}

/// Says what is too much, once for each time that it begins.
pub fn say(now: &[Demand], before: &[Demand]) {
    let was_too_much = |database| before.iter().any(|one| one.database == database && one.is_too_much());
    for one in now.iter().filter(|one| one.is_too_much() && !was_too_much(one.database)) {
        tracing::warn!(
            database = one.database,
            possible = one.possible,
            allowed = one.allowed,
            "workers and operators may open more connections than the database's server takes: lower database.writers and \
             database.readers, raise max_connections, or put a pooler before it"
        );
    }
}
