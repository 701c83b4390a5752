//! Who knows whom: the arrows of the source tree point down, and neighbours do not know each other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines of the picture, from the bottom up. A folder may use what stands on a lower line.
const LINES: &[&[&str]] = &[
    &["settings", "domain"],
    &["net"],
    &["store", "upstream", "api", "runtime"],
    &["audit"],
    &["ingest", "delivery", "erasure", "lookup"],
    &["operator"],
    &["admin"],
    &["cli"],
];

fn line_of(folder: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&folder))
}

fn may_use(from: &str, to: &str) -> bool {
    match (from, to) {
        _ if from == to => true,
        ("simulate", "runtime" | "settings") => true,
        ("simulate", _) => false,
        ("cli", "simulate") => true,
        (_, "simulate") => false,
        _ => line_of(from).zip(line_of(to)).is_some_and(|(from, to)| from > to),
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

/// The top folders that a text names after `crate::`, alone or in braces.
fn named(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(members(group)),
            None => names.extend([word(rest)]),
        }
    }
    names
}

/// The first words of the members of a group that has just been opened.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut words, mut at_start) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                words.push(word(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[test]
fn arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).expect("found below it");
        let Some(from) = inside.components().next().filter(|_| inside.components().count() > 1) else { continue };
        let from = from.as_os_str().to_string_lossy().into_owned();
        assert!(from == "simulate" || line_of(&from).is_some(), "src/{from} has no place in the picture");
        let text = std::fs::read_to_string(&path).expect("a source file");
        let names = named(&text).into_iter().filter(|to| line_of(to).is_some() || to == "simulate");
        wrong.extend(names.filter(|to| !may_use(&from, to)).map(|to| format!("{} uses {to}", inside.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rule_itself_refuses_what_it_should() {
    assert!(may_use("ingest", "store") && may_use("operator", "delivery") && may_use("cli", "simulate"));
    assert!(may_use("admin", "operator") && !may_use("operator", "admin"));
    assert!(!may_use("ingest", "delivery") && !may_use("store", "audit") && !may_use("domain", "settings"));
    assert!(!may_use("simulate", "domain") && !may_use("store", "runtime") && !may_use("delivery", "simulate"));
}

#[test]
fn names_are_found_alone_and_in_groups() {
    let text = "use crate::store::{a, b};\nuse crate::{api::{x, y}, delivery,\n    ingest};\n// crate::comment\nlet _ = crate::net::f();";
    let found: Vec<_> = named(text).into_iter().collect();
    assert_eq!(found, ["api", "delivery", "ingest", "net", "store"]);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "tests/it"].into_iter().flat_map(|folder| sources(&root.join(folder)));
    let silent: Vec<_> =
        files.filter(|path| !std::fs::read_to_string(path).expect("a source file").starts_with("//! ")).collect();
    assert!(silent.is_empty(), "{silent:?}");
}
