//! What the chart renders, held against golden files, and rules that hold for all of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use super::helm::{documents, helm, objects, root, template};

/// Values with which mode Cluster can be rendered.
const CLUSTER: &str = "mode=Cluster,database.existingSecret=database,rootKey.existingSecret=root-key";

/// A golden file, and the values with which it is rendered.
const CASES: [(&str, &[&str]); 1] = [("defaults", &[])];

#[test]
fn helm_finds_nothing_to_say_of_it() {
    let chart = super::helm::chart();
    for (_, values) in CASES {
        helm(&[&["lint", "--strict", chart.to_str().unwrap()], values].concat()).unwrap();
    }
}

#[test]
fn what_is_rendered_is_as_the_golden_files_say() {
    for (name, values) in CASES {
        let rendered = template(values).unwrap();
        // The definitions are held against their source elsewhere.
        let kept = documents(&rendered).filter(|text| !text.contains("\nkind: CustomResourceDefinition\n"));
        let kept = kept.map(|text| format!("---\n{text}\n")).collect::<String>();
        let path = root().join(format!("tests/it/chart/golden/{name}.yaml"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &kept).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let hint = "write it anew with UPDATE_GOLDEN=1 cargo test --test it chart::rendered, and read what changed";
        assert!(golden == kept, "{} is not what the chart renders: {hint}", path.display());
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for (name, values) in CASES {
        let rendered = template(values).unwrap();
        assert!(!objects(&rendered).is_empty(), "{name}");
        assert!(rendered == template(values).unwrap(), "{name}");
    }
}
