//! What is held against each receiver in the end.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, ensure};
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::simulate::consumer::Received;
use cpr_operator::store::{self, Store};
use jiff::Timestamp;
use sqlx::Connection;

use crate::committed::{Committed, routes};
use crate::receiver::{Receiver, name_in};
use crate::site::Site;
use crate::tools::until;
use crate::violence::Violence;

/// Waits until all that was committed has arrived and judges it.
pub async fn judge(site: &Site) -> Result<String> {
    let store = open(site).await?;
    let rounds = site.load.rounds();
    let mut found = vec![format!("{} changes of {} persons", site.load.count(), rounds.len())];
    for receiver in &site.receivers {
        let id = consumer_id(site, receiver.name).await?;
        let all = until("all that was committed has arrived", async || {
            receiver.has_heard(&rounds)?;
            let committed: Vec<_> = routes(&store).await.into_iter().filter(|route| route.consumer == id).collect();
            arrived(receiver, &committed)?;
            Ok(committed.len())
        })
        .await?;
        let again = as_promised(receiver, &site.violence)?;
        numbered_in_order(receiver, &rounds)?;
        found.push(format!("{}: {all} committed, {all} arrived, {again} of them twice", receiver.name));
    }
    store.close().await;
    Ok(found.join("; "))
}

async fn open(site: &Site) -> Result<Store> {
    let settings = StoreSettings {
        path: site.folder.path().join("store"),
        root_key_file: Some(site.root_key()),
        accept_local_root_key: false,
        readers: 1,
    };
    Ok(store::open(&settings, &site.database.all()?, Timestamp::now()).await?)
}

async fn consumer_id(site: &Site, name: &str) -> Result<i64> {
    let mut conn = site.database.connect().await?;
    let id = sqlx::query_scalar("SELECT id FROM cpr.consumer WHERE namespace = 'town' AND name = $1")
        .bind(name)
        .fetch_one(&mut conn)
        .await
        .with_context(|| format!("consumer {name} in the database"))?;
    conn.close().await?;
    Ok(id)
}

/// What was committed has been accepted, and nothing else.
fn arrived(receiver: &Receiver, committed: &[Committed]) -> Result<()> {
    let received = receiver.consumer.received();
    let accepted: HashSet<&str> = received.iter().filter(|one| is_delivery(one)).map(|one| one.id.as_str()).collect();
    let expected: HashSet<&str> = committed.iter().map(|route| route.id.as_str()).collect();
    let lost: Vec<_> = expected.difference(&accepted).take(3).collect();
    let unknown: Vec<_> = accepted.difference(&expected).take(3).collect();
    ensure!(
        lost.is_empty() && unknown.is_empty(),
        "{}: {} committed, {} arrived; missing such as {lost:?}; never committed such as {unknown:?}",
        receiver.name,
        expected.len(),
        accepted.len()
    );
    Ok(())
}

fn is_delivery(one: &Received) -> bool {
    one.accepted && one.kind != "endpoint.verify"
}

/// Signed, well-formed, in order of the sequence for each person, and again only what was under way when something was killed.
/// Gives how many came again.
fn as_promised(receiver: &Receiver, violence: &Violence) -> Result<u64> {
    let report = receiver.consumer.report();
    let bad = [report.forged, report.malformed, report.out_of_order];
    ensure!(bad == [0; 3], "{}: nothing forged, malformed or out of order, but found {report:?}", receiver.name);
    let mut first = HashMap::new();
    for one in receiver.consumer.received().iter().filter(|one| is_delivery(one)) {
        let at = *first.entry(one.id.clone()).or_insert(one.at);
        ensure!(
            !one.duplicate || violence.covers(at),
            "{}: {} came at {at} and again at {}, though nothing was killed then: {violence:?}",
            receiver.name,
            one.id,
            one.at
        );
    }
    Ok(report.duplicates)
}

/// The numbers of each person's names rise, and the last is the register's.
fn numbered_in_order(receiver: &Receiver, rounds: &[u32]) -> Result<()> {
    let mut last = HashMap::new();
    for one in receiver.consumer.received().iter().filter(|one| is_delivery(one) && !one.duplicate) {
        let Some((citizen, round)) = name_in(one) else { continue };
        let before = last.insert(citizen, round);
        ensure!(before <= Some(round), "{}: person {citizen}: {round} after {before:?}", receiver.name);
    }
    let wrong: Vec<_> = receiver.citizens().filter(|at| last.get(at) != Some(&rounds[*at])).collect();
    ensure!(wrong.is_empty(), "{}: the last name of {} persons is not the register's", receiver.name, wrong.len());
    Ok(())
}
