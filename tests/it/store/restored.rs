//! After a backup was put back no number is given twice, and what is missing is counted.

use std::process::{Command, Output};

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store::restored::{self, Missing};
use cpr_operator::store::{self, Error, Store, open::MAIN_FILE, person, route, worker};
use tempfile::TempDir;

use super::site::{self, Site};
use crate::support::database;

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

/// Runs one of PostgreSQL's programs, which are there where the tests' server is.
fn postgres(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_restored_elsewhere_is_the_same_store() {
    let Site { folder, store } = Site::on_postgres().await;
    let (source, consumer) = (site::source(&store, "s").await, site::consumer(&store, "c").await);
    let record = site::stored(&store, source, 1).await;
    let events: Vec<_> = (0..100).map(|_| site::event(record, source, vec![site::route(consumer)])).collect();
    let last = site::append(&store, &events).await.unwrap();
    site::settle(&store, consumer, last - 10).await;
    let address = |url: &std::path::Path| std::fs::read_to_string(url).unwrap();
    let from = address(database::on_postgres(folder.path()).await.url_file.as_deref().unwrap());
    let dump = folder.path().join("dump").display().to_string();
    postgres("pg_dump", &["-Fc", "-f", &dump, &from]);

    let elsewhere = TempDir::new().unwrap();
    let to = database::on_postgres(elsewhere.path()).await;
    let url = address(to.url_file.as_deref().unwrap());
    postgres("pg_restore", &["--exit-on-error", "--no-owner", "--no-privileges", "-d", &url, &dump]);
    let root_key = StoreSettings {
        root_key_file: Some(folder.path().join(store::open::ROOT_KEY_FILE)),
        ..site::settings(elsewhere.path())
    };
    let restored = store::open(&root_key, &to, site::noon()).await.unwrap();
    assert_eq!(restored.id, store.id);
    moved_on(&restored).await.unwrap();
    let mut conn = restored.main.read().await.unwrap();
    let waiting = route::read(&mut conn, consumer, last - 10, 100).await.unwrap();
    assert_eq!(waiting.len(), 10, "what waited goes on waiting");
    drop(conn);
    let known = site::ensured(&restored, 1).await;
    assert_eq!(known.record, record);
    let held = person::find(&mut restored.main.read().await.unwrap(), source, &[record]).await.unwrap();
    assert_eq!(held[&record].open(&known.key).unwrap().id, Some(site::person_id(1)), "who was known can be read");
    let next = site::append(&restored, &[site::event(record, source, vec![site::route(consumer)])]).await.unwrap();
    assert!(next > last);
}
