//! Whether the database's servers have room for all connections that workers and operators may open.

use super::plan::Worker;
use crate::operator::Context;
use crate::store;
use crate::store::connections::{self, Demand, REMEDY};

/// What is demanded of each server.
pub async fn look(context: &Context, workers: &[Worker]) -> Result<Vec<Demand>, store::Error> {
    let wanted = workers.iter().map(|worker| worker.replicas).sum();
    connections::look(&context.store, &context.database, Some("operator"), wanted).await
}

/// Says what is too much, once for each time that it begins.
pub fn say(now: &[Demand], before: &[Demand]) {
    let was_too_much = |database| before.iter().any(|one| one.database == database && one.is_too_much());
    for one in now.iter().filter(|one| one.is_too_much() && !was_too_much(one.database)) {
        tracing::warn!(
            database = one.database,
            possible = one.possible,
            allowed = one.allowed,
            "workers and operators may open more connections than the database's server takes: {REMEDY}"
        );
    }
}
