//! What the image needs, as far as it can be said without building it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::Command;

use super::helm::{chart, root};

/// What the base image `distroless/cc` holds, beside the C library's own parts.
const IN_THE_BASE: [&str; 5] = ["ld-linux", "libc.so", "libgcc_s.so", "libm.so", "linux-vdso"];

#[test]
fn the_program_needs_no_library_that_the_base_image_lacks() {
    let ldd = Command::new("ldd").arg(env!("CARGO_BIN_EXE_cpr-operator")).output().unwrap();
    let said = String::from_utf8(ldd.stdout).unwrap();
    assert!(said.contains("libc.so"), "{said}");
    for line in said.lines() {
        assert!(IN_THE_BASE.iter().any(|library| line.contains(library)), "distroless/cc lacks {line}");
    }
}

/// A version such as 1.95 as numbers.
fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn it_is_built_with_a_compiler_that_is_new_enough_and_belongs_to_this_version() {
    let between = |file: &str, before: &str, after: char| {
        let text = fs::read_to_string(file).unwrap();
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{file} has no {before}"));
        rest.split(after).next().unwrap().to_owned()
    };
    let path = |name: &str| root().join(name).display().to_string();
    let used = between(&path("Dockerfile"), "FROM rust:", '-');
    let needed = between(&path("Cargo.toml"), "rust-version = \"", '"');
    assert!(version(&used) >= version(&needed), "Dockerfile: Rust {used}, but {needed} is needed");
    let manifest = chart().join("Chart.yaml").display().to_string();
    for field in ["\nversion: ", "\nappVersion: "] {
        assert_eq!(between(&manifest, field, '\n'), env!("CARGO_PKG_VERSION"));
    }
}
