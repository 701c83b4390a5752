//! The schemas under `docs/` are what the code says, and the contract's example fits them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cpr_operator::delivery::schema;
use serde_json::Value;

use crate::support::published::SCHEMAS;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/v1")
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())).collect()
}

fn program(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_cpr-operator")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn published_schemas_are_what_the_program_writes() {
    let fresh = tempfile::tempdir().unwrap();
    program(&["schemas", "--out", fresh.path().to_str().unwrap()]);
    let same = files(fresh.path()) == files(&folder());
    assert!(same, "docs/schemas/v1 is not what the code says: write it anew with make schemas");
}

#[test]
fn without_a_folder_one_document_with_all_is_printed() {
    let printed: Value = serde_json::from_slice(&program(&["schemas"])).unwrap();
    assert_eq!(printed, schema::bundle());
}

#[test]
fn the_event_that_the_contract_shows_is_as_published() {
    let contract = fs::read_to_string(folder().join("../../events.md")).unwrap();
    let example = contract.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    SCHEMAS.check(&serde_json::from_str(example).unwrap());
}
