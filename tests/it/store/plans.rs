//! No statement of the store walks over a whole table that grows with persons or events: each is explained by the database.

use std::path::{Path, PathBuf};

use cpr_operator::store::statistics::look_at_grown;
use cpr_operator::store::{Conn, sql};

use super::audit;
use super::site::{Site, identity, noon, realm};

/// Tables that grow with persons, events or time.
const LARGE: [&str; 19] = [
    "person",
    "event",
    "route",
    "attempt",
    "parked",
    "dead_letter",
    "told",
    "missed",
    "subject",
    "listing",
    "request",
    "notice",
    "unread",
    "doubt",
    "audit_entry",
    "audit_subject",
    "person_key",
    "identifier",
    "claim",
];

/// Statements that walk over one on purpose: file, beginning, reason.
const ON_PURPOSE: [(&str, &str, &str); 7] = [
    ("request.rs", "SELECT q.id", "the oldest requests are wanted, in the order of their ids"),
    ("leaving.rs", "SELECT DISTINCT record FROM person p", "the index holds those who are leaving alone"),
    ("leaving.rs", "DELETE FROM person WHERE leaving = 1", "the index holds those who are leaving alone"),
    ("restored.rs", "SELECT coalesce(max(private_key)", "once, after a restore"),
    ("restored.rs", "SELECT DISTINCT private_key", "once, after a restore"),
    ("restored.rs", "SELECT count(*) FROM audit_entry", "once, after a restore"),
    ("ring.rs", "INSERT INTO keyring", "who refers to a key is looked for only where constraints are deferred"),
];

/// Files whose texts are no statements of SQLite on tables of ours.
const OF_THE_ADAPTERS: [&str; 10] = [
    "calls.rs",
    "copy.rs",
    "connections.rs",
    "login/mod.rs",
    "numbers.rs",
    "postgres.rs",
    "sqlite.rs",
    "dialect.rs",
    "sql.rs",
    "statistics.rs",
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let nested = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    let code = nested.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    code.filter(|path| !OF_THE_ADAPTERS.iter().any(|name| path.ends_with(name))).collect()
}

/// The string literals of a source file.
fn literals(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split('"').skip(1).step_by(2).map(|literal| literal.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The statements of a source file. One that ends with WHERE is completed by each condition that the file has for it.
fn statements(text: &str) -> Vec<String> {
    const VERBS: [&str; 5] = ["WITH ", "SELECT ", "INSERT ", "UPDATE ", "DELETE "];
    let literals = literals(text);
    let is_for_postgres = |literal: &str| {
        ["::", "ANY($", "claimed_keys(", "_partitions(", "current_setting("].iter().any(|mark| literal.contains(mark))
    };
    let is_statement =
        |literal: &&String| VERBS.iter().any(|verb| literal.starts_with(verb)) && !is_for_postgres(literal);
    let is_condition = |literal: &&String| literal.starts_with("r.") && !is_for_postgres(literal);
    let conditions: Vec<&String> = literals.iter().filter(is_condition).collect();
    let mut found = Vec::new();
    for statement in literals.iter().filter(is_statement) {
        match statement.ends_with("WHERE") {
            true => found.extend(conditions.iter().map(|condition| closed(format!("{statement} {condition}")))),
            false => found.push(statement.clone()),
        }
    }
    found
}

/// A statement that was put together, with its subquery closed.
fn closed(statement: String) -> String {
    let open = statement.matches('(').count() - statement.matches(')').count();
    statement + &")".repeat(open)
}

/// The large table that a line of a plan walks over.
fn walked(statement: &str, line: &str) -> Option<&'static str> {
    let name = line.strip_prefix("SCAN ")?.split(' ').next()?;
    let words: Vec<&str> = statement.split([' ', ',', '(', ')']).filter(|word| !word.is_empty()).collect();
    LARGE.into_iter().find(|table| *table == name || words.windows(2).any(|pair| pair == [*table, name]))
}

async fn walks(conn: &mut Conn, statement: &str) -> Vec<String> {
    let explained = sql::query_as(String::leak(format!("EXPLAIN QUERY PLAN {statement}")));
    let plan: Vec<(i64, i64, i64, String)> =
        explained.fetch_all(conn).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    let lines = plan.into_iter().map(|(.., line)| line);
    lines.filter(|line| walked(statement, line).is_some()).collect()
}

#[tokio::test]
async fn no_statement_walks_over_a_large_table() {
    let site = Site::new().await;
    let mut main = site.store.main.read().await.unwrap();
    let mut keys = site.store.keys.database().read().await.unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let (mut explained, mut wrong) = (0, Vec::new());
    for file in files(&root) {
        let conn = if file.starts_with(root.join("keys")) { &mut keys } else { &mut main };
        let name = file.file_name().unwrap().to_str().unwrap();
        for statement in statements(&std::fs::read_to_string(&file).unwrap()) {
            explained += 1;
            let is_on_purpose = ON_PURPOSE.iter().any(|(of, begin, _)| *of == name && statement.starts_with(begin));
            let walks = walks(conn, &statement).await;
            if !walks.is_empty() && !is_on_purpose {
                wrong.push(format!("{name}: {statement}\n    {walks:?}"));
            }
        }
    }
    assert!(explained > 80, "only {explained} statements were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A server knows a table as empty until it has looked at it, and keeps what it planned then: here for the foreign key of each
/// further subject of an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_planned_for_an_empty_table_does_not_read_all_of_it_when_it_has_grown() {
    let site = Site::on_postgres().await;
    let entry = audit::fetch(&site.store, 30).await;
    let mut tx = site.store.main.begin().await.unwrap();
    for _ in 0..20 {
        cpr_operator::audit::record(&mut tx, &site.store.keys, [&entry]).await.unwrap();
    }
    let rows = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'audit_entry'";
    let read: i64 = sql::query_scalar(rows).fetch_one(&mut tx).await.unwrap();
    assert_eq!(read, 0, "rows of audit_entry were read one after the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_looks_at_tables_that_have_grown_and_not_again() {
    let site = Site::on_postgres().await;
    let store = &site.store;
    look_at_grown(store.keys.database()).await.unwrap();
    let sizes = "SELECT CAST(sum(reltuples) AS BIGINT) FROM pg_class WHERE relname IN ('person_key', 'identifier')";
    let known = async || {
        let mut conn = store.keys.database().read().await.unwrap();
        sql::query_scalar::<i64>(sizes).fetch_one(&mut conn).await.unwrap()
    };
    let before = known().await;
    let persons: Vec<_> = (0..2_000).map(identity).collect();
    store.keys.ensure_persons(&realm(), &persons, noon()).await.unwrap();
    look_at_grown(store.keys.database()).await.unwrap();
    assert!(before < 1 && known().await >= 4_000, "{before}, {}", known().await);
    assert_eq!(look_at_grown(store.keys.database()).await.unwrap(), 0);
}
