//! Opening a store: what is made, what is refused, and that a refusal says what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::store::open::{KEYS_FILE, LOCK_FILE, MAIN_FILE, ROOT_KEY_FILE};
use cpr_operator::store::{self, Conn, Error, Store, postgres};
use tempfile::TempDir;

use super::site::{self, Site, noon, open, settings};
use crate::support::database;

/// A store that was used and closed.
async fn closed() -> (TempDir, String) {
    let site = Site::new().await;
    site::stored(&site.store, site::source(&site.store, "s").await, 1).await;
    let id = site.store.id.clone();
    site.store.close().await;
    (site.folder, id)
}

/// What opening was refused with, as text.
fn refusal(opened: Result<Store, Error>) -> String {
    opened.expect_err("is refused").to_string()
}

fn replace_root_key(folder: &Path) {
    let other = TempDir::new().unwrap();
    cpr_operator::store::keys::root::RootKey::make(&other.path().join("key")).unwrap();
    std::fs::copy(other.path().join("key"), folder.join(ROOT_KEY_FILE)).unwrap();
}

#[tokio::test]
async fn a_store_is_itself_after_opening_again() {
    let site = Site::new().await;
    let (id, record) = (site.store.id.clone(), site::ensured(&site.store, 1).await.record);
    let reference = site.store.keys.consumer_key(1, noon()).await.unwrap().reference(record);
    let site = site.reopened().await;
    assert_eq!(site.store.id, id);
    assert_eq!(site::ensured(&site.store, 1).await.record, record);
    assert_eq!(site.store.keys.consumer_key(1, noon()).await.unwrap().reference(record), reference);
}

#[tokio::test]
async fn only_the_owner_may_read_what_was_made() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("a").join("b");
    let store = open(&folder).await.unwrap();
    site::source(&store, "s").await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert!(folder.join(ROOT_KEY_FILE).exists() && folder.join(LOCK_FILE).exists());
}

#[tokio::test]
async fn wrong_root_key_is_refused() {
    let (folder, _) = closed().await;
    replace_root_key(folder.path());
    let opened = open(folder.path()).await;
    assert!(matches!(opened, Err(Error::RootKey(_))));
    assert!(refusal(opened).contains("not the one"));
}

#[tokio::test]
async fn malformed_root_key_is_refused_without_repeating_it() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(ROOT_KEY_FILE), "c2hvcnQ=").unwrap();
    let text = refusal(open(folder.path()).await);
    assert!(text.contains("32 bytes in base64") && !text.contains("c2hvcnQ"));
}

#[tokio::test]
async fn a_root_key_is_not_made_beside_databases() {
    let (folder, _) = closed().await;
    std::fs::remove_file(folder.path().join(ROOT_KEY_FILE)).unwrap();
    assert!(refusal(open(folder.path()).await).contains("is missing"));
    assert!(!folder.path().join(ROOT_KEY_FILE).exists());
}

#[tokio::test]
async fn a_given_root_key_is_used_and_is_not_local() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = elsewhere.path().join("keys.root");
    let set = StoreSettings { root_key_file: Some(file.clone()), ..settings(folder.path()) };
    let store = store::open(&set, &crate::support::database::settings(folder.path()).await, noon()).await.unwrap();
    assert!(store.root_key_is_local, "made by us");
    store.close().await;

    let moved = elsewhere.path().join("moved");
    std::fs::rename(&file, &moved).unwrap();
    let set = StoreSettings { root_key_file: Some(moved), ..settings(folder.path()) };
    let store = store::open(&set, &crate::support::database::settings(folder.path()).await, noon()).await.unwrap();
    assert!(!store.root_key_is_local);
    assert!(Site::new().await.store.root_key_is_local);
}

#[tokio::test]
async fn a_lost_database_is_refused() {
    for (lost, said) in [(KEYS_FILE, "keys.db is missing"), (MAIN_FILE, "main.db is missing")] {
        let (folder, _) = closed().await;
        std::fs::remove_file(folder.path().join(lost)).unwrap();
        for _ in 0..2 {
            let text = refusal(open(folder.path()).await);
            assert!(text.contains(said), "{text}");
            assert!(!folder.path().join(lost).exists(), "nothing new lies in its place");
        }
    }
}

#[tokio::test]
async fn databases_of_two_stores_are_refused() {
    let ((one, _), (two, _)) = (closed().await, closed().await);
    std::fs::copy(two.path().join(MAIN_FILE), one.path().join(MAIN_FILE)).unwrap();
    assert!(refusal(open(one.path()).await).contains("two different stores"));
}

