//! One process deletes keys while another is about to write about the same persons: whoever comes first, no row is left without
//! its key, and whoever writes is told when to begin anew.

use std::time::Duration;

use cpr_operator::store::{self, Store, removal};

use super::site::{self, Site};
use crate::support::database;

/// The store as another process has it; on files there is no other, and it is this one.
async fn other(site: &Site, is_shared: bool) -> Store {
    match is_shared {
        true => {
            let settings = database::on_postgres(site.folder.path()).await;
            store::open(&site::settings(site.folder.path()), &settings, site::noon()).await.unwrap()
        }
        false => site.store.clone(),
    }
}

async fn has_key(store: &Store, record: cpr_operator::domain::pairwise::RecordId) -> bool {
    store.keys.without_key(&[record]).await.unwrap().is_empty()
}

/// The key goes before the writer's transaction asks for it. Where `are_there` was not asked, the row stood without a key and was
/// swept.
async fn a_key_that_was_deleted_is_missed(site: Site, is_shared: bool) {
    let janitor = other(&site, is_shared).await;
    let source = site::source(&site.store, "s").await;
    let ensured = site::ensured(&site.store, 1).await;
    removal::forget_unused(&janitor, &[ensured.record]).await.unwrap();
    let tx = site.store.main.begin_beside().await.unwrap();
    // Within a process the writer's hold on the key is seen.
    assert_eq!(site.store.keys.are_there(&[ensured.record]).await.unwrap(), !is_shared);
    drop(tx);
    let anew = site::ensured(&site.store, 1).await;
    assert_eq!(anew.record == ensured.record, !is_shared);
    site::write(&site.store, &[site::row(&anew, source, 1)]).await;
    assert!(has_key(&janitor, anew.record).await);
}

/// The writer asks, then the other wants to delete the key, then the writer commits. Where `forget_unused` looked at the rows
/// without being alone, it found none and deleted the key.
async fn a_key_that_is_being_written_about_stays(site: Site, is_shared: bool) {
    let janitor = other(&site, is_shared).await;
    let source = site::source(&site.store, "s").await;
    let ensured = site::ensured(&site.store, 1).await;
    let record = ensured.record;
    let mut tx = site.store.main.begin_beside().await.unwrap();
    assert!(site.store.keys.are_there(&[record]).await.unwrap());
    let deleting = tokio::spawn(async move { removal::forget_unused(&janitor, &[record]).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let row = site::row(&ensured, source, 1);
    assert!(store::person::write(&mut tx, &[row], site::noon()).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    drop(ensured);
    deleting.await.unwrap().unwrap();
    assert!(has_key(&site.store, record).await);
}

/// The writer asks, then the other removes the person, who is marked: the writer leaves them out, whatever comes first.
async fn who_is_marked_is_left_out(site: Site, is_shared: bool) {
    let janitor = other(&site, is_shared).await;
    let (source, second) = (site::source(&site.store, "s").await, site::source(&site.store, "t").await);
    let record = site::stored(&site.store, source, 1).await;
    let mut tx = site.store.main.begin().await.unwrap();
    assert_eq!(store::person::mark_leaving(&mut tx, source, &[record]).await.unwrap(), [record]);
    tx.commit().await.unwrap();

    let ensured = site::ensured(&site.store, 1).await;
    assert_eq!(ensured.record, record);
    let mut tx = site.store.main.begin_beside().await.unwrap();
    assert!(site.store.keys.are_there(&[record]).await.unwrap());
    let removing = tokio::spawn(async move { removal::run_once(&janitor).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let row = site::row(&ensured, second, 1);
    assert_eq!(store::person::write(&mut tx, &[row], site::noon()).await.unwrap(), [record]);
    tx.commit().await.unwrap();
    drop(ensured);
    removing.await.unwrap().unwrap();
    removal::run_once(&site.store).await.unwrap();
    let mut conn = site.store.main.read().await.unwrap();
    for source in [source, second] {
        assert!(store::person::find(&mut conn, source, &[record]).await.unwrap().is_empty());
    }
    assert!(!has_key(&site.store, record).await);
}

/// The writer asks and takes the mark away, and the other wants to remove the person meanwhile. Where `run_once` looked at the
/// marks without being alone, it deleted the key of a person who stays.
async fn who_is_kept_stays(site: Site, is_shared: bool) {
    let janitor = other(&site, is_shared).await;
    let source = site::source(&site.store, "s").await;
    let record = site::stored(&site.store, source, 1).await;
    let mut tx = site.store.main.begin().await.unwrap();
    assert_eq!(store::person::mark_leaving(&mut tx, source, &[record]).await.unwrap(), [record]);
    tx.commit().await.unwrap();

    let mut tx = site.store.main.begin().await.unwrap();
    assert!(site.store.keys.are_there(&[record]).await.unwrap());
    let removing = tokio::spawn(async move { removal::run_once(&janitor).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    store::person::keep(&mut tx, &[record]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(removing.await.unwrap().unwrap(), 0);
    assert!(has_key(&site.store, record).await);
    let mut conn = site.store.main.read().await.unwrap();
    assert!(!store::person::find(&mut conn, source, &[record]).await.unwrap()[&record].leaving);
}

macro_rules! on_both {
    ($($claim:ident),*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $claim() {
                super::$claim(super::Site::on_sqlite().await, false).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $claim() {
                super::$claim(super::Site::on_postgres().await, true).await;
            })*
        }
    };
}

on_both!(
    a_key_that_was_deleted_is_missed,
    a_key_that_is_being_written_about_stays,
    who_is_marked_is_left_out,
    who_is_kept_stays
);
