//! Whether the database's server has room for all connections that workers may open.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::store::presence::Presence;
use tokio_util::sync::CancellationToken;

use super::super::steered::within_patience;
use super::site::Site;
use crate::support::server::Server;

fn line(state: &str) -> String {
    format!("cpr_operator_database_connections{{database=\"main\",state=\"{state}\"}}")
}

async fn until_counted(site: &Site, possible: Option<i64>, allowed: Option<i64>) {
    let counted = || (site.metric(&line("possible")), site.metric(&line("allowed")));
    let is_so = async || (counted() == (possible, allowed)).then_some(());
    assert!(within_patience(async || is_so().await).await.is_some(), "{:?}", counted());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_workers_and_operators_may_open_is_held_against_what_the_server_takes() {
    let server = Server::start();
    let mut site = Site::on(&server).await;
    let main = site.world.context.store.main.clone();
    let (operator, leave) = (Presence::begin(&main, "operator").await.unwrap(), CancellationToken::new());
    let living = tokio::spawn(operator.run(main, leave.clone()));
    site.world.install_unready().await;
    site.until_scaled(&site.deliver("sample"), 1).await;
    site.until_scaled(&site.ingest("register"), 2).await;
    // Three workers and an operator, each with four to write and four to read of both databases, and one to listen. The server
    // takes 200, of which three are its administrator's.
    until_counted(&site, Some(4 * 17), Some(197)).await;
    for (writers, pooler, possible, allowed) in [(64, false, Some(4 * 137), Some(197)), (64, true, None, None)] {
        site.world.stop().await;
        let database = &mut site.world.context.database;
        (database.writers, database.pooler) = (writers, pooler);
        site.world.start();
        until_counted(&site, possible, allowed).await;
    }
    site.world.stop().await;
    leave.cancel();
    living.await.unwrap();
}
