//! The fields of our kinds that can hold text, as the chart's admission policies ask for each: written from the definitions, since
//! the language of the policies cannot walk an object.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use cpr_operator::api::crds;
use serde_json::{Value, json};

use super::helm::{chart, root};

/// A field, and the expression that says whether there is a number in it.
struct Field {
    name: String,
    holds: String,
}

/// Every field with text of a schema. `at` is an expression for what the schema describes, `depth` counts the lists around it.
fn fields(schema: &Value, name: &str, at: &str, depth: usize) -> Vec<Field> {
    let list = |items: &Value, at: &str| {
        let entry = ["a", "b", "c", "d"][depth];
        let inner = fields(items, &format!("{name}[]"), entry, depth + 1);
        let wrap =
            |field: Field| Field { holds: format!("{at}.orValue([]).exists({entry}, {})", field.holds), ..field };
        inner.into_iter().map(wrap).collect()
    };
    match schema["type"].as_str().unwrap_or_else(|| panic!("{name} has no type: teach this how to look into it")) {
        _ if schema["enum"].is_array() => vec![],
        "boolean" => vec![],
        "integer" | "number" => {
            let most = schema["maximum"].as_f64().unwrap_or_else(|| panic!("{name} may be a number of any length"));
            assert!(most < 1e9, "{name} may hold a CPR number");
            vec![]
        }
        "string" => vec![Field { name: name.to_owned(), holds: matches(at) }],
        "array" => list(&schema["items"], at),
        "object" if schema["additionalProperties"]["type"] == "string" => vec![map(name, at)],
        "object" => members(schema, name, at, depth),
        other => panic!("{name} is of type {other}: teach this how to look into it"),
    }
}

/// A variable of a list's entries is there; what lies in an object may not be.
fn matches(at: &str) -> String {
    let text = if at.contains('?') { format!("{at}.orValue('')") } else { at.to_owned() };
    format!("{text}.matches(variables.number)")
}

fn map(name: &str, at: &str) -> Field {
    let value = at.replace('?', "");
    let holds =
        format!("{at}.orValue({{}}).exists(k, k.matches(variables.number) || {value}[k].matches(variables.number))");
    Field { name: name.to_owned(), holds }
}

fn members(schema: &Value, name: &str, at: &str, depth: usize) -> Vec<Field> {
    let known = schema["properties"].as_object().unwrap_or_else(|| panic!("{name} is open: teach this what is in it"));
    let each =
        known.iter().map(|(key, schema)| fields(schema, &format!("{name}.{key}"), &format!("{at}.?{key}"), depth));
    each.flatten().collect()
}

/// What everyone may write into the metadata of any object.
fn metadata() -> Vec<Field> {
    let name = |key| Field { name: format!("metadata.{key}"), holds: matches(&format!("object.metadata.?{key}")) };
    let labels = |key| map(&format!("metadata.{key}"), &format!("object.metadata.?{key}"));
    vec![name("name"), name("generateName"), labels("labels"), labels("annotations")]
}

fn written(fields: Vec<Field>) -> Value {
    fields.into_iter().map(|Field { name, holds }| json!({ "name": name, "holds": holds })).collect()
}

const OPENING: &str = "# Written from the definitions by tests/it/chart/fields.rs. Do not edit.\n";

#[test]
fn the_policies_ask_for_every_field_that_can_hold_text() {
    for crd in crds::all() {
        let crd = serde_json::to_value(crd).unwrap();
        let plural = crd["spec"]["names"]["plural"].as_str().unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let spec = fields(schema, "spec", "object.?spec", 0);
        assert!(spec.len() > 5, "{plural}");
        let content = json!({ "resource": plural, "metadata": written(metadata()), "spec": written(spec) });
        let text = format!("{OPENING}{}", serde_saphyr::to_string(&content).unwrap());
        let path = chart().join(format!("admission/{plural}.yaml"));
        if std::env::var_os("UPDATE_CHART").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        let hint = "write it anew with UPDATE_CHART=1 cargo test --test it chart::fields";
        assert!(found == text, "{} lacks a field of the definitions, or has one too many: {hint}", path.display());
    }
    let files = fs::read_dir(chart().join("admission")).unwrap().count();
    assert_eq!(files, crds::all().len(), "each file of {} is of a kind", root().display());
}
