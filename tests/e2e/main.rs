//! The product on a real cluster of two nodes: installed by helm as a platform team does it, then upgraded, rolled back, killed,
//! drained, scaled and uninstalled while a register tells of changes all along. Nothing is lost, nothing comes out of order.
//! `make e2e` runs it.

#[path = "../it/support/committed.rs"]
mod committed;
mod database;
mod journey;
mod load;
mod logs;
mod manifests;
mod pods;
mod receiver;
mod site;
mod steps;
mod tools;
mod verdict;
mod violence;

use site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_cluster_nothing_is_lost_and_nothing_is_out_of_order() {
    let mut site = Site::begin().await.expect("what the journey needs");
    let outcome = journey::run(&mut site).await;
    let evidence = site.end(outcome.is_err()).await;
    if let Err(error) = outcome {
        panic!("{error:#}\nlogs of all pods, and what the cluster says of them: {}", evidence.display());
    }
}
