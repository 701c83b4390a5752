//! Files that are damaged, may not be written, or are held by another program: said at the start, with what to do.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use cpr_operator::store::open::{KEYS_FILE, MAIN_FILE};
use cpr_operator::store::{Conn, Store};
use tempfile::TempDir;

use super::site::{self, Site, open};

/// The folder of a store that was used and closed.
async fn closed() -> TempDir {
    let site = Site::new().await;
    site::stored(&site.store, site::source(&site.store, "s").await, 1).await;
    site.store.close().await;
    site.folder
}

async fn refusal(folder: &Path) -> String {
    open(folder).await.map(|_| ()).expect_err("is refused").to_string()
}

#[tokio::test]
async fn a_damaged_database_is_named_and_left_as_it_is() {
    for file in [MAIN_FILE, KEYS_FILE] {
        for damage in [|bytes: &mut Vec<u8>| bytes[..16].fill(7), |bytes: &mut Vec<u8>| bytes[100..8000].fill(0xa5)] {
            let folder = closed().await;
            let path = folder.path().join(file);
            let mut bytes = std::fs::read(&path).unwrap();
            damage(&mut bytes);
            std::fs::write(&path, &bytes).unwrap();
            let said = refusal(folder.path()).await;
            assert!(said.contains(file) && said.contains("backup"), "{said}");
            assert_eq!(std::fs::read(&path).unwrap()[..100], bytes[..100], "whoever looks into it finds it as it was");
        }
    }
}

#[tokio::test]
async fn a_database_that_was_emptied_is_not_begun_anew() {
    for (file, word) in [(MAIN_FILE, "main.db"), (KEYS_FILE, "keys.db")] {
        let folder = closed().await;
        std::fs::write(folder.path().join(file), b"").unwrap();
        let said = refusal(folder.path()).await;
        assert!(said.contains(word) && (said.contains("Restore") || said.contains("estore it")), "{said}");
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_a_database_is_named() {
    let folder = closed().await;
    std::fs::remove_file(folder.path().join(MAIN_FILE)).unwrap();
    std::fs::create_dir(folder.path().join(MAIN_FILE)).unwrap();
    let said = refusal(folder.path()).await;
    assert!(said.contains(MAIN_FILE), "{said}");
}

/// What the program says that may not write to the folder; as somebody else where the test may write everywhere.
fn said_without_rights(folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cpr-operator"));
    let path = format!("store.path={}", folder.display());
    command.args(["all", "--set", &path, "--set", "http.listen=127.0.0.1:0", "--set", "operator.enabled=false"]);
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    if owner == 0 {
        command.uid(65_534).gid(65_534);
    }
    let output = command.env_remove("CPR_CONFIG").output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_named_and_nothing_is_harmed() {
    let above = TempDir::new().unwrap();
    std::fs::set_permissions(above.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let new = above.path().join("new");
    std::fs::create_dir(&new).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o555)).unwrap();
    let (code, said) = said_without_rights(&new);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(new.to_str().unwrap()) && said.contains("ermission denied"), "{said}");
    assert_eq!(std::fs::read_dir(&new).unwrap().count(), 0);

    let used = closed().await;
    std::fs::set_permissions(used.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    for file in std::fs::read_dir(used.path()).unwrap() {
        std::fs::set_permissions(file.unwrap().path(), std::fs::Permissions::from_mode(0o444)).unwrap();
    }
    let (code, said) = said_without_rights(used.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(used.path().to_str().unwrap()) && said.contains("ermission denied"), "{said}");
    std::fs::set_permissions(used.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for file in std::fs::read_dir(used.path()).unwrap() {
        std::fs::set_permissions(file.unwrap().path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    open(used.path()).await.unwrap();
}

#[tokio::test]
async fn a_database_that_another_program_holds_at_the_start_is_named() {
    use sqlx::{Connection, Executor};
    let folder = closed().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join(MAIN_FILE))
        .pragma("locking_mode", "EXCLUSIVE");
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let said = refusal(folder.path()).await;
    assert!(said.contains(MAIN_FILE) && said.contains("Another program holds it"), "{said}");
    drop(other);
    open(folder.path()).await.unwrap();
}

/// A program that makes its store, killed once this file is there and this much later.
async fn killed_after(folder: &Path, file: &str, wait: std::time::Duration) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cpr-operator"));
    let path = format!("store.path={}", folder.display());
    command.args(["all", "--set", &path, "--set", "http.listen=127.0.0.1:0", "--set", "operator.enabled=false"]);
    command.env_remove("CPR_CONFIG").stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    while !folder.join(file).exists() && child.try_wait().unwrap().is_none() {
        tokio::time::sleep(std::time::Duration::from_micros(200)).await;
    }
    tokio::time::sleep(wait).await;
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_process_killed_anywhere_while_it_makes_its_schema_leaves_a_store_that_opens() {
    for file in ["keys.root", KEYS_FILE, MAIN_FILE] {
        for millis in [0, 1, 2, 4, 8, 15, 30] {
            let folder = TempDir::new().unwrap();
            killed_after(folder.path(), file, std::time::Duration::from_millis(millis)).await;
            let store: Store = open(folder.path()).await.unwrap_or_else(|error| panic!("{file} {millis}: {error}"));
            let conn: &mut Conn = &mut store.main.begin().await.unwrap();
            let whole: String =
                cpr_operator::store::sql::query_scalar("PRAGMA integrity_check").fetch_one(conn).await.unwrap();
            assert_eq!(whole, "ok");
        }
    }
}
