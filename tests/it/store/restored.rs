//! After a backup was put back no number is given twice, and what is missing is counted.

use std::process::{Command, Output};

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::store::restored::{self, Missing};
use cpr_operator::store::{self, Error, Store, open::MAIN_FILE, worker};

use super::site::{self, Site};

async fn moved_on(store: &Store) -> Result<(), Error> {
    restored::move_keys_on(store).await?;
    let mut tx = store.main.begin().await?;
    restored::move_on(&mut tx).await?;
    tx.commit().await
}

pub async fn numbers_go_on_where_none_was_given(store: &Store) {
    let (source, first) = (site::source(store, "s").await, site::consumer(store, "first").await);
    let record = site::stored(store, source, 1).await;
    let event = || site::event(record, source, vec![site::route(first)]);
    let before = site::append(store, &[event()]).await.unwrap();
    let key = store.keys.consumer_key(first, site::noon()).await.unwrap().reference(record);
    moved_on(store).await.unwrap();
    let after = site::append(store, &[event(), event()]).await.unwrap();
    assert!(after > before + (1 << 33), "{before} {after}");
    assert!(site::consumer(store, "second").await > first + 1_000);
    assert_eq!(site::consumer(store, "first").await, first, "what is known keeps its number");
    assert_eq!(store.keys.consumer_key(first, site::noon()).await.unwrap().reference(record), key);
    moved_on(store).await.unwrap();
    assert!(site::append(store, &[event()]).await.unwrap() > after, "it can be done again");
}

pub async fn nothing_is_moved_while_a_process_runs(store: &Store) {
    let mut tx = store.main.begin().await.unwrap();
    worker::arrive(&mut tx, "one", "ingest").await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(moved_on(store).await, Err(Error::InUse)));
    let mut tx = store.main.begin().await.unwrap();
    worker::leave(&mut tx, "one").await.unwrap();
    tx.commit().await.unwrap();
    moved_on(store).await.unwrap();
}

pub async fn what_an_older_key_store_lacks_is_counted(store: &Store) {
    let (source, consumer) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let records = [site::stored(store, source, 1).await, site::stored(store, source, 2).await];
    store.keys.consumer_key(consumer, site::noon()).await.unwrap();
    site::append(store, &[site::event(records[0], source, vec![site::route(consumer)])]).await;
    site::settle(store, consumer, 1).await;
    assert_eq!(restored::missing(store).await.unwrap(), Missing::default());
    store.keys.forget_persons(&records[..1]).await.unwrap();
    store.keys.forget_consumer(consumer).await.unwrap();
    let expected = Missing { consumers: 1, persons: 1, entries: 0 };
    assert_eq!(restored::missing(store).await.unwrap(), expected);
}

fn program(folder: &std::path::Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpr-operator"));
    command.args(["migrate", "restored", "--set"]).arg(format!("store.path={}", folder.display()));
    command.env_remove("CPR_CONFIG").output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_main_database_from_before_goes_on_above_what_it_never_knew() {
    let Site { folder, store } = Site::on_sqlite().await;
    let (main, backup) = (folder.path().join(MAIN_FILE), folder.path().join("backup"));
    let settings = site::settings(folder.path());
    let reopened = async || store::open(&settings, &DatabaseSettings::default(), site::noon()).await.unwrap();
    let source = site::source(&store, "s").await;
    let known = site::stored(&store, source, 1).await;
    store.close().await;
    std::fs::copy(&main, &backup).unwrap();

    let store = reopened().await;
    let lost = site::consumer(&store, "lost").await;
    let unknown = site::stored(&store, source, 2).await;
    let last = site::append(&store, &[site::event(unknown, source, vec![site::route(lost)])]).await.unwrap();
    let reference = store.keys.consumer_key(lost, site::noon()).await.unwrap().reference(known);
    let refused = program(folder.path());
    assert_eq!(refused.status.code(), Some(1), "a process runs");
    store.close().await;
    std::fs::copy(&backup, &main).unwrap();

    let output = program(folder.path());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("cannot be read and will be removed: 0"), "{said} {output:?}");
    let store = reopened().await;
    let new = site::consumer(&store, "new").await;
    assert_ne!(new, lost, "nobody is given the key of a consumer that the backup does not know");
    assert_ne!(store.keys.consumer_key(new, site::noon()).await.unwrap().reference(known), reference);
    let next = site::append(&store, &[site::event(known, source, vec![site::route(new)])]).await.unwrap();
    assert!(next > last, "{next} {last}");
}
