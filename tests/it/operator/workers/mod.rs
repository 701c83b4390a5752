//! Workers as the operator makes them, on a real control plane: Deployments make pods, which stay pending until a test says that
//! they are ready.

mod connections;
mod life;
mod logins;
mod objects;
mod refusals;
mod rendered;
mod sharing;
mod site;
mod upgrades;
