//! The few phrases that SQLite and PostgreSQL say differently. A statement is said once for each and kept.
//!
//! | In a text | Means |
//! | --- | --- |
//! | `records($1)` | a table with the column `record`: the records that were bound |
//! | `ids($1)` | a table with the column `id`: the row ids that were bound |
//! | `json_each($1)` | a table with `key` and `value` of the JSON array that was bound; a function of our own with PostgreSQL |
//! | `CROSS JOIN … ON` | a join in the order as written with SQLite; PostgreSQL finds the order itself |
//! | `now_ms()` | milliseconds since the epoch by the database's clock; a function of our own with PostgreSQL |
//! | `FOR SHARE`, `FOR UPDATE SKIP LOCKED` | nothing with SQLite, which has one writer |

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

type Said = RwLock<HashMap<&'static str, &'static str>>;

/// A text as SQLite takes it.
pub(super) fn sqlite(text: &'static str) -> &'static str {
    static SAID: LazyLock<Said> = LazyLock::new(Said::default);
    say(&SAID, text, |text| {
        let text = expand(text, "records(", |n| format!("(SELECT unhex(value) AS record FROM json_each({n}))"));
        let text = expand(&text, "ids(", |n| format!("(SELECT value AS id FROM json_each({n}))"));
        let text = text.replace("now_ms()", "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)");
        text.replace(" FOR SHARE", "").replace(" FOR UPDATE SKIP LOCKED", "")
    })
}

/// A text as PostgreSQL takes it.
pub(super) fn postgres(text: &'static str) -> &'static str {
    static SAID: LazyLock<Said> = LazyLock::new(Said::default);
    say(&SAID, text, |text| {
        let text = expand(text, "records(", |n| format!("(SELECT unnest({n}::bytea[]) AS record)"));
        let text = expand(&text, "ids(", |n| format!("(SELECT unnest({n}::bigint[]) AS id)"));
        join(&text)
    })
}

fn say(said: &Said, text: &'static str, anew: impl Fn(&str) -> String) -> &'static str {
    if let Some(known) = said.read().unwrap_or_else(PoisonError::into_inner).get(text) {
        return known;
    }
    let mut said = said.write().unwrap_or_else(PoisonError::into_inner);
    said.entry(text).or_insert_with(|| String::leak(anew(text)))
}

/// Puts something else in the place of each `name($n)`.
fn expand(text: &str, name: &str, with: impl Fn(&str) -> String) -> String {
    let phrase = format!(" {name}$");
    let mut parts = text.split(&phrase);
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(')').unwrap_or((part, ""));
        said.push(' ');
        said.push_str(&with(&format!("${number}")));
        said.push_str(rest);
    }
    said
}

/// Leaves out the CROSS of joins that have a condition.
fn join(text: &str) -> String {
    let mut parts = text.split("CROSS JOIN ");
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let has_condition = part.split_whitespace().take(3).any(|word| word == "ON");
        said.push_str(if has_condition { "JOIN " } else { "CROSS JOIN " });
        said.push_str(part);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_said_as_each_database_has_them() {
        let text = "SELECT 1 FROM records($2) r WHERE id IN ids($1) FOR SHARE";
        let sqlite_says = "SELECT 1 FROM (SELECT unhex(value) AS record FROM json_each($2)) r \
                           WHERE id IN (SELECT value AS id FROM json_each($1))";
        let postgres_says = "SELECT 1 FROM (SELECT unnest($2::bytea[]) AS record) r \
                             WHERE id IN (SELECT unnest($1::bigint[]) AS id) FOR SHARE";
        assert_eq!(sqlite(text), sqlite_says);
        assert_eq!(postgres(text), postgres_says);
    }

    #[test]
    fn a_join_with_a_condition_is_left_to_the_planner() {
        let text = "FROM consumer a CROSS JOIN consumer c CROSS JOIN route r ON r.consumer = c.id";
        assert_eq!(join(text), "FROM consumer a CROSS JOIN consumer c JOIN route r ON r.consumer = c.id");
    }
}
