//! What holds for every definition: it is on file, bounded, described and readable.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use super::{all, yaml};
use crate::api::names::{CATEGORY, GROUP, VERSION};

/// Every schema node of every definition, with its path.
fn nodes() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for crd in all() {
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        walk(crd["spec"]["names"]["kind"].as_str().unwrap(), schema, &mut found);
    }
    assert!(found.len() > 100, "only {} schema nodes", found.len());
    found
}

fn walk(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), schema.clone()));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, found);
    }
    for (members, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[members].is_object() {
            walk(&format!("{path}{mark}"), &schema[members], found);
        }
    }
}

#[test]
fn the_files_are_what_the_code_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let written: BTreeMap<String, String> = yaml().unwrap().into_iter().collect();
    for (name, text) in &written {
        let on_file = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(on_file == *text, "crds/{name} is not what the code writes: run `make crds`");
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(written.contains_key(&name), "crds/{name} is not a definition of ours: run `make crds`");
    }
}

#[test]
fn yaml_says_the_same_as_the_definition() {
    for ((_, text), crd) in yaml().unwrap().into_iter().zip(all()) {
        let read: CustomResourceDefinition = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, crd);
    }
}

#[test]
fn kinds_have_their_names() {
    let names: Vec<_> = all()
        .into_iter()
        .map(|crd| {
            assert_eq!((crd.spec.group.as_str(), crd.spec.versions[0].name.as_str()), (GROUP, VERSION));
            assert_eq!(crd.spec.scope, "Namespaced");
            assert_eq!(crd.spec.names.categories, Some(vec![CATEGORY.to_owned()]));
            (crd.spec.names.kind, crd.spec.names.short_names.unwrap_or_default().concat())
        })
        .collect();
    let expected = [("CprSource", "cprsrc"), ("ConsumerSystem", "cprcon"), ("CprSubscription", "cprsub")];
    assert_eq!(names, expected.map(|(kind, short)| (kind.to_owned(), short.to_owned())));
}

#[test]
fn every_text_and_list_has_a_bound_and_every_list_a_type() {
    for (path, node) in nodes() {
        match node["type"].as_str() {
            Some("string") => {
                let bounded = ["maxLength", "enum"].iter().any(|k| !node[k].is_null()) || node["format"] == "date-time";
                // apiVersion and kind are the API server's own.
                assert!(bounded || path.ends_with(".apiVersion") || path.ends_with(".kind"), "{path} is unbounded");
            }
            Some("array") => {
                assert!(node["maxItems"].is_number(), "{path} is unbounded");
                assert!(node["x-kubernetes-list-type"].is_string(), "{path} has no list type");
            }
            Some("object") => {
                let is_map = !node["additionalProperties"].is_null();
                assert!(!is_map || node["maxProperties"].is_number(), "{path} is an open map");
            }
            _ => {}
        }
    }
}

#[test]
fn nothing_is_nullable_and_no_format_is_unknown_to_the_api_server() {
    for (path, node) in nodes() {
        assert!(node["nullable"].is_null(), "{path} is nullable");
        let known = [Value::Null, "int32".into(), "int64".into(), "date-time".into()];
        assert!(known.contains(&node["format"]), "{path} has format {}", node["format"]);
    }
}

#[test]
fn every_field_is_described_and_every_rule_has_a_message() {
    for (path, node) in nodes() {
        let own = path.contains(".spec") || path.contains(".status");
        assert!(
            !own || path.ends_with("[]") || path.ends_with("{}") || node["description"].is_string(),
            "{path} is not described"
        );
        for rule in node["x-kubernetes-validations"].as_array().into_iter().flatten() {
            assert!(rule["message"].is_string(), "{path}: {} has no message", rule["rule"]);
        }
    }
}

#[test]
fn columns_begin_alike_for_all_kinds() {
    for crd in all() {
        let columns = crd.spec.versions[0].additional_printer_columns.clone().unwrap();
        let shown: Vec<_> = columns.iter().filter(|c| c.priority.unwrap_or(0) == 0).map(|c| c.name.as_str()).collect();
        assert_eq!((shown[0], shown[1], shown[3], shown.len()), ("Ready", "Waiting", "Age", 4));
    }
}
