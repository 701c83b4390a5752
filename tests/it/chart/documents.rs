//! What documents say of the chart's values and of helm.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use serde_json::Value;

use super::helm::{chart, root, template};

/// The documents that speak of the chart, with their texts.
fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<_> =
        ["docs/install.md", "docs/gitops.md", "docs/monitoring.md"].map(|name| root().join(name)).into();
    paths.extend(fs::read_dir(root().join("docs/runbooks")).unwrap().map(|file| file.unwrap().path()));
    paths.into_iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

fn defaults() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap()
}

/// Whether a text has the form of a value's path.
fn is_path(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphabetic()))
}

#[test]
fn values_that_documents_name_exist() {
    let (defaults, mut named) = (defaults(), 0);
    for (document, text) in documents() {
        for word in text.split('`').filter(|word| is_path(word)) {
            let (section, _) = word.split_once('.').unwrap();
            if section == "settings" || defaults.get(section).is_none() {
                continue;
            }
            let found = word.split('.').try_fold(&defaults, |value, key| value.get(key));
            assert!(found.is_some(), "{document}: the chart has no value {word}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

/// What stands between fences of this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn commands_in_documents_name_values_that_can_be_rendered() {
    let mut rendered = 0;
    for (document, text) in documents() {
        for block in blocks(&text, "sh").into_iter().filter(|block| block.contains("--set ")) {
            let set = block.split("--set ").skip(1).map(|rest| rest.split_whitespace().next().unwrap());
            let arguments: Vec<_> = set.flat_map(|pair| ["--set", pair]).collect();
            template(&arguments).unwrap_or_else(|error| panic!("{document}: {error}\n{block}"));
            rendered += 1;
        }
    }
    assert!(rendered > 3, "{rendered}");
}

#[test]
fn values_written_out_in_documents_can_be_rendered() {
    let folder = tempfile::TempDir::new().unwrap();
    let install = fs::read_to_string(root().join("docs/install.md")).unwrap();
    let blocks: Vec<_> = blocks(&install, "yaml").into_iter().filter(|block| !block.contains("kind:")).collect();
    assert_eq!(blocks.len(), 2);
    for (block, expected) in [
        ("networkPolicy", &["cidr: 10.20.0.0/16", r#"allowed_networks = ["10.20.0.0/16"]"#]),
        (
            "workers",
            &[
                r#"ingest_database_secret = "cpr-database-ingest""#,
                r#"deliver_database_secret = "cpr-database-deliver""#,
            ],
        ),
    ] {
        let block = blocks.iter().find(|text| text.contains(block)).unwrap();
        let path = folder.path().join("values.yaml");
        fs::write(&path, block).unwrap();
        let rendered =
            template(&["--values", path.to_str().unwrap()]).unwrap_or_else(|error| panic!("{error}\n{block}"));
        expected.iter().for_each(|line| assert!(rendered.contains(line), "{line} in\n{rendered}"));
    }
}

/// What helm says after an installation.
fn notes(values: &str) -> String {
    let chart = chart();
    let arguments =
        ["install", "cpr", chart.to_str().unwrap(), "--namespace", "cpr-system", "--dry-run=client", "--set", values];
    let said = super::helm::helm(&arguments).unwrap();
    said.split_once("NOTES:").unwrap().1.to_owned()
}

#[test]
fn an_installation_is_told_what_it_lacks() {
    let (trial, full) = (notes("persistence.enabled=false"), notes(super::helm::CLUSTER));
    for said in ["openssl rand -base64 32", "rootKey.existingSecret", "gone with the pod"] {
        assert!(trial.contains(said) && !full.contains(said), "{said}: {trial}\n{full}");
    }
    for notes in [&trial, &full] {
        assert!(
            notes.contains("kubectl -n cpr-system exec deployment/cpr-cpr-operator -- cpr-operator doctor"),
            "{notes}"
        );
    }
}
