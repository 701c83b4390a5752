//! A store that outgrows SQLite goes on with PostgreSQL: everything arrives, numbers go on, and the two are never both in use.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store::{self, Error, Store, copy, lane, person, route, sizes};
use futures::FutureExt;
use tempfile::TempDir;

use super::site::{self, Site};
use crate::support::database;

/// A store with something in it, closed; and the server to which it goes.
async fn outgrown() -> (TempDir, StoreSettings, DatabaseSettings, BTreeMap<&'static str, u64>) {
    let Site { folder, store } = Site::on_sqlite().await;
    let (source, consumer) = (site::source(&store, "s").await, site::consumer(&store, "c").await);
    let mut events = Vec::new();
    for number in 0..3_000 {
        let ensured = site::ensured(&store, number).await;
        if number % 100 == 0 {
            site::write(&store, &[site::row(&ensured, source, number)]).await;
            store.keys.ensure_claims(&[(consumer, ensured.record)], site::noon()).await.unwrap();
        }
        events.push(site::event(ensured.record, source, vec![site::route(consumer)]));
    }
    site::append(&store, &events).await;
    site::settle(&store, consumer, 1_500).await;
    let rows = sizes::rows(&mut store.main.read().await.unwrap()).await.unwrap();
    let settings = site::settings(folder.path());
    store.close().await;
    let server = database::on_postgres(folder.path()).await;
    (folder, settings, server, rows)
}

async fn copied(from: &StoreSettings, to: &DatabaseSettings) -> Result<Store, Error> {
    copy::copy(from, to, site::noon(), |_| {}).await?;
    store::open(from, to, site::noon()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_and_goes_on_where_it_stopped() {
    let (_folder, from, to, rows) = outgrown().await;
    let store = copied(&from, &to).await.unwrap();
    let mut arrived = sizes::rows(&mut store.main.read().await.unwrap()).await.unwrap();
    arrived.retain(|table, _| *table != "meta");
    assert_eq!(arrived, rows.into_iter().filter(|(table, _)| *table != "meta").collect());

    let source = store::source::find(&mut store.main.read().await.unwrap(), &site::source_form("s").key).await.unwrap();
    let consumer = site::consumer(&store, "c").await;
    assert_eq!(site::source(&store, "s").await, source.unwrap().id, "resources are known under their ids");
    let mut conn = store.main.read().await.unwrap();
    let lanes = lane::read(&mut conn, consumer).await.unwrap();
    assert!(lanes.len() == 16 && lanes.iter().all(|lane| lane.watermark == 1_500));
    let left = route::read(&mut conn, consumer, 1_500, 10_000).await.unwrap();
    assert_eq!((left.len(), left[0].seq), (1_500, 1_501));
    drop(conn);

    let known = site::ensured(&store, 100).await;
    let persons = person::find(&mut store.main.read().await.unwrap(), 1, &[known.record]).await.unwrap();
    let held = persons[&known.record].open(&known.key).unwrap();
    assert_eq!(held.id, Some(site::person_id(100)), "who was known is known, and can be read");
    assert!(store.keys.claimed(consumer, &[known.record]).await.unwrap().contains(&known.record));
    let next = site::append(&store, &[site::event(known.record, 1, vec![site::route(consumer)])]).await;
    assert_eq!(next, Some(3_001), "numbers go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_are_used_no_more_and_a_server_in_use_is_not_overwritten() {
    let (_folder, from, to, _) = outgrown().await;
    copied(&from, &to).await.unwrap().close().await;
    let again = store::open(&from, &DatabaseSettings::default(), site::noon()).await;
    assert!(matches!(again, Err(Error::Moved)));
    let other = Site::on_sqlite().await;
    let settings = site::settings(other.folder.path());
    other.store.close().await;
    assert!(matches!(copied(&settings, &to).await, Err(Error::Occupied)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_is_not_opened_and_can_be_begun_anew_after_any_table() {
    let (_folder, from, to, rows) = outgrown().await;
    for tables in [1, 4, 7, 20] {
        let mut told = 0;
        let broken = copy::copy(&from, &to, site::noon(), |_| {
            told += 1;
            assert!(told < tables, "interrupted");
        });
        assert!(AssertUnwindSafe(broken).catch_unwind().await.is_err());
        assert!(matches!(store::open(&from, &to, site::noon()).await, Err(Error::Unfinished)));
    }
    let store = copied(&from, &to).await.unwrap();
    let arrived = sizes::rows(&mut store.main.read().await.unwrap()).await.unwrap();
    assert_eq!((arrived["route"], arrived["person"]), (rows["route"], rows["person"]));
}
