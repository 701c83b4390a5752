//! The chart's copies of the definitions, and what it adds to them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use serde_json::{Value, json};

use super::helm::{chart, objects, root, template};

#[test]
fn the_chart_has_the_same_definitions() {
    let files = |folder: &std::path::Path| {
        let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        found.sort();
        found
            .into_iter()
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
            .collect()
    };
    let (ours, copies): (Vec<_>, Vec<_>) = (files(&root().join("crds")), files(&chart().join("definitions")));
    assert!(
        ours.len() > 2 && ours == copies,
        "charts/cpr-operator/definitions differs from crds: make crds copies them"
    );
}

/// The definitions among what is rendered, by name.
fn rendered(arguments: &[&str]) -> Vec<Value> {
    let all = objects(&template(arguments).unwrap());
    all.into_iter().filter(|object| object["kind"] == "CustomResourceDefinition").collect()
}

#[test]
fn they_are_rendered_as_they_are_and_kept_unless_told_otherwise() {
    let read = |name: &str| -> Value {
        let (plural, _) = name.split_once('.').unwrap();
        serde_saphyr::from_str(&fs::read_to_string(root().join(format!("crds/{plural}.yaml"))).unwrap()).unwrap()
    };
    let definitions = rendered(&[]);
    assert_eq!(definitions.len(), fs::read_dir(root().join("crds")).unwrap().count());
    for mut definition in definitions {
        let mut source = read(definition["metadata"]["name"].as_str().unwrap());
        assert_eq!(definition["metadata"]["annotations"], json!({ "helm.sh/resource-policy": "keep" }));
        let labels = definition["metadata"]["labels"].as_object().unwrap().clone();
        for (key, value) in source["metadata"]["labels"].as_object().unwrap() {
            assert_eq!(&labels[key], value);
        }
        for object in [&mut definition, &mut source] {
            object["metadata"] = json!(object["metadata"]["name"]);
        }
        assert_eq!(definition, source);
    }
    assert!(rendered(&["--set", "crds.keep=false"]).iter().all(|one| one["metadata"]["annotations"].is_null()));
    assert!(rendered(&["--set", "crds.install=false"]).is_empty());
}
