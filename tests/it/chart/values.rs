//! The values: each has a comment in values.yaml, which is its description in the schema and in `docs/values.md`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use serde_json::Value;

use super::helm::{chart, root};

const UPDATE: &str = "UPDATE_DOCS";

const OPENING: &str = "# Values of the chart

<!-- Written from charts/cpr-operator/values.yaml by tests/it/chart/values.rs. Do not edit. -->

What can be set with `helm install --set` or in a file given with `--values`. A name with a dot lies in the one before the dot. What
is not here is refused. [Installation](install.md) says which you need.
";

/// A value: its path in names, what its comment says, and its default.
struct Documented {
    path: Vec<String>,
    text: String,
    default: Value,
}

fn values() -> String {
    fs::read_to_string(chart().join("values.yaml")).unwrap()
}

/// Every value, in the order of the file.
fn documented() -> Vec<Documented> {
    let defaults: Value = serde_saphyr::from_str(&values()).unwrap();
    let mut found = Vec::new();
    let (mut open, mut text): (Vec<(usize, String)>, Option<String>) = (vec![], None);
    for line in values().lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim_start();
        if let Some(comment) = line.strip_prefix('#') {
            match (comment.strip_prefix(" -- "), &mut text) {
                (Some(first), _) => text = Some(first.to_owned()),
                (None, Some(text)) => *text += comment,
                (None, None) => {}
            }
            continue;
        }
        let Some((key, _)) = line.split_once(':') else { continue };
        open.retain(|(other, _)| *other < depth);
        open.push((depth, key.to_owned()));
        if let Some(text) = text.take() {
            let path: Vec<_> = open.iter().map(|(_, key)| key.clone()).collect();
            let default = path.iter().fold(&defaults, |value, key| &value[key]).clone();
            found.push(Documented { path, text, default });
        }
    }
    found
}

#[test]
fn every_value_has_a_comment() {
    let documented: Vec<_> = documented().into_iter().map(|one| one.path.join(".")).collect();
    let defaults: Value = serde_saphyr::from_str(&values()).unwrap();
    let mut missing = Vec::new();
    look(&defaults, "", &documented, &mut missing);
    assert!(documented.len() > 80, "{documented:?}");
    assert!(missing.is_empty(), "values.yaml has no comment for {missing:?}");
}

/// Adds the values of which neither they nor what they lie in has a comment.
fn look(value: &Value, path: &str, documented: &[String], missing: &mut Vec<String>) {
    for (key, value) in value.as_object().unwrap() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            _ if documented.contains(&path) => {}
            Value::Object(members) if !members.is_empty() => look(value, &path, documented, missing),
            _ => missing.push(path),
        }
    }
}

#[test]
fn the_schema_has_every_value_with_its_comment_and_no_other() {
    let path = chart().join("values.schema.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let before = schema.clone();
    let mut leaves = BTreeMap::new();
    for one in documented() {
        let place = one.path.iter().fold(&mut schema, |schema, key| &mut schema["properties"][key]);
        assert!(place.is_object(), "values.schema.json lacks {}", one.path.join("."));
        place["description"] = one.text.clone().into();
        leaves.insert(one.path.join("."), one.text);
    }
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, serde_json::to_string_pretty(&schema).unwrap() + "\n").unwrap();
    } else {
        assert!(before == schema, "values.schema.json differs from the comments of values.yaml: {}", hint());
    }
    schema["properties"].as_object_mut().unwrap().remove("global");
    strict(&schema, "", &leaves);
}

/// Fails where the schema knows a value that values.yaml lacks, or takes keys that nobody knows.
fn strict(schema: &Value, path: &str, leaves: &BTreeMap<String, String>) {
    assert_eq!(schema["additionalProperties"], false, "{path}");
    for (key, schema) in schema["properties"].as_object().unwrap() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if !leaves.contains_key(&path) {
            assert!(schema["properties"].is_object(), "values.yaml lacks {path}");
            strict(schema, &path, leaves);
        }
    }
}

#[test]
fn the_document_is_as_the_values_say() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap();
    let mut written = format!("{OPENING}\n| Value | Type | Default | Says |\n| --- | --- | --- | --- |\n");
    for Documented { path, text, default } in documented() {
        let schema = path.iter().fold(&schema, |schema, key| &schema["properties"][key]);
        let (path, default) = (path.join("."), shown(&default));
        writeln!(written, "| `{path}` | {} | {default} | {text} |", kind(schema)).unwrap();
    }
    let path = root().join("docs/values.md");
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, &written).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == written, "docs/values.md differs from values.yaml: {}", hint());
}

fn hint() -> String {
    format!("write it anew with {UPDATE}=1 cargo test --test it chart::values")
}

fn shown(default: &Value) -> String {
    match default {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(members) if members.is_empty() => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

/// A value's type for people.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{}`", value.as_str().unwrap())).collect::<Vec<_>>().join(", ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => "list".to_owned(),
        Value::String(name) if name == "object" => "map".to_owned(),
        Value::String(name) => name.clone(),
        Value::Array(names) => names
            .iter()
            .map(|name| name.as_str().unwrap())
            .filter(|name| *name != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        other => panic!("{other}"),
    }
}