#[tokio::test]
async fn a_crash_while_a_store_was_made_is_finished_at_the_next_start() {
    let (folder, id) = closed().await;
    let keys = sqlx::SqlitePool::connect(folder.path().join(KEYS_FILE).to_str().unwrap()).await.unwrap();
    sqlx::query("INSERT INTO meta VALUES ('making', 'yes')").execute(&keys).await.unwrap();
    keys.close().await;
    std::fs::remove_file(folder.path().join(MAIN_FILE)).unwrap();
    assert_eq!(open(folder.path()).await.unwrap().id, id);
}

#[tokio::test]
async fn newer_schema_is_refused() {
    for file in [MAIN_FILE, KEYS_FILE] {
        let (folder, _) = closed().await;
        let pool = sqlx::SqlitePool::connect(folder.path().join(file).to_str().unwrap()).await.unwrap();
        let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                      VALUES (9999, 'later', 1, x'00', 0)";
        sqlx::query(insert).execute(&pool).await.unwrap();
        pool.close().await;
        assert!(matches!(open(folder.path()).await, Err(Error::Newer { found: 9999, .. })), "{file}");
    }
}

#[tokio::test]
async fn second_process_is_refused() {
    let site = Site::new().await;
    let second = open(site.folder.path()).await;
    assert!(matches!(second, Err(Error::Held { .. })));
    let clone = site.store.clone();
    drop(site.store);
    assert!(open(site.folder.path()).await.is_err(), "a clone still holds it");
    clone.close().await;
    assert!(open(site.folder.path()).await.is_ok());
}

#[tokio::test]
async fn readers_cannot_write() {
    let site = Site::new().await;
    let mut reader = site.store.main.read().await.unwrap();
    assert!(cpr_operator::store::sql::query("DELETE FROM meta").execute(&mut reader).await.is_err());
}

#[tokio::test]
async fn every_connection_has_the_settings_that_durability_and_erasure_need() {
    let site = Site::new().await;
    for database in [&site.store.main, site.store.keys.database()] {
        let (mut tx, mut reader) = (database.begin().await.unwrap(), database.read().await.unwrap());
        let connections: [&mut Conn; 2] = [&mut tx, &mut reader];
        for connection in connections {
            for (pragma, expected) in [("synchronous", 2_i64), ("secure_delete", 1), ("foreign_keys", 1)] {
                let query = String::leak(format!("PRAGMA {pragma}"));
                let found: i64 =
                    cpr_operator::store::sql::query_scalar(query).fetch_one(&mut *connection).await.unwrap();
                assert_eq!(found, expected, "{pragma}");
            }
            let mode: String = cpr_operator::store::sql::query_scalar("PRAGMA journal_mode")
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_eq!(mode, "wal");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_open_a_new_store_at_once_agree_on_its_id() {
    for _ in 0..5 {
        let folder = TempDir::new().unwrap();
        let database = database::on_postgres(folder.path()).await;
        cpr_operator::store::keys::root::RootKey::make(&folder.path().join(ROOT_KEY_FILE)).unwrap();
        let url = std::fs::read_to_string(database.url_file.as_ref().unwrap()).unwrap();
        for content in [&postgres::KEYS, &postgres::MAIN] {
            postgres::prepare(&url, content).await.unwrap();
        }
        let ids = open_at_once(4, folder.path(), &database).await;
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_connect_at_once_through_a_pooler_do_not_disturb_each_other() {
    let site = Site::on_pooler().await;
    let database = DatabaseSettings { pooler: true, ..database::on_postgres(site.folder.path()).await };
    let ids = open_at_once(40, site.folder.path(), &database).await;
    assert!(ids.iter().all(|id| *id == site.store.id), "{ids:?}");
}

/// Opens a store in so many processes, each with a folder of its own; the ids that they find.
async fn open_at_once(processes: usize, folder: &Path, database: &DatabaseSettings) -> Vec<String> {
    let mut opening = tokio::task::JoinSet::new();
    for process in 0..processes {
        let root_key_file = Some(folder.join(ROOT_KEY_FILE));
        let own = StoreSettings { root_key_file, ..settings(&folder.join(process.to_string())) };
        let database = database.clone();
        opening.spawn(async move { store::open(&own, &database, noon()).await.unwrap().id });
    }
    opening.join_all().await
}
